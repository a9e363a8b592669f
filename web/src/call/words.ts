// What things are called on the screens of a visit.
import type { Identity, Person, Presence, Quality, Role } from "./messages";

const ROLES: Record<Role, string> = {
  staff: "ward staff",
  resident: "resident",
  carer: "carer",
  family: "family or friend",
  interpreter: "interpreter",
  captioner: "captioner (speech-to-text reporter)",
  guest_clinician: "clinician from elsewhere",
};

const IDENTITIES: Record<Identity, string> = {
  signed_in: "signed in",
  birth_date: "date of birth confirmed",
  link_only: "by link only",
  not_checked: "IDENTITY NOT CHECKED",
};

const PRESENCES: Record<Presence, string> = {
  checking: "getting ready",
  waiting: "waiting",
  admitted: "coming in",
  joined: "in the visit",
  left: "has left",
  removed: "removed",
};

const QUALITIES: Record<Quality, string> = { good: "Good", fair: "Fair", poor: "Poor", lost: "Connection lost" };

export function role(of: Role): string {
  return ROLES[of] ?? of;
}

export function identity(of: Identity): string {
  return IDENTITIES[of] ?? of;
}

export function presence(of: Presence): string {
  return PRESENCES[of] ?? of;
}

export function quality(of: Quality): string {
  return QUALITIES[of];
}

const MEANINGS: Record<Quality, string> = {
  good: "picture and sound come through well",
  fair: "small faults; talking is not disturbed",
  poor: "expect breaks in picture or sound",
  lost: "nothing comes through at the moment",
};

export function qualityMeans(of: Quality): string {
  return MEANINGS[of];
}

/** "2.04pm", "midday": how times are written for residents. */
export function plainTime(at: number, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "numeric", minute: "2-digit", hourCycle: "h23" }).formatToParts(at);
  const hour = Number(parts.find((part) => part.type === "hour")?.value ?? 0);
  const minute = parts.find((part) => part.type === "minute")?.value ?? "00";
  if (minute === "00" && hour % 12 === 0) return hour ? "midday" : "midnight";
  return `${hour % 12 || 12}${minute === "00" ? "" : `.${minute}`}${hour < 12 ? "am" : "pm"}`;
}

/** "Nurse Jones and Dr Shah", or "nobody". */
export function list(names: string[]): string {
  if (names.length < 2) return names[0] ?? "nobody";
  return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

export function initials(name: string): string {
  const words = name.replace(/\(.*?\)/g, "").split(/[\s,]+/).filter(Boolean);
  return words.slice(0, 2).map((word) => word.charAt(0).toUpperCase()).join("");
}

export function consented(person: Person): string {
  return person.consent === true ? "agrees" : person.consent === false ? "does not agree" : "has not answered";
}
