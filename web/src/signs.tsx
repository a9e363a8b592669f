// Signs that mean something; each has a shape and a word beside its colour. The templates draw the same ones.
import type { Alert, Column, Condition, Kind, Latest, News2, Priority, RowAlert, Spark } from "./contract";
import * as times from "./times";

const STARS: Record<Priority, string> = { high: "***", medium: "**", low: "*" };
const WORDS: Record<Priority, string> = { high: "High", medium: "Medium", low: "Low" };
const SHAPES: Record<string, string> = {
  high: "M8 1 15.5 15H.5Z",
  medium: "M8 .5 15.5 8 8 15.5.5 8Z",
  low: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z",
  technical: "M2 2h12v12H2Z",
};

export function Chip({ priority, kind, condition }: { priority: Priority; kind: Kind; condition?: Condition }) {
  const look = kind === "technical" ? "technical" : priority;
  return (
    <span class={`th-chip th-chip--${condition === "withdrawn" ? "quiet" : look}`}>
      <svg width="12" height="12" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        <path d={SHAPES[look]} fill="currentColor" />
      </svg>
      <span class="th-stars" aria-hidden="true">
        {STARS[priority]}
      </span>
      {kind === "technical" ? `Technical, ${priority}` : WORDS[priority]}
    </span>
  );
}

/** "not acknowledged", "acknowledged", "back to normal, not acknowledged", ... */
export function handled(alert: Pick<Alert | RowAlert, "condition" | "handling">): string {
  const words = alert.handling === "new" ? "not acknowledged" : alert.handling === "automatic" ? "handled automatically" : alert.handling;
  if (alert.condition === "cleared") return `back to normal, ${words}`;
  if (alert.condition === "withdrawn") return `withdrawn, ${words}`;
  return words;
}

/** A pathway's id as people say it. */
export function pathway(id: string): string {
  return id.length <= 4 ? id.toUpperCase() : id.replaceAll("_", " ").replaceAll("-", " ");
}

const PRIORITIES: Record<Priority, number> = { high: 3, medium: 2, low: 1 };

/** Greater is more urgent, as the server counts it; what was withdrawn comes last. */
export function urgency(alert: Alert): number {
  if (!alert.open) return -1;
  if (alert.condition === "withdrawn") return 0;
  return PRIORITIES[alert.priority] * 8 + Number(alert.handling === "new") * 4 + Number(alert.condition === "active") * 2 + Number(alert.kind === "physiological");
}

/** Open before closed, the worst first, then the newest. */
export function worstFirst(one: Alert, other: Alert): number {
  return urgency(other) - urgency(one) || (one.raised_at < other.raised_at ? 1 : one.raised_at > other.raised_at ? -1 : other.id - one.id);
}

/** The same, with what needs somebody made strong. */
export function Handled({ alert }: { alert: Pick<Alert | RowAlert, "condition" | "handling" | "provisional" | "late"> }) {
  const words = handled({ ...alert, handling: "acknowledged" }).replace("acknowledged", "");
  return (
    <>
      {alert.handling === "new" ? (
        <>
          {words}
          <span class="th-board__new">not acknowledged</span>
        </>
      ) : (
        handled(alert)
      )}
      {alert.provisional && ", provisional"}
      {alert.late && ", received late"}
    </>
  );
}

export function since(at: string, now: number, zone: string): string {
  const then = times.ms(at);
  return times.date(then, zone) === times.date(now, zone) ? times.time(then, zone) : `${times.shortDate(then, zone)} ${times.time(then, zone)}`;
}

export function Value({ latest, unit }: { latest: Latest; unit?: string }) {
  if (latest.value === null) return <span class="th-quiet">failed</span>;
  const text = unit ? `${latest.text} ${unit}` : latest.text;
  if (!latest.level) return <>{text}</>;
  const arrow = latest.side === "high" ? "▲" : "▼";
  return (
    <span class={`th-level th-level--${latest.level}`}>
      {text}
      <span class="th-level__side" aria-hidden="true">
        {latest.level === "red" ? arrow + arrow : arrow}
      </span>
      <span class="nhsuk-u-visually-hidden">
        {" "}
        {latest.level}, {latest.side === "high" ? "above" : "below"} limit
      </span>
    </span>
  );
}

