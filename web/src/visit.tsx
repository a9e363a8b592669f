// A guest's visit: device check, waiting room, the room itself, goodbye. For people who have never done this before:
// one thing at a time, plain words, three buttons.
import { Component, render } from "preact";

import { Awake } from "./call/awake";
import { Call } from "./call/call";
import { Chat } from "./call/chat";
import { DeviceCheck } from "./call/check";
import { Goodbye, Left } from "./call/goodbye";
import { GuestRoom } from "./call/guestroom";
import * as focus from "./call/focus";
import type { ByeWhy, Role } from "./call/messages";
import * as tones from "./call/tones";
import { Waiting } from "./call/waitingroom";

interface Page {
  visit: { link: number | string; ward: string; starts_at: string | null; minutes: number | null; zone: string; role: Role; name: string; ws: string; recording_days: number };
  stage: "birth" | "room" | "bye";
  bye: ByeWhy | null;
  now: string;
}

interface State {
  version: number;
  /** When the ward rang, clinical ms. */
  rung: number | null;
  left: boolean;
}

const TITLES: Record<string, string> = { check: "Get ready", waiting: "Waiting room", room: "In the visit", left: "Left the visit", bye: "Visit over" };

/** Clinical time carried on from the page's first moment. */
function clock(now: string): () => number {
  const [first, began] = [Date.parse(now), Date.now()];
  return () => first + Date.now() - began;
}

class VisitIsland extends Component<Page, State> {
  override state: State = { version: 0, rung: null, left: false };
  private now = clock(this.props.now);
  private told: string | null = null;
  private awake = new Awake();
  private call = new Call(
    this.props.visit.ws,
    {
      changed: () => this.setState((state) => ({ version: state.version + 1 })),
      state: (now, before) => {
        const inside = now.you.presence === "admitted" || now.you.presence === "joined";
        const was = before?.you.presence === "admitted" || before?.you.presence === "joined";
        if (before && inside && !was) tones.ring();
        if (before?.you.presence !== now.you.presence) this.setState({ rung: null });
        // Away for so long that the place was given up: back to the waiting room, without the check again.
        if (now.you.presence === "left" && !this.state.left) this.call.readyAgain();
      },
      ring: () => {
        tones.ring();
        this.setState({ rung: this.now() });
      },
      bye: () => this.setState({ rung: null }),
    },
    () => location.reload(),
    true,
  );

  override componentDidMount(): void {
    this.call.start();
    window.setInterval(() => this.setState((state) => ({ version: state.version + 1 })), 5_000);
  }

  override componentDidUpdate(): void {
    const stage = this.stage();
    if (stage === this.told) return;
    this.awake.want(stage === "check" || stage === "waiting" || stage === "room");
    const first = this.told === null;
    this.told = stage;
    document.documentElement.classList.toggle("is-in-call", stage === "room");
    document.title = `${TITLES[stage] ?? "Video visit"} – ${this.props.visit.ward}`;
    // A new page, as it were: whoever hears the screen hears where they are now.
    if (!first) document.querySelector<HTMLElement>("#visit h1")?.focus();
  }

  private stage(): string {
    const { call } = this;
    if (call.bye) return "bye";
    if (!call.state) return "loading";
    if (this.state.left) return "left";
    if (call.state.you.presence === "removed") return "bye";
    if (call.state.you.presence === "checking" || call.state.you.presence === "left") return "check";
    return call.mayBeIn ? "room" : "waiting";
  }

  override render() {
    const { call } = this;
    const { visit } = this.props;
    const stage = this.stage();
    const broken = !call.connected && call.state !== null && !call.bye;
    return (
      <div class={`th-visit th-visit--${stage}`}>
        {broken && stage !== "room" && (
          <p class="th-visit__broken" role="alert">
            The connection is interrupted. We are trying to reconnect. You keep your place.
          </p>
        )}
        {call.refused && stage !== "room" && (
          <p class="th-plain-note" role="alert">
            {call.refused.why}
          </p>
        )}
        {stage === "loading" && <p role="status">Connecting…</p>}
        {stage === "check" && <DeviceCheck call={call} onReady={(check, reason) => call.ready(check, reason)} />}
        {stage === "waiting" && <Waiting call={call} visit={visit} now={this.now()} rung={this.state.rung} />}
        {stage === "room" && <GuestRoom call={call} recordingDays={visit.recording_days} zone={visit.zone} role={visit.role} onLeave={() => this.leave()} chat={<Chat call={call} zone={visit.zone} hint="Write to everybody in the visit" id="chat" plain />} />}
        {stage === "left" && <Left ward={visit.ward} onBack={() => location.reload()} />}
        {stage === "bye" && <Goodbye why={call.bye ?? "removed"} ward={visit.ward} kind={call.state?.visit.kind ?? null} />}
      </div>
    );
  }

  private leave(): void {
    this.call.leave();
    this.call.finish();
    this.setState({ left: true });
  }
}

const data = document.getElementById("visit-data");
const root = document.getElementById("visit");
if (data && root) {
  const page = JSON.parse(data.textContent ?? "") as Page;
  if (page.stage === "room") {
    root.textContent = "";
    focus.keep(root);
    render(<VisitIsland {...page} />, root);
  }
}
