// Recording, in words: the question, the same for everybody, and why a recording stopped.
import { Component } from "preact";

import type { Call } from "./call";
import type { Visit } from "./messages";
import * as words from "./words";

interface Props {
  call: Call;
  /** How long a recording is kept. */
  days: number;
}

/** Off with it. Until the server has heard, the page says so, for a recording goes on until then. */
export function Withdraw({ call, label }: { call: Call; label: string }) {
  const sending = call.answering === false;
  return (
    <button type="button" class="th-choice th-choice--small" aria-disabled={sending} onClick={() => sending || call.consent(false)}>
      {sending ? "Being sent…" : label}
    </button>
  );
}

/** Asked once for each recording: whoever agreed to an earlier one is asked again. */
export class Consent extends Component<Props> {
  private answer(yes: boolean): void {
    this.props.call.consent(yes);
  }

  override render() {
    const { call, days } = this.props;
    const recording = call.state?.visit.recording;
    const given = call.me?.consent ?? null;
    if (!recording?.asked || recording.on || !call.mayBeIn) return null;
    if (given) {
      return (
        <p class="th-plain-note">
          You have agreed to be recorded. Recording begins when everybody has agreed.{" "}
          <Withdraw call={call} label="Do not record me" />
        </p>
      );
    }
    if (given !== null) return null;
    if (call.answering !== null) {
      return (
        <p class="th-plain-note" role="status">
          Your answer is being sent: {call.answering ? "you may be recorded" : "do not record me"}.
        </p>
      );
    }
    return (
      <section class="th-consent" role="dialog" aria-labelledby="consent" aria-describedby="consent-text">
        <p class="nhsuk-u-visually-hidden" role="alert">
          The ward asks whether it may record this visit.
        </p>
        <h2 class="th-plain-h2" id="consent">
          May we record this visit?
        </h2>
        <p id="consent-text">
          The ward would like to keep the picture and the sound of this visit. Our computer passes them on and can see and hear them while it does, also when nothing is recorded. If you say yes, what you say and show, and what you share of your screen, is kept there, locked, for {days === 1 ? "one day" : `${days} days`}. Staff who watch it must say why. You can say no: nothing changes in your care. You can stop it at any time. Your answer is for this recording only.
        </p>
        <p class="th-choices">
          <button type="button" class="th-choice" onClick={() => this.answer(true)}>
            Yes, you may record
          </button>
          <button type="button" class="th-choice" onClick={() => this.answer(false)}>
            No, do not record
          </button>
        </p>
      </section>
    );
  }
}

type Why = NonNullable<Visit["recording"]["stopped"]>;

const WHY: Record<string, string> = {
  withdrawn: "because somebody does not agree any more",
  newcomer: "because somebody new has come in, who had not been asked",
  refused: "because somebody said no",
  switched: "because the visit went on to another resident",
  stopped: "because the ward ended it",
  nobody: "because nobody was in the visit any more",
  "cannot be written": "because it cannot be kept at the moment",
  "not possible": "because it cannot be kept at the moment",
  "no longer written": "because it cannot be kept at the moment",
};

/** With the time, so that it stays true for as long as it stands there. */
export function stoppedText(stopped: Why, zone: string): string {
  const why = WHY[stopped.why] ?? "";
  const at = words.plainTime(Date.parse(stopped.at), zone);
  if (stopped.began) return `The recording stopped at ${at}${why && `, ${why}`}. Nothing is recorded now.`;
  return `This visit is not recorded${why && `, ${why}`}.`;
}

const READ_KEY = "telehealth.visit.stopped";

/** Until it is read in this tab, or everybody is asked again. */
export class Stopped extends Component<{ call: Call; zone: string; staff?: boolean }, { read: string | null }> {
  override state: { read: string | null } = { read: kept() };

  private markRead(which: string): void {
    this.setState({ read: which });
    try {
      sessionStorage.setItem(READ_KEY, which);
    } catch {
      // Then it is shown again when the page is loaded again.
    }
  }

  override render() {
    const { call, zone, staff } = this.props;
    const stopped = call.state?.visit.recording.stopped ?? null;
    const shown = stopped !== null && stopped.at + stopped.why !== this.state.read;
    const full = staff && stopped && /written|possible/.test(stopped.why);
    return (
      <div role="status">
        {stopped && shown && (
          <p class={staff ? "th-notice" : "th-plain-note"}>
            {stoppedText(stopped, zone)}
            {full && " The disk for recordings may be full, or a recording's place or key missing: tell whoever looks after the service."}{" "}
            <button type="button" class={staff ? "th-plain-button" : "th-choice th-choice--small"} onClick={() => this.markRead(stopped.at + stopped.why)}>
              OK<span class="nhsuk-u-visually-hidden">, I have read that the recording stopped</span>
            </button>
          </p>
        )}
      </div>
    );
  }
}

function kept(): string | null {
  try {
    return sessionStorage.getItem(READ_KEY);
  } catch {
    return null;
  }
}
