// The room as residents and their guests see it: one big picture, their own small one, three buttons.
import { Component, createRef } from "preact";
import type { ComponentChildren } from "preact";

import type { Call } from "./call";
import { CaptionField, Captions } from "./captions";
import { Consent, Stopped, Withdraw } from "./consent";
import { Devices } from "./devices";
import { Own, Tile, Voices, WeakLine } from "./media";
import type { Message, Person, Reading, Role, StateMessage } from "./messages";
import { Problem } from "./problem";
import * as words from "./words";

const SPEAKER_STAYS_MS = 2_500;
const READING_SHOWN_MS = 60_000;
const SIZES = ["normal", "large", "largest"] as const;
const SIZE_KEY = "telehealth.visit.size";

interface Props {
  call: Call;
  zone: string;
  role: Role;
  chat: ComponentChildren;
  recordingDays: number;
  onLeave: () => void;
}

interface State {
  more: boolean;
  chat: boolean;
  /** null: whenever somebody writes them. */
  captions: boolean | null;
  cameras: number;
  leaving: boolean;
  /** An interpreter writes captions. */
  writing: boolean;
  size: (typeof SIZES)[number];
}

export class GuestRoom extends Component<Props, State> {
  override state: State = { more: false, chat: false, captions: null, cameras: 0, leaving: false, writing: false, size: "normal" };
  private seenMessages = new Set<number>();
  private leaveButton = createRef<HTMLButtonElement>();
  private shown: { id: number; since: number } | null = null;
  private known: Set<string> | null = null;
  private arrived = new Map<string, number>();

  override componentDidMount(): void {
    void this.props.call.devices.cameras().then((cameras) => this.setState({ cameras: cameras.length }));
    this.haveRead();
    try {
      const kept = localStorage.getItem(SIZE_KEY);
      if (SIZES.includes(kept as State["size"])) this.resize(kept as State["size"]);
    } catch {
      // Then it is normal.
    }
  }

  private messages(): Message[] {
    return this.props.call.state?.visit.messages ?? [];
  }

  private resize(size: State["size"]): void {
    document.documentElement.dataset["text"] = size;
    this.setState({ size });
    try {
      localStorage.setItem(SIZE_KEY, size);
    } catch {
      // Then until the page is closed.
    }
  }

  /** Who is big: a screen that is shown; whoever speaks, once they have for a moment; else staff. */
  private big(others: Person[]): Person | null {
    const screen = others.find((person) => person.screen);
    if (screen) return screen;
    const now = performance.now();
    const present = (id: number | null) => others.find((person) => person.id === id && !(person.pinned && others.length > 1));
    const speaker = present(this.props.call.speaking);
    if (speaker && (this.shown === null || !present(this.shown.id) || now - this.shown.since > SPEAKER_STAYS_MS)) {
      if (this.shown?.id !== speaker.id) this.shown = { id: speaker.id, since: now };
    }
    const kept = present(this.shown?.id ?? null);
    return kept ?? others.find((person) => person.role === "staff") ?? others[0] ?? null;
  }

  /** What has been measured since the page was opened, each for a minute. */
  private reading(readings: Reading[]): Reading | null {
    this.known ??= new Set(readings.map((reading) => reading.key));
    const now = performance.now();
    for (const { key } of readings) if (!this.known.has(key) && !this.arrived.has(key)) this.arrived.set(key, now);
    const fresh = readings.filter(({ key }) => now - (this.arrived.get(key) ?? -READING_SHOWN_MS) < READING_SHOWN_MS);
    return fresh[fresh.length - 1] ?? null;
  }

  override render() {
    const { call, chat, role } = this.props;
    const { more } = this.state;
    const state = call.state;
    if (!state) return null;
    const { peer } = call;
    const down = peer === null || peer.state !== "up";
    return (
      <>
        <h1 class="nhsuk-u-visually-hidden" tabIndex={-1}>
          Your video visit
        </h1>
        <div class="th-room-tops">
          {state.visit.recording.on && (
            <p class="th-recording">
              <span aria-hidden="true">●</span> This visit is being recorded.{" "}
              <Withdraw call={call} label="Stop recording me" />
            </p>
          )}
          <Connection down={down} first={peer === null || peer.state === "connecting"} connected={call.connected} />
        </div>
        <Stopped call={call} zone={this.props.zone} />
        <Consent call={call} days={this.props.recordingDays} />
        {!down && <WeakLine me={call.me} />}
        {call.refused && (
          <p class="th-plain-note" role="alert">
            {call.refused.why}
          </p>
        )}
        <Voices voices={peer?.voices() ?? []} />
        {this.pictures(down)}
        {this.captions && <Captions call={call} none="Nobody writes captions at the moment. Ask the ward." />}
        {call.may("caption") && role === "captioner" && <CaptionField call={call} id="caption" />}
        {this.news(state)}
        {this.three()}
        {this.state.leaving && this.sure()}
        <Problem call={call} />
        <button type="button" class="th-more" aria-expanded={more} onClick={() => this.toggleMore()}>
          {more ? "Less" : "More: write, raise your hand, text size"}
        </button>
        {more && (
          <div class="th-more__panel">
            {this.choices()}
            {this.state.writing && call.may("caption") && <CaptionField call={call} id="caption" />}
            {this.state.chat && chat}
          </div>
        )}
      </>
    );
  }

