// Staff's side of a visit: the video beside the record of the current resident, who waits, notes, readings, the end.
import { Component, render } from "preact";

import { Acts } from "./call/acts";
import { Awake } from "./call/awake";
import { Call } from "./call/call";
import { Chat } from "./call/chat";
import * as focus from "./call/focus";
import { Invite } from "./call/invite";
import type { ByeWhy, Person, StateMessage, Subject } from "./call/messages";
import { Notes } from "./call/notes";
import type { Saved } from "./call/notes";
import { People } from "./call/people";
import { MeasureNow, NotesBox, Readings, TrendsPane, Vitals } from "./call/record";
import type { Measure } from "./call/record";
import { goOnHere } from "./call/socket";
import { StaffPane } from "./call/staffpane";
import { Banner, Round } from "./call/subject";
import * as tones from "./call/tones";
import type { Alert, FirstLive, FromServer, Row, Ward } from "./contract";
import { Live } from "./live";
import { LiveBar } from "./livebar";

const SAID_MS = 12_000;
const AGES_MS = 15_000;

interface Page {
  visit: { id: number; kind: string; starts_at: string | null; minutes: number | null; reason: string | null; ws: string };
  ward: Ward;
  subjects: Subject[];
  notes: Record<string, Saved>;
  measures: Measure[];
  keep_chat: boolean;
  recording: boolean;
  recording_days: number;
  csrf: string;
  now: string;
  live: FirstLive;
}

interface State {
  version: number;
  said: string;
  failed: string;
}

