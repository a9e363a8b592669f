// The video as staff have it: the stage or the way in, captions, and what they do about picture and sound.
import { Component } from "preact";

import type { Call } from "./call";
import { CaptionField, Captions } from "./captions";
import { Devices } from "./devices";
import { Switch } from "./guestroom";
import type { Subject } from "./messages";
import { Problem } from "./problem";
import { Recording } from "./recording";
import { Stage } from "./stage";
import * as tones from "./tones";
import * as words from "./words";

interface Props {
  call: Call;
  subject: Subject | null;
  /** What was said last, if it is new. */
  said: string;
  end: string;
  zone: string;
  recordingDays: number;
  may: (action: string) => boolean;
  act: (action: string, body: object, said: string) => Promise<boolean>;
  onLeave: () => void;
  onEnd: () => void;
}

/** captions: whether they are shown; null: whenever somebody writes them. */
export class StaffPane extends Component<Props, { captions: boolean | null }> {
  override state: { captions: boolean | null } = { captions: null };

  private get captions(): boolean {
    return this.state.captions ?? (this.props.call.state?.visit.captions.length ?? 0) > 0;
  }

  private entrance() {
    const { call, subject } = this.props;
    return (
      <div class="th-stage th-stage--staff">
        <p class="th-stage__empty">
          {call.state ? (
            <>
              You are not in the visit yet. {subject && <>It is about {subject.name}.</>}
              <br />
              <button type="button" class="th-big-button" onClick={() => void this.join()}>
                Join the visit
              </button>
            </>
          ) : (
            "Connecting…"
          )}
        </p>
      </div>
    );
  }

  private join(): Promise<void> {
    void tones.allow();
    return this.props.call.join();
  }

  private controls() {
    const { call, end, onLeave, onEnd } = this.props;
    const { peer, me } = call;
    return (
      <div class="th-controls" role="group" aria-label="Your picture and sound">
        <Switch on={call.sends("audio")} name="Microphone" icon="microphone" onClick={() => void call.setAudio(!call.sends("audio"))} />
        <Switch on={call.sends("video")} name="Camera" icon="camera" onClick={() => void call.setVideo(!call.sends("video"))} />
        {peer && (
          <>
            {Devices.canShare && (
              <button type="button" class="th-plain-button" aria-pressed={call.devices.screen !== null} onClick={() => void call.setScreen(call.devices.screen === null)}>
                {call.devices.screen ? "Stop showing my screen" : "Show my screen"}
              </button>
            )}
            <button type="button" class="th-plain-button" aria-pressed={Boolean(me?.hand_at)} onClick={() => call.hand(!me?.hand_at)}>
              {me?.hand_at ? "Take my hand down" : "Raise my hand"}
            </button>
          </>
        )}
        <button type="button" class="th-plain-button" aria-pressed={this.captions} onClick={() => this.setState({ captions: !this.captions })}>
          Captions
        </button>
        {peer && (
          <button type="button" class="th-plain-button" onClick={onLeave}>
            Leave, visit goes on
          </button>
        )}
        {/* In a tab of its own: the call goes on until what came of it is written down. */}
        <a class="th-plain-button th-plain-button--end" href={end} target="_blank" rel="noopener" onClick={onEnd}>
          End the visit… <span class="nhsuk-u-visually-hidden">(in a new tab)</span>
        </a>
      </div>
    );
  }

  override render() {
    const { call, said, zone, recordingDays, may, act } = this.props;
    return (
      <section class="th-video-pane" aria-label="Video">
        <p class="th-said" aria-hidden="true">
          {said || standing(call)}
        </p>
        {call.state && <Recording call={call} possible={may("record")} days={recordingDays} zone={zone} act={act} />}
        {call.refused && (
          <p class="th-notice th-notice--failed" role="alert">
            {call.refused.why}
          </p>
        )}
        {call.peer ? <Stage call={call} shortest={may("admit")} /> : this.entrance()}
        {call.peer && <Problem call={call} />}
        {this.captions && <Captions call={call} none="Nobody writes captions at the moment." />}
        {this.captions && may("caption") && <CaptionField key={`captions-${call.state?.visit.subject?.id ?? 0}`} call={call} id="staff-caption" />}
        {this.controls()}
      </section>
    );
  }
}

function standing(call: Call): string {
  const visit = call.state?.visit;
  if (!visit) return "";
  const waiting = visit.people.filter((person) => person.presence === "waiting" && person.role !== "staff").length;
  const parts = [
    call.others.length ? `In the visit with you: ${words.list(call.others.map((person) => person.name))}.` : "",
    waiting ? `${waiting} ${waiting === 1 ? "waits" : "wait"} to be let in.` : "",
  ];
  return parts.filter(Boolean).join(" ");
}
