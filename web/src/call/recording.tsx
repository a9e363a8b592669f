// Recording as staff see it: asked for, agreed to by everybody in the visit, running, stopped.
import type { Call } from "./call";
import { Consent, Stopped } from "./consent";
import * as words from "./words";

interface Props {
  call: Call;
  /** Whether it may be asked for on this ward. */
  possible: boolean;
  /** How long it would be kept. */
  days: number;
  zone: string;
  act: (action: string, body: object, said: string) => Promise<boolean>;
}

export function Recording({ call, possible, days, zone, act }: Props) {
  const visit = call.state?.visit;
  if (!visit) return null;
  const { on, asked } = visit.recording;
  // Whoever was let in and is cut off comes back by themselves, so they are asked as well.
  const present = visit.people.filter((person) => person.presence === "joined" || person.presence === "admitted");
  const open = present.filter((person) => person.consent !== true);
  const against = present.filter((person) => person.consent === false);
  const gone = open.filter((person) => person.away);
  const me = call.me;
  if (on) {
    return (
      <p class="th-recording" role="status">
        <span aria-hidden="true">●</span> Recording: everybody has agreed.{" "}
        <button type="button" class="th-plain-button" onClick={() => void act("record", { on: false }, "The recording is stopped.")}>
          Stop recording
        </button>
      </p>
    );
  }
  if (!asked) {
    if (!possible || !call.peer) return <Stopped call={call} zone={zone} staff />;
    return (
      <>
        <Stopped call={call} zone={zone} staff />
        <p class="th-recording-ask">
          <button type="button" class="th-plain-button" onClick={() => void act("record", { on: true }, "Everybody in the visit is asked whether it may be recorded.")}>
            Ask to record
          </button>{" "}
          <span class="th-quiet">
            Not recording. {against.length ? `${words.list(against.map((person) => (person.id === me?.id ? "You" : person.name)))} said no. ` : ""}It begins only when everybody in the visit has agreed.
          </span>
        </p>
      </>
    );
  }
  return (
    <>
      <Consent call={call} days={days} />
      <div class="th-notice">
        <p>
          <strong>Not recording yet.</strong> {open.length ? `Waiting for: ${words.list(open.map((person) => (person.id === me?.id ? "you" : `${person.name} (${words.consented(person)})`)))}.` : "Everybody has agreed; starting."}
          {gone.length > 0 && ` ${words.list(gone.map((person) => person.name))} cannot answer now: connection lost. Recording begins when they are back and agree, or have left or are removed.`}
        </p>
        <p class="th-buttons">
          <button type="button" class="th-plain-button" onClick={() => void act("record", { on: false }, "Nobody is asked any more.")}>
            Ask nobody any more
          </button>
        </p>
      </div>
    </>
  );
}
