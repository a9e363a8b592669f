// Who waits and who is in, and what staff may do about each.
import { Component } from "preact";

import type { Acts } from "./acts";
import type { Call } from "./call";
import type { Check, Kind, Person, Subject } from "./messages";
import * as words from "./words";
import * as times from "../times";

interface Props {
  call: Call;
  acts: Acts;
  kind: Kind;
  subjects: Subject[];
  /** The resident whom the visit is about now. */
  current: number | null;
  zone: string;
  /** Clinical now, ms. */
  now: number;
  onSaid: (text: string) => void;
  onFailed: (text: string) => void;
}

interface State {
  writingTo: number | null;
  text: string;
  removing: number | null;
  more: number | null;
}

const TROUBLES: [keyof Check, string[], string][] = [
  ["microphone", ["none", "refused", "failed"], "no microphone: cannot be heard"],
  ["camera", ["none", "refused", "failed"], "no camera"],
  ["speaker", ["failed", "not_heard"], "test sound not confirmed"],
  ["network", ["slow", "failed"], "slow connection"],
  ["relay", ["failed"], "relay not reached"],
];

function troubles(person: Person): string {
  return TROUBLES.filter(([part, bad]) => bad.includes(person.ready?.[part] ?? "")).map(([, , text]) => text).join("; ");
}

export class People extends Component<Props, State> {
  override state: State = { writingTo: null, text: "", removing: null, more: null };

  private async act(action: string, person: Person, body: object, said: string): Promise<void> {
    const outcome = await this.props.acts.post(action, { participant: person.id, ...body });
    if (!outcome.ok) {
      this.props.onFailed(outcome.failed.detail);
      return;
    }
    this.props.onSaid(said);
    this.setState({ removing: null });
    // The button that was pressed is gone with the state that it changed.
    setTimeout(() => {
      const heading = document.getElementById("people-heading");
      if (document.activeElement !== document.body && document.activeElement !== heading) return;
      const row = document.getElementById(`person-${person.id}`);
      (row?.getClientRects().length ? row : heading)?.focus();
    }, 500);
  }

  private write = (event: Event, person: Person): void => {
    event.preventDefault();
    const text = this.state.text.trim();
    if (!text) return;
    const sent = this.props.call.say(text, person.id);
    this.setState({ writingTo: null, text: "" });
    if (sent) this.props.onSaid(`Sent to ${person.name}.`);
    else this.props.onFailed(`Not sent to ${person.name} yet: it is sent when the connection is back.`);
    document.getElementById(`person-${person.id}`)?.focus();
  };

  private may(action: string): boolean {
    return this.props.call.state?.you.may.includes(action) ?? false;
  }

  override render() {
    const { call } = this.props;
    const people = call.state?.visit.people ?? [];
    const me = call.state?.you.participant;
    const of = (...presences: Person["presence"][]) => people.filter((person) => presences.includes(person.presence) && person.id !== me);
    const waiting = of("waiting");
    const checking = of("checking");
    // Whose page is closed is not in the visit, though they need nobody's leave to come back.
    const lost = of("admitted").filter((person) => person.away);
    const inside = of("joined", "admitted").filter((person) => !lost.includes(person));
    const away = of("left", "removed");
    return (
      <>
        <h3 class="th-h3">Waiting ({waiting.length})</h3>
        {waiting.length === 0 && <p class="th-quiet">Nobody waits.</p>}
        {waiting.length > 0 && call.state?.visit.locked && <p class="th-person__trouble">The visit is locked: unlock it to let somebody in.</p>}
        <ul class="th-people">{waiting.map((person) => this.person(person))}</ul>
        {checking.length > 0 && <h3 class="th-h3">Getting ready ({checking.length})</h3>}
        <ul class="th-people">{checking.map((person) => this.person(person))}</ul>
        <h3 class="th-h3">In the visit ({inside.length + (call.mayBeIn ? 1 : 0)})</h3>
        {inside.length === 0 && <p class="th-quiet">{call.mayBeIn ? "Only you." : "Nobody yet."}</p>}
        <ul class="th-people">{inside.map((person) => this.person(person))}</ul>
        {lost.length > 0 && <h3 class="th-h3">Connection lost ({lost.length})</h3>}
        <ul class="th-people">{lost.map((person) => this.person(person))}</ul>
        {away.length > 0 && (
          <details class="th-act">
            <summary class="th-plain-button">{away.length} who left</summary>
            <ul class="th-people">{away.map((person) => this.person(person))}</ul>
          </details>
        )}
      </>
    );
  }

  /** "family of JONES, Anna (Ms)", where several residents could be meant. */
  private whose(person: Person): string {
    const { subjects } = this.props;
    const of = subjects.find((subject) => subject.id === person.with_resident);
    const role = words.role(person.role);
    if (!of || subjects.length < 2) return role;
    if (person.role === "resident") return `${role}, ${of.name}`;
    return person.role === "carer" || person.role === "family" ? `${role} of ${of.name}` : `${role} for ${of.name}`;
  }

  /** Whose turn has to come before somebody can be let in; null: nobody's. */
  private later(person: Person): string | null {
    const { subjects, kind, current } = this.props;
    if (kind === "group" || person.role === "staff" || person.with_resident === current) return null;
    return subjects.find((subject) => subject.id === person.with_resident)?.name ?? null;
  }