  private get captions(): boolean {
    return this.state.captions ?? (this.props.role === "captioner" || (this.props.call.state?.visit.captions.length ?? 0) > 0);
  }

  /** One big, an interpreter beside it, and everybody else small. */
  private pictures(down: boolean) {
    const { call } = this.props;
    const { others, peer } = call;
    const big = this.big(others);
    const pinned = others.filter((person) => person.pinned && person !== big);
    // Whoever shows a screen is seen beside it.
    const rest = others.filter((person) => (person !== big || person.screen) && !person.pinned);
    const tile = (person: Person, size?: "big" | "small") => {
      const screen = size === "big" && person.screen;
      return (
        <Tile
          key={`${person.id}-${screen}`}
          person={person}
          size={size}
          screen={screen}
          stream={peer?.streamOf(person.id, screen ? "screen" : "video") ?? null}
          silent={!down && (peer?.silent.has(person.id) ?? false)}
          speaking={call.speaking === person.id}
          weak={call.me?.weak?.down ?? false}
        />
      );
    };
    return (
      <>
        <div class={`th-pictures${pinned.length ? " has-pinned" : ""}`}>
          <div class="th-stage">
            {big ? tile(big, "big") : <p class="th-stage__empty">You are in the visit. Nobody else is here at the moment. Please stay.</p>}
            <Own track={call.devices.video} />
          </div>
          {pinned.map((person) => (
            <div key={person.id} class="th-stage th-stage--pinned">
              {tile(person)}
            </div>
          ))}
        </div>
        {rest.length > 0 && <div class="th-strip">{rest.map((person) => tile(person, "small"))}</div>}
      </>
    );
  }

  /** What has come in: a reading, a message, somebody; and that the ward has muted them. */
  private news({ visit, you }: StateMessage) {
    const { others, me } = this.props.call;
    const reading = this.reading(visit.readings ?? []);
    const unread = this.state.chat ? [] : this.messages().filter((message) => message.from !== you.participant && !this.seenMessages.has(message.id));
    return (
      <>
        <div role="status">
          {reading && (
            <p key={reading.key} class="th-arrived" ref={bringIn}>
              Your reading arrived: <strong>{spoken(reading)}</strong>
            </p>
          )}
        </div>
        <div role="status">
          {unread.slice(-1).map((message) => (
            <p key={message.id} class="th-plain-note" ref={bringIn}>
              <strong>{visit.names?.[message.from ?? 0] ?? "The ward"}</strong> wrote: {message.text}
            </p>
          ))}
        </div>
        <p class="nhsuk-u-visually-hidden" role="status">
          {others.length ? `In the visit with you: ${words.list(others.map((person) => person.name))}.` : ""}
        </p>
        {me?.muted_by_host && <p class="th-plain-note">The ward has turned your microphone off. To speak, open More and raise your hand.</p>}
      </>
    );
  }

  private three() {
    const { call } = this.props;
    return (
      <div class="th-three" role="group" aria-label="Your visit">
        <Switch on={call.sends("audio")} name="Microphone" icon="microphone" disabled={call.me?.muted_by_host ?? false} onClick={() => void call.setAudio(!call.sends("audio"))} />
        <Switch on={call.sends("video")} name="Camera" icon="camera" onClick={() => void call.setVideo(!call.sends("video"))} />
        <button type="button" class="th-three__button th-three__button--leave" ref={this.leaveButton} onClick={() => this.setState({ leaving: true })}>
          <Icon name="leave" />
          Leave
        </button>
      </div>
    );
  }

  private sure() {
    return (
      <div class="th-sure" role="group" aria-labelledby="sure">
        <p id="sure" class="th-plain-big">
          Do you want to leave the visit?
        </p>
        <p class="th-choices">
          <button type="button" class="th-choice" ref={focus} onClick={() => this.setState({ leaving: false }, () => this.leaveButton.current?.focus())}>
            No, stay
          </button>
          <button type="button" class="th-choice" onClick={this.props.onLeave}>
            Yes, leave
          </button>
        </p>
      </div>
    );
  }

