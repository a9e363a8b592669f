// The record beside the video: what is measured now, what came in during the visit, and the notes.
import { Component } from "preact";
import type { ComponentType } from "preact";

import type { Acts } from "./acts";
import type { Reading, Subject } from "./messages";
import type { NoteState, Notes } from "./notes";
import type { Alert, Row, Trends } from "../contract";
import { Latests, titled } from "../latests";
import { Chip, handled, since } from "../signs";
import * as times from "../times";

export interface Measure {
  code: string;
  name: string;
}

export function Vitals({ row, alerts, now, zone }: { row: Row | null; alerts: Alert[]; now: number; zone: string }) {
  if (!row) return <p class="th-quiet">No values yet.</p>;
  return (
    <>
      <Latests row={row} name={titled} columns={[]} now={now} />
      {alerts.length > 0 && (
        <ul class="th-plain-list" aria-label="Open alerts">
          {alerts.map((alert) => (
            <li key={alert.id}>
              <Chip priority={alert.priority} kind={alert.kind} condition={alert.condition} />{" "}
              <a href={`/alerts/${alert.id}`} target="_blank" rel="noopener">
                {alert.reason}
              </a>{" "}
              <span class="th-quiet">
                since {since(alert.onset_at, now, zone)}, {handled(alert)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

interface MeasureProps {
  acts: Acts;
  /** null: not known yet. */
  measures: Measure[] | null;
  subject: Subject;
  onSaid: (text: string) => void;
  onFailed: (text: string) => void;
}

/** "Take a reading now": asks the resident's devices. */
export class MeasureNow extends Component<MeasureProps, { asking: boolean }> {
  override state = { asking: false };

  private ask = async (codes: string[], names: string): Promise<void> => {
    this.setState({ asking: true });
    const outcome = await this.props.acts.post<{ devices: number }>("measure", { codes, resident: this.props.subject.id });
    this.setState({ asking: false });
    if (!outcome.ok) this.props.onFailed(outcome.failed.detail);
    else this.props.onSaid(`${this.props.subject.name}: asked for ${names}. It appears below when it comes.`);
  };

  override render() {
    if (!this.props.measures) return null;
    const measures = together(this.props.measures);
    if (!measures.length) return <p class="th-quiet">No device of this resident can be asked for a reading.</p>;
    return (
      <div class="th-buttons" role="group" aria-label="Take a reading now">
        <span class="th-buttons__label">Take a reading now:</span>
        {measures.map(({ codes, name }) => (
          <button key={name} type="button" class="th-plain-button" aria-disabled={this.state.asking} onClick={() => this.state.asking || void this.ask(codes, name)}>
            {name}
          </button>
        ))}
      </div>
    );
  }
}

const PRESSURE = ["systolic", "diastolic", "mean_arterial"];

/** A cuff measures all of a blood pressure at once. */
function together(measures: Measure[]): { codes: string[]; name: string }[] {
  const pressure = measures.filter(({ code }) => PRESSURE.includes(code)).map(({ code }) => code);
  const rest = measures.filter(({ code }) => !PRESSURE.includes(code)).map(({ code, name }) => ({ codes: [code], name }));
  return pressure.length ? [{ codes: pressure, name: "Blood pressure" }, ...rest] : rest;
}

const DECIDED = { offered: "not decided", accepted: "in the record of this visit", left_out: "left out" };

interface ReadingsProps {
  acts: Acts;
  readings: Reading[];
  zone: string;
  may: boolean;
  onFailed: (text: string) => void;
}

export function Readings({ acts, readings, zone, may, onFailed }: ReadingsProps) {
  const decide = async (key: string, decision: "accepted" | "left_out") => {
    const outcome = await acts.post("readings", { key, decision });
    if (!outcome.ok) onFailed(outcome.failed.detail);
  };
  if (!readings.length) return <p class="th-quiet">None yet. Readings that come during the visit are marked as supervised.</p>;
  return (
    <ul class="th-visit-readings">
      {[...readings].reverse().map((reading) => {
        const text = `${reading.title} ${String(reading.value ?? "failed")}${reading.unit ? ` ${reading.unit}` : ""}`;
        return (
          <li key={reading.key} class={`is-${reading.state}`} data-code={reading.code}>
            <p>
              <strong>{text}</strong>{" "}
              <span class="th-quiet">
                {times.time(times.ms(reading.at), zone)}, {DECIDED[reading.state]}
              </span>
            </p>
            {may && (
              <p class="th-buttons">
                <button type="button" class="th-plain-button" aria-pressed={reading.state === "accepted"} onClick={() => void decide(reading.key, "accepted")}>
                  Accept<span class="nhsuk-u-visually-hidden"> {text}</span>
                </button>
                <button type="button" class="th-plain-button" aria-pressed={reading.state === "left_out"} onClick={() => void decide(reading.key, "left_out")}>
                  Leave out<span class="nhsuk-u-visually-hidden"> {text}</span>
                </button>
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** Notes of one resident; a change of resident is a change of field. */
export function NotesBox({ notes, subject, zone }: { notes: Notes; subject: Subject; zone: string }) {
  const { text, state } = notes.of(subject.id);
  return (
    <div class="th-notes">
      <label class="th-h3" for={`notes-${subject.id}`}>
        Notes on {subject.name}
      </label>
      <textarea
        id={`notes-${subject.id}`}
        class="nhsuk-textarea th-notes__text"
        rows={9}
        maxLength={20_000}
        value={text}
        onInput={(event) => notes.type(subject.id, event.currentTarget.value)}
        onBlur={() => notes.leave(subject.id)}
      />
      {/* Not a live region for every key: only what needs somebody is said. */}
      <p class={`th-notes__state is-${state.is}`} data-state={state.is}>
        {said(state, zone)}
      </p>
      <p class="nhsuk-u-visually-hidden" role="status">
        {state.is === "kept" || state.is === "conflict" ? said(state, zone) : ""}
      </p>
      {state.is === "conflict" && (
        <div class="th-notes__conflict">
          <p>These notes were changed in another window at {state.newer.saved_at ? times.time(times.ms(state.newer.saved_at), zone) : "some time"}. There they say:</p>
          <blockquote>{state.newer.text}</blockquote>
          <p class="th-buttons">
            <button type="button" class="th-plain-button" onClick={() => notes.settle(subject.id, "both")}>
              Keep both, the other first
            </button>
            <button type="button" class="th-plain-button" onClick={() => notes.settle(subject.id, "theirs")}>
              Take the other, drop mine
            </button>
          </p>
        </div>
      )}
    </div>
  );
}

function said(state: NoteState, zone: string): string {
  switch (state.is) {
    case "saved":
      return state.at ? `Saved at ${times.second(times.ms(state.at), zone)}. Part of the record when the visit ends.` : "Saved as you type. Part of the record when the visit ends.";
    case "changed":
    case "saving":
      return "Saving…";
    case "kept":
      return state.again ? `Not saved on the server yet: ${state.why} Kept in this window; it is tried again.` : `Not saved: ${state.why} Kept in this window only: copy what you need.`;
    default:
      return "Two versions of these notes: choose below.";
  }
}

interface TrendsProps {
  resident: number;
  now: () => number;
  acts: Acts;
}

interface TrendsState {
  view: ComponentType<{ trends: Trends; now: () => number; load: (from: number, to: number) => Promise<Trends | null> }> | null;
  trends: Trends | null;
  failed: boolean;
}

/** The charts, fetched when somebody asks for them. */
export class TrendsPane extends Component<TrendsProps, TrendsState> {
  override state: TrendsState = { view: null, trends: null, failed: false };

  private load = (from: number, to: number): Promise<Trends | null> => {
    const query = new URLSearchParams({ since: new Date(from).toISOString(), until: new Date(to).toISOString() });
    return this.props.acts.get<Trends>(`/api/v1/residents/${this.props.resident}/trends?${query}`);
  };

  private open = async (event: Event): Promise<void> => {
    if (!(event.currentTarget as HTMLDetailsElement).open || this.state.trends) return;
    const now = this.props.now();
    this.setState({ failed: false });
    const [module, trends] = await Promise.all([import("../trends").catch(() => null), this.load(now - 24 * 3_600_000, now)]);
    this.setState(module && trends ? { view: module.TrendsView as NonNullable<TrendsState["view"]>, trends, failed: false } : { failed: true });
  };

  override render() {
    const { view: View, trends, failed } = this.state;
    return (
      <details class="th-act" onToggle={(event) => void this.open(event)}>
        <summary class="th-plain-button">Trends</summary>
        {failed ? <p>The trends could not be loaded. Close and open this again.</p> : View && trends ? <View trends={trends} now={this.props.now} load={this.load} /> : <p class="th-quiet">Loading…</p>}
      </details>
    );
  }
}