  private person(person: Person) {
    const { zone, now } = this.props;
    const waits = person.presence === "waiting";
    const inside = person.presence === "joined" || (person.presence === "admitted" && !person.away);
    const trouble = troubles(person);
    const since = person.waiting_since ? times.ms(person.waiting_since) : null;
    const unsure = person.identity === "not_checked";
    return (
      <li key={person.id} class={`th-person is-${person.presence}`} data-participant={person.id}>
        <p class="th-person__who" id={`person-${person.id}`} tabIndex={-1}>
          <strong>{person.name}</strong> <span class="th-quiet">{this.whose(person)}</span>
          {person.hand_at && <span class="th-chip th-chip--medium">hand up</span>}
          {person.muted_by_host && <span class="th-chip th-chip--quiet">muted</span>}
          {inside && person.quality && <Quality person={person} />}
        </p>
        <p class="th-person__facts">
          {unsure ? <strong class="th-person__unsure">Identity not checked: ask who it is</strong> : <span class="th-quiet">{words.identity(person.identity)}</span>}
          {waits && since !== null && (
            <span>
              , waits since {times.time(since, zone)} ({times.age(since, now)})
            </span>
          )}
          {person.presence === "admitted" && <span>{person.away ? ", connection lost; may come back without being let in again" : ", let in, connecting"}</span>}
          {(waits || person.presence === "checking") && person.away && <span>, connection lost: the page is closed, or cut off</span>}
          {waits && this.later(person) && <span>, for their turn: first go on to {this.later(person)}</span>}
          {person.presence === "removed" && <span>, removed</span>}
        </p>
        {waits && person.reason && <p class="th-person__reason">“{person.reason}”</p>}
        {!inside && trouble && <p class="th-person__trouble">{trouble}</p>}
        {(person.refused_browsers ?? 0) > 0 && <p class="th-person__trouble">{person.allow_another ? "The next device that opens the link is let in to wait." : "The link was tried on another device, and refused."}</p>}
        {this.buttons(person, waits, inside)}
        {this.state.writingTo === person.id && (
          <form class="th-chat__row" onSubmit={(event) => this.write(event, person)}>
            <input
              class="nhsuk-input"
              aria-label={`Message to ${person.name}`}
              maxLength={1000}
              autocomplete="off"
              ref={(input) => {
                if (this.state.text === "") input?.focus();
              }}
              value={this.state.text}
              onInput={(event) => this.setState({ text: event.currentTarget.value })}
            />
            <button class="th-plain-button">Send</button>
          </form>
        )}
      </li>
    );
  }

  private buttons(person: Person, waits: boolean, inside: boolean) {
    const { removing } = this.state;
    if (removing === person.id) {
      return (
        <p class="th-buttons">
          <span>Remove {person.name} for good?</span>
          <Button ref_={(element) => element?.focus()} label="No" of={person} onClick={() => this.setState({ removing: null })} />
          <Button label="Yes, remove" of={person} onClick={() => void this.act("remove", person, {}, `${person.name} is removed.`)} />
        </p>
      );
    }
    const staff = person.role === "staff";
    return (
      <p class="th-buttons">
        {waits && !staff && this.may("admit") && !this.later(person) && <Button label="Let in" strong of={person} onClick={() => void this.act("admit", person, {}, `${person.name} is let in.`)} />}
        {(waits || person.presence === "checking") && !staff && (
          <Button label="Write" of={person} expanded={this.state.writingTo === person.id} onClick={() => this.setState({ writingTo: this.state.writingTo === person.id ? null : person.id, text: "" })} />
        )}
        {inside && !staff && this.may("mute") && (
          <Button label={person.muted_by_host ? "Unmute" : "Mute"} of={person} onClick={() => void this.act("mute", person, { on: !person.muted_by_host }, `${person.name} is ${person.muted_by_host ? "no longer " : ""}muted.`)} />
        )}
        {inside && this.may("pin") && (
          <Button label={person.pinned ? "Unpin" : "Pin"} of={person} onClick={() => void this.act("pin", person, { on: !person.pinned }, `${person.name} is ${person.pinned ? "no longer " : ""}pinned.`)} />
        )}
        {inside && !staff && (
          <Button label={this.state.more === person.id ? "Less" : "More"} of={person} expanded={this.state.more === person.id} onClick={() => this.setState({ more: this.state.more === person.id ? null : person.id })} />
        )}
        {inside && !staff && this.state.more === person.id && this.may("waiting") && <Button label="Back to waiting" of={person} onClick={() => void this.act("waiting", person, {}, `${person.name} waits again.`)} />}
        {(person.refused_browsers ?? 0) > 0 && !person.allow_another && this.may("allow-browser") && (
          <Button label="Allow another device" of={person} onClick={() => void this.act("allow-browser", person, {}, `${person.name} may open the link on another device.`)} />
        )}
        {!staff && person.presence !== "removed" && (!inside || this.state.more === person.id) && this.may("remove") && <Button label="Remove" of={person} onClick={() => this.setState({ removing: person.id })} />}
      </p>
    );
  }
}

interface ButtonProps {
  label: string;
  of: Person;
  onClick: () => void;
  strong?: boolean;
  expanded?: boolean;
  ref_?: (element: HTMLButtonElement | null) => void;
}

function Button({ label, of, onClick, strong, expanded, ref_ }: ButtonProps) {
  return (
    <button type="button" ref={ref_} class={`th-plain-button${strong ? " th-plain-button--go" : ""}`} aria-expanded={expanded} onClick={onClick}>
      {label}
      <span class="nhsuk-u-visually-hidden"> {of.name}</span>
    </button>
  );
}

/** One word, and what it means for whoever stays on it. */
function Quality({ person }: { person: Person }) {
  if (!person.quality) return null;
  const id = `quality-${person.id}`;
  return (
    <button type="button" class={`th-quality is-${person.quality}`} aria-describedby={id}>
      <span class="nhsuk-u-visually-hidden">Connection of {person.name}: </span>
      {words.quality(person.quality)}
      <span class="th-quality__tip" role="tooltip" id={id}>
        {words.qualityMeans(person.quality)}
      </span>
    </button>
  );
}