  private choices() {
    const { call, role } = this.props;
    const { chat, size, cameras, writing } = this.state;
    const hand = Boolean(call.me?.hand_at);
    const { captions } = this;
    return (
      <p class="th-choices">
        <button type="button" class="th-choice" aria-pressed={hand} onClick={() => call.hand(!hand)}>
          {hand ? "Take your hand down" : "Raise your hand"}
        </button>
        <button type="button" class="th-choice" aria-expanded={chat} onClick={() => this.toggleChat()}>
          {chat ? "Close messages" : "Write a message"}
        </button>
        <button type="button" class="th-choice" aria-pressed={captions} onClick={() => this.setState({ captions: !captions })}>
          Captions {captions ? "on" : "off"}
        </button>
        <button type="button" class="th-choice" onClick={() => this.resize(SIZES[(SIZES.indexOf(size) + 1) % SIZES.length] ?? "normal")}>
          Text size: {size}
        </button>
        {cameras > 1 && call.devices.video && (
          <button type="button" class="th-choice" onClick={() => void call.nextCamera()}>
            Use the other camera
          </button>
        )}
        {role === "interpreter" && call.may("caption") && (
          <button type="button" class="th-choice" aria-expanded={writing} onClick={() => this.setState({ writing: !writing })}>
            {writing ? "Stop writing captions" : "Write captions"}
          </button>
        )}
        {role === "guest_clinician" && Devices.canShare && (
          <button type="button" class="th-choice" aria-pressed={call.devices.screen !== null} onClick={() => void call.setScreen(call.devices.screen === null)}>
            {call.devices.screen ? "Stop showing your screen" : "Show your screen"}
          </button>
        )}
      </p>
    );
  }

  private toggleMore(): void {
    if (this.state.chat) this.haveRead();
    this.setState({ more: !this.state.more, chat: false });
  }

  private haveRead(): void {
    for (const message of this.messages()) this.seenMessages.add(message.id);
  }

  private toggleChat(): void {
    const open = !this.state.chat;
    this.haveRead();
    this.setState({ chat: open }, () => open && document.getElementById("chat")?.focus());
  }
}

function focus(element: HTMLElement | null): void {
  element?.focus();
}

/** What is new, out from under the buttons; nobody who types is taken away from there. */
function bringIn(element: HTMLElement | null): void {
  if (!(document.activeElement instanceof HTMLInputElement)) element?.scrollIntoView({ block: "nearest" });
}

/** "oxygen saturation 96 %". */
function spoken(reading: Reading): string {
  const title = reading.title.charAt(0).toLowerCase() + reading.title.slice(1);
  return `${title} ${String(reading.value ?? "not measured")}${reading.unit ? `\u00a0${reading.unit}` : ""}`;
}

/** Honest about both directions: what does not arrive here does not arrive there. */
function Connection({ down, first, connected }: { down: boolean; first: boolean; connected: boolean }) {
  if (!down && connected) return null;
  const text = !down
    ? "You can talk, but messages and buttons do not work at the moment. Reconnecting…"
    : first
      ? "Connecting you to the visit…"
      : "Reconnecting… The others cannot see or hear you at the moment. Please stay: it comes back by itself.";
  return (
    <p class={`th-visit__broken${first && connected ? " is-calm" : ""}`} role="alert">
      {text}
    </p>
  );
}

interface SwitchProps {
  on: boolean;
  name: string;
  icon: "microphone" | "camera";
  disabled?: boolean;
  onClick: () => void;
}

export function Switch({ on, name, icon, disabled, onClick }: SwitchProps) {
  return (
    <button type="button" class={`th-three__button${on ? "" : " is-off"}`} aria-disabled={disabled} onClick={() => disabled || onClick()}>
      <Icon name={icon} crossed={!on} />
      <span>
        {name} is {on ? "on" : "off"}
      </span>
    </button>
  );
}

const SHAPES = {
  microphone: "M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3ZM6 11v1a6 6 0 0 0 12 0v-1M12 18v3",
  camera: "M3 7h12v10H3ZM15 11l6-4v10l-6-4",
  leave: "M4 15c0-7 16-7 16 0l-4 1v-3a10 10 0 0 0-8 0v3Z",
};

function Icon({ name, crossed }: { name: keyof typeof SHAPES; crossed?: boolean }) {
  return (
    <svg class="th-icon" width="32" height="32" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} />
      {crossed && <path d="M3 3l18 18" class="th-icon__cross" />}
    </svg>
  );
}
