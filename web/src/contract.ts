// The JSON that the server gives to pages and sends over the socket; documented beside the templates in CONTEXT.md.
export type Priority = "high" | "medium" | "low";
export type Kind = "physiological" | "technical";
export type Condition = "active" | "cleared" | "withdrawn";
export type Handling = "new" | "acknowledged" | "snoozed" | "escalated" | "resolved" | "automatic";
export type Band = "low" | "low-medium" | "medium" | "high";

export interface Latest {
  value: number | string | boolean | null;
  text: string;
  unit: string | null;
  effective_at: string;
  received_at: string;
  stale_at: string | null;
  level: "red" | "amber" | null;
  side: "low" | "high" | null;
  absent: string | null;
  uncertain: boolean;
  extreme: boolean;
  method: string;
}

export interface News2 {
  total: number | null;
  complete: boolean;
  label: string;
  note: string;
  band: Band | null;
  scale: number;
  missing: string[];
  stale: string[];
  refused: string | null;
}

export interface Spark {
  code: string;
  name: string;
  unit: string;
  from_ms: number;
  to_ms: number;
  points: [number, number | null][];
}

export interface RowAlert {
  id: number;
  priority: Priority;
  kind: Kind;
  condition: Condition;
  handling: Handling;
  rule: string;
  reason: string;
  since: string;
  provisional: boolean;
  late: boolean;
  count: number;
  new: number;
}

export interface Pause {
  since: string;
  until: string | null;
  reason: string;
}

/** A measure that is expected. From `due` on it is due, after `late_at` late, from `missing_at` on missing. */
export interface Awaited {
  code: string;
  name: string;
  state: "later" | "due" | "late" | "missing";
  due: string;
  late_at: string;
  missing_at: string;
}

export interface Row {
  id: number;
  name: string;
  sort_name: string;
  nhs_number: string;
  born: string;
  age: number;
  gender: string;
  pathway: string;
  simulated: boolean;
  worse: number;
  latest: Record<string, Latest>;
  news2: News2 | null;
  spark: Spark | null;
  alert: RowAlert | null;
  contact: { at: string | null };
  pause: Pause | null;
  expected: Awaited[];
}

export interface Column {
  code: string;
  name: string;
  short: string;
  unit: string;
}

export interface Ward {
  id: number;
  name: string;
  simulated: boolean;
  zone: string;
}

/** What one rule thinks now. value: what a rule of history makes of the readings, in unit. */
export interface Opinion {
  key: string;
  title: string;
  sentence: string;
  doing: "open" | "cannot_decide" | "watching";
  level: string;
  needs: string;
  value: number | null;
  unit: string;
}

export interface Alert {
  id: number;
  ward_id: number;
  resident_id: number | null;
  device_id: string | null;
  subject: string;
  nhs_number: string | null;
  rule: string;
  code: string | null;
  kind: Kind;
  priority: Priority;
  condition: Condition;
  handling: Handling;
  open: boolean;
  provisional: boolean;
  late: boolean;
  onset_at: string;
  raised_at: string;
  changed_at: string;
  reason: string;
}

export interface Board {
  ward: Ward;
  at: string;
  columns: Column[];
  rows: Row[];
  device_alerts: Alert[];
}

export interface FirstLive {
  live: boolean;
  why: string | null;
  server_time: string;
  ws: string;
}

export type Order = "worst" | "fixed";

export interface BoardPage {
  board: Board;
  order: Order;
  live: FirstLive;
}

export interface QueuePage {
  ward: Ward;
  alerts: Alert[];
  show: "open" | "all" | "automatic";
  automatic: number;
  outcomes: Outcome[];
  may_care: boolean;
  csrf: string;
  now: string;
  live: FirstLive;
}

export interface Outcome {
  value: string;
  text: string;
}

export interface Limits {
  from_ms: number;
  to_ms: number | null;
  red_low: number | null;
  amber_low: number | null;
  amber_high: number | null;
  red_high: number | null;
}

export interface Series {
  code: string;
  t: number[];
  v: (number | null)[];
  marks: string[];
}

export interface Moment {
  text: string;
  at: string;
}

export interface Chart {
  key: string;
  name: string;
  unit: string;
  y: [number, number];
  kind: "line" | "pressure";
  series: Series[];
  gaps: [number, number][];
  limits: Limits[];
  latest: Moment | null;
  previous: Moment | null;
}

export interface ChartAlert {
  id: number;
  chart: string | null;
  priority: Priority;
  from_ms: number;
  to_ms: number | null;
  label: string;
  open: boolean;
}

export interface Trends {
  resident_id: number;
  zone: string;
  from_ms: number;
  to_ms: number;
  now_ms: number;
  charts: Chart[];
  alerts: ChartAlert[];
  pauses: [number, number | null][];
  truncated: boolean;
}

export interface ResidentPage {
  resident: { id: number; name: string; zone: string };
  ward: Ward;
  trends: Trends;
  hours: number;
  live: FirstLive;
}

export type FromServer =
  | { t: "hello"; epoch: string; seq: number; server_time: string }
  | { t: "snap"; epoch: string; seq: number; ward: number; board: Board; held: number; automatic: number }
  | { t: "snap"; epoch: string; seq: number; resident: number; row: Row; alerts: Alert[] }
  | { t: "d"; seq: number; ward: number; at: string; rows: Row[]; removed: number[]; device_alerts?: Alert[]; held?: number; automatic?: number }
  | { t: "d"; seq: number; resident: number; at: string; row: Row; alerts: Alert[] }
  | { t: "event"; seq: number; ward: number; alert: Alert; what: "raised" | "changed" | "closed"; replayed: boolean }
  | { t: "refused"; seq: number; wards: number[]; residents: number[] }
  | { t: "tick"; seq: number; server_time: string; at: string; live: boolean; why: string | null };
