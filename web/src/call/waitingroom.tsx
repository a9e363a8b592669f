// The waiting room: where one is, what time it is, what the ward says.
import { Component } from "preact";

import type { Call } from "./call";
import { ChatField } from "./chat";
import { Own } from "./media";
import * as tones from "./tones";
import * as words from "./words";

interface Props {
  call: Call;
  visit: { ward: string; starts_at: string | null; zone: string };
  /** Clinical, ms. */
  now: number;
  /** When the ward rang, on the same clock; null: not yet. */
  rung: number | null;
}

const CALLING_MS = 60_000;

function when(now: number, startsAt: string | null, zone: string): string {
  const clock = `It is ${words.plainTime(now, zone)}`;
  if (!startsAt) return `${clock}.`;
  const start = Date.parse(startsAt);
  const late = Math.floor((now - start) / 60_000);
  const at = words.plainTime(start, zone);
  if (late < 1) return `${clock}. Your visit is at ${at}.`;
  return `${clock}. Your visit was to begin at ${at}. We are sorry that you have to wait: the ward knows that you are here.`;
}

export class Waiting extends Component<Props, { mayRing: boolean }> {
  override state = { mayRing: false };

  override componentDidMount(): void {
    // After the check sound is allowed already; after a reload it takes a tap.
    if (navigator.userActivation?.hasBeenActive ?? false) void tones.allow().then((mayRing) => this.setState({ mayRing }));
  }

  override render() {
    const { call, visit, now, rung } = this.props;
    const me = call.state?.you.participant;
    const all = call.state?.visit.messages ?? [];
    const asked = all.some((message) => message.from !== me);
    const notChecked = call.state?.you.identity === "not_checked";
    return (
      <>
        <h1 class="th-plain-h1" tabIndex={-1}>
          You are in the waiting room
        </h1>
        {rung !== null && (
          <p class="th-calling" role="alert">
            {now - rung < CALLING_MS ? "The ward is calling. Please stay here: somebody is about to let you in." : `The ward called at ${words.plainTime(rung, visit.zone)}. Please stay here.`}
          </p>
        )}
        <p class="th-plain-big">Somebody from {visit.ward} will let you in. You do not have to do anything.</p>
        <p class="th-plain-big">{when(now, visit.starts_at, visit.zone)}</p>
        {notChecked && <p class="th-plain-note">We could not check your date of birth. The ward will ask you who you are.</p>}
        <section aria-labelledby="from-ward">
          <h2 class={asked ? "th-plain-h2" : "nhsuk-u-visually-hidden"} id="from-ward">
            From the ward
          </h2>
          <div role="status">
            {all.map((message) => (
              <p key={message.id} class="th-plain-note">
                {message.from === me && <strong>You: </strong>}
                {message.text}
              </p>
            ))}
          </div>
          {call.pending.map((message) => (
            <p key={message.key} class="th-plain-note">
              <strong>You, {message.refused ? "not sent" : "being sent"}: </strong>
              {message.text}
            </p>
          ))}
          {asked && <ChatField call={call} id="answer" hint="Answer the ward" />}
        </section>
        {this.state.mayRing ? (
          <p>This page rings when you are let in. Please keep it open.</p>
        ) : (
          <p>
            <button type="button" class="th-choice" onClick={() => void tones.allow().then((mayRing) => this.setState({ mayRing }, () => tones.test()))}>
              Let this page ring
            </button>{" "}
            Then you hear when you are let in.
          </p>
        )}
        {call.devices.video && <Own track={call.devices.video} />}
      </>
    );
  }
}
