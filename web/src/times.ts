// Staff display forms: 14-Aug-1941, 23:54, 4hr 32min; always in the ward's zone, never by the browser's settings.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const formats = new Map<string, Intl.DateTimeFormat>();

function parts(at: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      year: "numeric",
      month: "numeric",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
}

export function ms(iso: string): number {
  return Date.parse(iso);
}

export function date(at: number, zone: string): string {
  const part = parts(at, zone);
  return `${part.day}-${MONTHS[Number(part.month) - 1]}-${part.year}`;
}

export function shortDate(at: number, zone: string): string {
  const part = parts(at, zone);
  return `${part.day}-${MONTHS[Number(part.month) - 1]}`;
}

/** "23:54"; "01:30 BST" where the zone has the hour twice. */
export function time(at: number, zone: string): string {
  const part = parts(at, zone);
  return `${part.hour}:${part.minute}${which(at, zone)}`;
}

export function second(at: number, zone: string): string {
  const part = parts(at, zone);
  return `${part.hour}:${part.minute}:${part.second}${which(at, zone)}`;
}

const DAY = 86_400_000;
const changes = new Map<string, boolean>();

/** " BST" or " GMT" of a time that comes twice when the clocks go back; else nothing. */
function which(at: number, zone: string): string {
  const day = Math.floor(at / DAY);
  const key = `${zone} ${day}`;
  let changing = changes.get(key);
  if (changing === undefined) {
    changing = offset((day - 1) * DAY, zone) > offset((day + 2) * DAY, zone);
    changes.set(key, changing);
  }
  if (!changing) return "";
  const here = offset(at, zone);
  const back = offset((day - 1) * DAY, zone) - offset((day + 2) * DAY, zone);
  const twice = offset(at + back, zone) === here - back || offset(at - back, zone) === here + back;
  if (!twice) return "";
  const named = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "short" }).formatToParts(at);
  return ` ${named.find((part) => part.type === "timeZoneName")?.value ?? ""}`;
}

export function moment(at: number, zone: string): string {
  return `${date(at, zone)} ${time(at, zone)}`;
}

/** "now", "12min", "4hr 32min", "3 days 4hr": how long ago, two units at most, no decimals; as the server writes it. */
export function age(from: number, now: number): string {
  const minutes = Math.floor((now - from) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes}min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours}hr ${minutes % 60}min` : `${hours}hr`;
  const days = Math.floor(hours / 24);
  return `${days} day${days > 1 ? "s" : ""}${hours % 24 ? ` ${hours % 24}hr` : ""}`;
}

/** As age, but from three hours on without minutes: for a board that is read at a glance. */
export function brief(from: number, now: number): string {
  const hours = Math.floor((now - from) / 3_600_000);
  if (hours < 3) return age(from, now);
  return hours < 24 ? `${hours}hr` : `${Math.floor(hours / 24)} day${hours >= 48 ? "s" : ""}`;
}

/** Offset of a zone at a moment, in ms east of UTC. */
export function offset(at: number, zone: string): number {
  const part = parts(at, zone);
  const local = Date.UTC(Number(part.year), Number(part.month) - 1, Number(part.day), Number(part.hour), Number(part.minute), Number(part.second));
  return local - Math.floor(at / 1000) * 1000;
}