export function Age({ latest, now }: { latest: Latest; now: number }) {
  const old = latest.stale_at !== null && times.ms(latest.stale_at) <= now;
  return (
    <span class={old ? "th-age th-age--old" : "th-age"}>
      {times.brief(times.ms(latest.effective_at), now)}
      {old && " old"}
      {latest.uncertain && <span class="th-age__more">, time uncertain</span>}
      {latest.extreme && ", extreme"}
    </span>
  );
}

/** As in the head of a column; blood pressure is one column. */
function short(code: string, columns: Column[]): string {
  if (code === "systolic") return "BP";
  return columns.find((column) => column.code === code)?.short ?? code.replaceAll("_", " ");
}

function names(codes: string[], columns: Column[]): string {
  return codes.map((code) => short(code, columns)).join(", ");
}

export function Score({ news2, columns }: { news2: News2 | null; columns: Column[] }) {
  if (!news2) return <span class="th-quiet">not used</span>;
  if (news2.total === null) {
    return (
      <>
        <span class="th-quiet">{news2.label}</span>
        {news2.refused && <span class="th-board__missing">{news2.refused}</span>}
      </>
    );
  }
  const parts = [];
  if (news2.missing.length) parts.push(`no ${names(news2.missing, columns)}`);
  if (news2.stale.length) parts.push(`old: ${names(news2.stale, columns)}`);
  return (
    <>
      <span class={`th-score th-score--${news2.band ?? "low"}${news2.complete ? "" : " th-score--partial"}`}>
        {news2.complete ? `${news2.total} ${news2.band}` : news2.label}
      </span>
      {news2.scale === 2 && <span class="th-board__missing">SpO2 scale 2</span>}
      {parts.length > 0 && <span class="th-board__missing">{parts.join("; ")}</span>}
    </>
  );
}

/** Ranges fixed in advance, so that two residents' lines can be compared; the template has the same. */
const RANGES: Record<string, [number, number]> = {
  spo2: [80, 100],
  pulse: [40, 140],
  resp_rate: [8, 32],
  systolic: [80, 200],
  diastolic: [40, 120],
  temperature: [35, 40],
  glucose: [2, 20],
};
const WIDTH = 100;
const HEIGHT = 26;

export function Sparkline({ spark, columns }: { spark: Spark | null; columns: Column[] }) {
  if (!spark) return <span class="th-quiet">no data in 24hr</span>;
  const values = spark.points.flatMap((point) => (point[1] === null ? [] : [point[1]]));
  if (!values.length) return <span class="th-quiet">no data in 24hr</span>;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const middle = (least + most) / 2;
  const half = Math.max((most - least) / 2, Math.abs(middle) * 0.05, 0.5);
  const [low, high] = RANGES[spark.code] ?? [middle - half, middle + half];
  const x = (at: number) => (((at - spark.from_ms) / (spark.to_ms - spark.from_ms || 1)) * WIDTH).toFixed(1);
  const y = (value: number) => (HEIGHT - 2 - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (HEIGHT - 4)).toFixed(1);
  let pen = false;
  let path = "";
  let last: [number, number] | null = null;
  for (const [at, value] of spark.points) {
    if (value === null) {
      pen = false;
      continue;
    }
    path += pen ? `L${x(at)} ${y(value)}` : `M${x(at)} ${y(value)}h.1`;
    pen = true;
    last = [at, value];
  }
  return (
    <>
      <svg class="th-spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${spark.name}, last 24 hours: ${least} to ${most} ${spark.unit}`}>
        <line x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
        <path d={path} />
        {last && <circle cx={x(last[0])} cy={y(last[1])} r="2" />}
      </svg>
      <span class="th-spark__name" aria-hidden="true">
        {short(spark.code, columns)} {least === most ? least : `${least}–${most}`} {spark.unit}
      </span>
    </>
  );
}

/** 943 476 5919: how staff screens show an NHS number. */
export function spaced(number: string | null): string {
  return number === null ? "" : `${number.slice(0, 3)} ${number.slice(3, 6)} ${number.slice(6)}`;
}