class ConsultationIsland extends Component<Page, State> {
  override state: State = { version: 0, said: "", failed: "" };
  private acts = new Acts(this.props.visit.id, this.props.csrf);
  private notes = new Notes(this.props.visit.id, this.props.notes, this.acts, () => this.changed());
  private rows = new Map<number, Row>();
  private alerts = new Map<number, Alert[]>();
  private measures = new Map<number, Measure[]>();
  private saidTimer: number | undefined;
  private awake = new Awake();
  private live = new Live(
    this.props.live,
    { residents: this.props.subjects.map((subject) => subject.id) },
    (message) => this.take(message),
    () => this.changed(),
  );
  private call = new Call(
    this.props.visit.ws,
    { changed: () => this.changed(), state: (now, before) => this.compare(now, before), back: () => this.back(), bye: () => this.notes.flush() },
    (signIn) => (signIn ? location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`) : location.reload()),
    false,
  );

  override componentDidMount(): void {
    this.live.start(this.props.now);
    this.call.start();
    addEventListener("keydown", this.key);
    // How long somebody has waited goes on while nothing else happens.
    window.setInterval(() => this.changed(), AGES_MS);
  }

  override componentDidUpdate(): void {
    this.awake.want(this.call.peer !== null);
  }

  /** What waits for the service need not wait longer. */
  private back(): void {
    this.notes.flush();
    this.live.hurry();
  }

  private changed(): void {
    this.setState((state) => ({ version: state.version + 1 }));
  }

  private take(message: FromServer): void {
    if ((message.t !== "snap" && message.t !== "d") || !("resident" in message)) return;
    this.rows.set(message.resident, message.row);
    this.alerts.set(message.resident, message.alerts);
    this.changed();
  }

  /** What has changed since the state before, in words: who came, who went, who waits, whose hand is up. */
  private compare(now: StateMessage, before: StateMessage | null): void {
    const subject = now.visit.subject;
    if (subject && !this.measures.has(subject.id)) void this.loadMeasures(subject.id);
    if (!before) return;
    // What could not be done may be possible now, and what was said of it stays no longer than that.
    if (this.state.failed && standing(now) !== standing(before)) this.setState({ failed: "" });
    // "Everybody is asked" stays no longer than that.
    if (asking(before) && !asking(now)) this.setState({ said: "" });
    const old = new Map(before.visit.people.map((person) => [person.id, person]));
    const news: string[] = [];
    for (const person of now.visit.people) {
      if (person.id === now.you.participant) continue;
      const was = old.get(person.id)?.presence;
      if (person.presence !== was) news.push(...this.moved(person, was));
      if (person.away && !old.get(person.id)?.away && person.presence !== "left") news.push(`${person.name}: connection lost.`);
      if (old.get(person.id)?.away && !person.away && person.presence === was) news.push(`${person.name} is back.`);
      if (person.hand_at && !old.get(person.id)?.hand_at) news.push(`${person.name} has raised a hand.`);
    }
    const newest = Math.max(0, ...before.visit.messages.map((message) => message.id));
    for (const message of now.visit.messages) {
      if (message.id > newest && message.from !== now.you.participant) news.push(`${now.visit.names?.[message.from ?? 0] ?? "The service"} wrote: ${message.text}`);
    }
    if (before.visit.subject?.id !== subject?.id && subject) {
      if (before.visit.subject) this.notes.leave(before.visit.subject.id);
      news.push(`The visit is about ${this.named(subject).name} now.`);
    }
    if (news.length) this.say(news.join(" "));
  }

  private moved(person: Person, was: Person["presence"] | undefined): string[] {
    switch (person.presence) {
      case "waiting":
        if (person.role === "staff") return []; // staff let themselves in
        tones.ding();
        return [`${person.name} waits to be let in.`];
      case "joined":
        return [`${person.name} has come in.`];
      case "admitted":
        return was === "joined" && !person.away ? [`${person.name}: connection lost.`] : [];
      case "left":
        return [`${person.name} has left.`];
      case "removed":
        return [`${person.name} is removed.`];
      default:
        return [];
    }
  }

  private async loadMeasures(resident: number): Promise<void> {
    const found = await this.acts.get<{ resident: number | null; measures: Measure[] }>(`/api/v1/visits/${this.props.visit.id}/measures`);
    if (found?.resident === resident) this.measures.set(resident, found.measures);
    this.changed();
  }

  private say = (said: string): void => {
    this.setState({ said, failed: "" });
    clearTimeout(this.saidTimer);
    this.saidTimer = window.setTimeout(() => this.setState({ said: "" }), SAID_MS);
  };

  private fail = (failed: string): void => this.setState({ failed, said: "" });

  private act = async (action: string, body: object, said: string): Promise<boolean> => {
    const outcome = await this.acts.post(action, body);
    if (outcome.ok) this.say(said);
    else this.fail(outcome.failed.detail);
    return outcome.ok;
  };

  /** With Alt and Shift, so that no letter that is typed does anything by itself. */
  private key = (event: KeyboardEvent): void => {
    if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey) return;
    const subject = this.call.state?.visit.subject;
    const doing: Record<string, () => void> = {
      KeyM: () => void this.call.setAudio(!this.call.sends("audio")),
      KeyV: () => void this.call.setVideo(!this.call.sends("video")),
      KeyH: () => this.call.hand(!this.call.me?.hand_at),
      KeyN: () => subject && document.getElementById(`notes-${subject.id}`)?.focus(),
      KeyP: () => document.getElementById("people-heading")?.focus(),
      KeyT: () => document.getElementById("staff-caption")?.focus(),
      KeyC: () => document.getElementById("staff-chat")?.focus(),
    };
    const act = doing[event.code];
    if (!act) return;
    event.preventDefault();
    act();
  };

  private async leave(): Promise<void> {
    this.notes.flush();
    // Nobody is seen or heard for longer because the service takes its time.
    this.call.leave();
    this.call.devices.shutAll();
    await this.acts.post("leave", {});
  }

  /** The page writes names as staff read them: family name first. */
  private named(subject: Subject): Subject {
    return this.props.subjects.find((one) => one.id === subject.id) ?? subject;
  }

  private switchTo(subject: Subject): Promise<boolean> {
    this.notes.flush();
    return this.act("subject", { resident: subject.id }, `The visit is about ${subject.name} now.`);
  }

  private may(action: string): boolean {
    return this.call.state?.you.may.includes(action) ?? false;
  }

  override render() {
    const { ward } = this.props;
    const { call } = this;
    const visit = call.state?.visit ?? null;
    const subject = visit ? visit.subject && this.named(visit.subject) : null;
    if (call.bye) return <Over page={this.props} why={call.bye} notes={this.notes} />;
    return (
      <>
        <div class="th-tops">
          <LiveBar status={this.live.status} now={this.live.serverNow()} zone={ward.zone} />
          <Banner subject={subject} subjects={this.props.subjects} />
          {visit?.recording.on && (
            <p class="th-tops__recording">
              <span aria-hidden="true">●</span> Recording
            </p>
          )}
          {this.state.failed && (
            <div class="th-wrap">
              <p class="th-notice th-notice--failed" role="alert">
                {this.state.failed}{" "}
                <button type="button" class="th-plain-button" onClick={() => this.setState({ failed: "" })}>
                  Close<span class="nhsuk-u-visually-hidden"> this message</span>
                </button>
              </p>
            </div>
          )}
        </div>
        <div class="th-wrap th-main">
          <h1 class="nhsuk-u-visually-hidden">Video visit</h1>
          <p class="nhsuk-u-visually-hidden" role="status">
            {this.state.said}
          </p>
          <div class="th-consultation">
            <div class="th-consultation__video">
              <StaffPane
                call={call}
                subject={subject}
                said={this.state.said}
                zone={ward.zone}
                recordingDays={this.props.recording_days}
                end={`/visits/${this.props.visit.id}/end`}
                may={(action) => this.may(action)}
                act={this.act}
                onLeave={() => void this.leave()}
                onEnd={() => this.notes.flush()}
              />
            </div>
            <section class="th-card th-consultation__people" aria-labelledby="people-heading">
              <h2 class="th-h2" id="people-heading" tabIndex={-1}>
                People
              </h2>
              {visit ? <People call={call} acts={this.acts} subjects={visit.subjects.map((one) => this.named(one))} kind={visit.kind} current={subject?.id ?? null} zone={ward.zone} now={this.live.now()} onSaid={this.say} onFailed={this.fail} /> : <p role="status">Connecting…</p>}
              {visit && this.desk(subject)}
            </section>
            <section class="th-card th-consultation__chat" aria-labelledby="chat-heading">
              <h2 class="th-h3" id="chat-heading">
                Messages
              </h2>
              <Chat key={`chat-${visit?.kind === "group" ? 0 : (subject?.id ?? 0)}`} call={call} zone={ward.zone} id="staff-chat" hint={`To everybody in the visit. ${this.props.keep_chat ? "Kept in the record." : "Not kept after the visit."}`} />
            </section>
            <div class="th-consultation__record">{subject ? this.record(subject) : <p class="th-card">This visit is about nobody at the moment. Choose a resident.</p>}</div>
          </div>
          <Shortcuts />
        </div>
      </>
    );
  }

  /** What is done to the visit as a whole. */
  private desk(subject: Subject | null) {
    const { call } = this;
    const visit = call.state?.visit;
    if (!visit) return null;
    const inside = new Set(visit.people.filter((person) => (person.presence === "joined" || person.presence === "admitted") && !person.away).map((person) => (person.role === "resident" ? person.with_resident : null)));
    return (
      <div class="th-desk">
        <p class="th-buttons">
          {this.may("lock") && (
            <button type="button" class="th-plain-button" aria-pressed={visit.locked} onClick={() => void this.act("lock", { locked: !visit.locked }, visit.locked ? "The visit is open again." : "The visit is locked: nobody new gets in.")}>
              {visit.locked ? "Locked: nobody new gets in" : "Lock"}
            </button>
          )}
          {subject && this.may("ring") && !inside.has(subject.id) && (
            <button type="button" class="th-plain-button" onClick={() => void this.act("ring", { resident: subject.id }, `${subject.name} is being rung.`)}>
              Ring {subject.name}
            </button>
          )}
        </p>
        {subject && this.may("invite") && <Invite key={`invite-${subject.id}`} acts={this.acts} subject={subject} />}
      </div>
    );
  }

  private record(subject: Subject) {
    const { ward } = this.props;
    const visit = this.call.state?.visit;
    return (
      <>
        {visit && visit.subjects.length > 1 && (
          <Round
            key={`round-${subject.id}`}
            subjects={visit.subjects.map((one) => this.named(one))}
            subject={subject}
            leaves={this.props.visit.kind !== "group"}
            may={this.may("subject")}
            onSwitch={(to) => this.switchTo(to)}
          />
        )}
        <section class="th-card" key={`notes-${subject.id}`}>
          <NotesBox notes={this.notes} subject={subject} zone={ward.zone} />
        </section>
        <section class="th-card" aria-labelledby="readings-heading">
          <h2 class="th-h3" id="readings-heading">
            Readings in this visit
          </h2>
          {this.may("measure") && <MeasureNow acts={this.acts} measures={this.measures.get(subject.id) ?? null} subject={subject} onSaid={this.say} onFailed={this.fail} />}
          <Readings acts={this.acts} readings={visit?.readings ?? []} zone={ward.zone} may={this.may("readings")} onFailed={this.fail} />
        </section>
        <section class="th-card" aria-labelledby="vitals-heading" key={`vitals-${subject.id}`}>
          <h2 class="th-h3" id="vitals-heading">
            {subject.name}: latest values
          </h2>
          <Vitals row={this.rows.get(subject.id) ?? null} alerts={(this.alerts.get(subject.id) ?? []).filter((alert) => alert.open)} now={this.live.now()} zone={ward.zone} />
          <TrendsPane resident={subject.id} now={() => this.live.now()} acts={this.acts} />
          <p>
            <a href={`/residents/${subject.id}`} target="_blank" rel="noopener">
              Whole record of {subject.name} (in a new tab)
            </a>
          </p>
        </section>
      </>
    );
  }

}

function Shortcuts() {
  return (
    <details class="th-act">
      <summary class="th-plain-button">Keyboard</summary>
      <p>With Alt and Shift held:</p>
      <dl class="th-terms">
        {[
          ["M", "microphone on or off"],
          ["V", "camera on or off"],
          ["H", "hand up or down"],
          ["N", "to the notes"],
          ["P", "to the people"],
          ["C", "to the messages"],
          ["T", "to the captions, while they are shown"],
        ].map(([key, text]) => (
          <>
            <dt>
              <kbd>Alt Shift {key}</kbd>
            </dt>
            <dd>{text}</dd>
          </>
        ))}
      </dl>
    </details>
  );
}

const ELSEWHERE = {
  taken_over: "You go on with this visit in another window. Go on there, or here.",
  elsewhere: "You have this visit open in another window. Go on there; if you go on here, the picture and the sound stop there.",
};

/** Whether somebody's consent to a recording is waited for. */
function asking({ visit }: StateMessage): boolean {
  return visit.recording.asked && !visit.recording.on;
}

/** What decides whether something can be done: who is where, whom it is about, whether it is locked. */
function standing(state: StateMessage): string {
  const { visit } = state;
  return JSON.stringify([visit.locked, visit.state, visit.subject?.id, visit.people.map((person) => [person.id, person.presence])]);
}

function Over({ page, why, notes }: { page: Page; why: ByeWhy; notes: Notes }) {
  const unsaved = page.subjects.filter((subject) => notes.of(subject.id).state.is !== "saved" && notes.of(subject.id).text);
  const elsewhere = why === "taken_over" || why === "elsewhere";
  const text = elsewhere ? ELSEWHERE[why] : why === "removed" ? "You are no longer part of this visit." : "The visit is over.";
  return (
    <div class="th-wrap th-main">
      <h1 class="th-h1">Video visit</h1>
      <p role="status">{text}</p>
      {elsewhere && (
        <p>
          <button type="button" class="th-big-button" onClick={goOnHere}>
            Go on here
          </button>
        </p>
      )}
      {unsaved.map((subject) => (
        <section key={subject.id} class="th-card" role="alert">
          <h2 class="th-h3">Notes on {subject.name} that are not saved yet</h2>
          <p>{why === "ended" ? "The visit was ended without them. Copy what you need into the record." : "It is tried again while this page is open. Copy what you need into the record."}</p>
          <textarea class="nhsuk-textarea th-notes__text" aria-label={`Notes on ${subject.name} that are not saved yet`} rows={6} readOnly value={notes.of(subject.id).text} />
        </section>
      ))}
      {why === "ended" && (
        <p>
          <a href={`/visits/${page.visit.id}`}>What was written into the record</a>
        </p>
      )}
      <p>
        <a href={`/wards/${page.ward.id}/visits`}>Visits of {page.ward.name}</a>
      </p>
    </div>
  );
}

const data = document.getElementById("consultation-data");
const root = document.getElementById("consultation");
if (data && root) {
  const page = JSON.parse(data.textContent ?? "") as Page;
  root.replaceChildren();
  focus.keep(root);
  render(<ConsultationIsland {...page} />, root);
}
