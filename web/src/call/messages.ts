// What the sockets of a visit carry. The server has the same as msgspec structs in telehealth/web/calls/call_messages.py.

export type Role = "staff" | "resident" | "carer" | "family" | "interpreter" | "captioner" | "guest_clinician";
export type Presence = "checking" | "waiting" | "admitted" | "joined" | "left" | "removed";
export type Identity = "signed_in" | "birth_date" | "link_only" | "not_checked";
export type Quality = "good" | "fair" | "poor" | "lost";
export type Kind = "one_to_one" | "carer" | "group" | "ward_round" | "case_conference";
export type VisitState = "scheduled" | "waiting" | "admitted" | "live" | "interrupted" | "ended" | "did_not_attend" | "cancelled";
export type Source = "audio" | "video" | "screen";
export type ByeWhy = "ended" | "removed" | "taken_over" | "elsewhere" | "expired" | "service";

export interface Slot {
  participant: number;
  source: Source;
}

export type Slots = Record<string, Slot | null>;

// From the browser -----------------------------------------------------------------------------------

/** What the device check found; each in the words of the contract. */
export interface Check {
  camera: "ok" | "none" | "refused" | "failed";
  microphone: "ok" | "none" | "refused" | "failed";
  speaker: "ok" | "failed" | "not_heard";
  network: "ok" | "slow" | "failed";
  relay: "ok" | "failed" | "not_tried";
}

/** Rates are shares, times seconds; counts are since the last message. */
export interface Measured {
  rtt: number | null;
  up_loss: number;
  down_loss: number;
  jitter: number;
  freezes: number;
  frozen: number;
  frames: number;
  join: number | null;
  path: "host" | "srflx" | "prflx" | "relay-udp" | "relay-tcp" | "relay-tls" | "unknown";
}

export type ToServer =
  | { t: "ready"; check: Check; reason: string }
  | { t: "offer"; epoch: number; sdp: string; restart: boolean }
  | { t: "media"; audio: boolean; video: boolean; screen: boolean }
  | { t: "hand"; up: boolean }
  /** about: whose turn it was on the screen when it was written. */
  | { t: "chat"; key: string; text: string; to: number | null; about: number | null }
  | { t: "caption"; key: string; text: string; about: number | null }
  /** ask: which question is agreed to, as the state numbers it. */
  | { t: "consent"; recording: boolean; ask: number | null }
  | ({ t: "stats" } & Measured)
  | { t: "leave" }
  | { t: "ping"; n: number };

// From the server ------------------------------------------------------------------------------------

export interface You {
  participant: number;
  role: Role;
  presence: Presence;
  identity: Identity;
  may: string[];
  ice_servers: RTCIceServer[];
}

export interface Subject {
  id: number;
  name: string;
  /** Staff only: a guest is told only the display name. */
  born?: string | null;
  nhs_number?: string | null;
}

export interface Person {
  id: number;
  name: string;
  role: Role;
  presence: Presence;
  identity: Identity;
  waiting_since: string | null;
  reason: string | null;
  audio: boolean;
  video: boolean;
  screen: boolean;
  muted_by_host: boolean;
  hand_at: string | null;
  pinned: boolean;
  /** To recording: true given, false refused or withdrawn, null not answered. */
  consent: boolean | null;
  quality: Quality | null;
  /** Their line does not carry all pictures to them (down), or their own (up); null: it does. */
  weak?: { down: boolean; up: boolean } | null;
  with_resident: number | null;
  ready: Partial<Check> | null;
  // Staff only. away: their page is closed, or cut off; the others are about the link that they came by.
  away?: boolean;
  refused_browsers?: number;
  allow_another?: boolean;
  wrong_births?: number;
}

export interface Message {
  id: number;
  from: number | null;
  to: number | null;
  text: string;
  at: string;
  /** The key that its writer gave it. */
  key?: string | null;
}

export interface Reading {
  key: string;
  code: string;
  title: string;
  value: string | number | boolean | null;
  unit: string | null;
  at: string;
  state: "offered" | "accepted" | "left_out";
}

export interface Visit {
  id: number;
  kind: Kind;
  state: VisitState;
  locked: boolean;
  room: { epoch: number } | null;
  recording: {
    on: boolean;
    asked: boolean;
    /** Which question the answers belong to, while asked or on. */
    ask: number | null;
    /** Why it stopped last, for who was there then. began: something had been recorded. */
    stopped: { why: string; at: string; began: boolean } | null;
  };
  subject: Subject | null;
  subjects: Subject[];
  people: Person[];
  messages: Message[];
  /** The newest lines of what is being said, written down by somebody in the visit. */
  captions: Message[];
  readings: Reading[];
  /** Of people who are not among people any more, too. */
  names?: Record<string, string>;
}

export interface StateMessage {
  t: "state";
  seq: number;
  you: You;
  visit: Visit;
}

export type FromServer =
  | StateMessage
  | { t: "answer"; epoch: number; sdp: string; slots: Slots; restart: boolean }
  | { t: "slots"; epoch: number; slots: Slots }
  | { t: "speaking"; participant: number | null }
  | { t: "rebuild"; epoch: number }
  | { t: "pong"; n: number }
  /** The ward rings: on a page that waits, with sound where the page may. */
  | { t: "ring" }
  | { t: "refused"; about: string; why: string }
  | { t: "bye"; why: ByeWhy };
