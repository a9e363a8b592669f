// Before the waiting room: does this device work? Each answer in plain words, with what to do. Nobody is kept out:
// the ward sees what did not work, and can telephone.
import { Component } from "preact";

import type { Call } from "./call";
import { Devices, loudness } from "./devices";
import { Own } from "./media";
import type { Check } from "./messages";
import * as tones from "./tones";

const RELAY_MS = 5_000;
const SLOW_BITS = 300_000;
const SLOW_MS = 1_500;
const HEARD_LEVEL = 0.08;

interface Props {
  call: Call;
  onReady: (check: Check, reason: string) => void;
}

interface State {
  started: boolean;
  asking: boolean;
  /** The test sound was started. */
  played: boolean;
  level: number;
  heard: boolean;
  speaker: Check["speaker"] | null;
  network: Check["network"] | null;
  relay: Check["relay"] | null;
  reason: string;
}

const CAMERA: Record<Check["camera"], string> = {
  ok: "Your camera works. This is what the ward will see.",
  none: "No camera was found. You can go on without one: the ward will hear you but not see you.",
  refused: "This page was not allowed to use your camera. Tap the sign at the left of the address at the top of the screen, choose Allow, and then tap Try again. Or go on without a picture.",
  failed: "The camera did not start. Another app may be using it: close that app, and tap Try again. Or go on without a picture.",
};

const MICROPHONE: Record<Check["microphone"], string> = {
  ok: "Your microphone is on. Say something: the bar should move.",
  none: "No microphone was found. The ward will not hear you. If you can, use another phone or tablet, or plug in a headset and tap Try again.",
  refused: "This page was not allowed to use your microphone, so nobody could hear you. Tap the sign at the left of the address at the top of the screen, choose Allow, and then tap Try again.",
  failed: "The microphone did not start. Another app may be using it: close that app, and tap Try again.",
};

const IMPOSSIBLE = "This browser cannot use a camera or a microphone. You can go on: the ward sees that, and can telephone you. Or ask the ward to let you in with another browser.";

export class DeviceCheck extends Component<Props, State> {
  override state: State = { started: false, asking: false, played: false, level: 0, heard: false, speaker: null, network: null, relay: null, reason: "" };
  private quiet: (() => void) | null = null;
  private listened: MediaStreamTrack | null = null;

  override componentWillUnmount(): void {
    this.quiet?.();
  }

  private start = async (): Promise<void> => {
    this.setState({ started: true, asking: true });
    const sound = tones.allow();
    void this.tryNetwork();
    void this.tryRelay();
    const { devices } = this.props.call;
    await devices.open(["audio", "video"]);
    this.setState({ asking: false });
    this.listen();
    if (await sound) this.play();
    else this.setState({ speaker: "failed" });
  };

  private play(): void {
    tones.test();
    this.setState({ played: true, speaker: this.state.speaker === "failed" ? null : this.state.speaker });
  }

  private playAgain = async (): Promise<void> => {
    if (await tones.allow()) this.play();
    else this.setState({ speaker: "failed" });
  };

  private listen(): void {
    const track = this.props.call.devices.audio;
    if (track === this.listened) return;
    this.quiet?.();
    this.listened = track;
    this.quiet = track && loudness(track, (level) => this.setState({ level, heard: this.state.heard || level > HEARD_LEVEL }));
  }

  /** How fast a file of our own comes: that is the way the call will take, too. */
  private async tryNetwork(): Promise<void> {
    const file = document.querySelector<HTMLLinkElement>("link[rel=stylesheet]")?.href;
    if (!file) return;
    this.setState({ network: null });
    try {
      const began = performance.now();
      const answer = await fetch(file, { cache: "no-store" });
      const first = performance.now() - began;
      // It comes packed, at about an eighth of its length: a bit for each byte here.
      const bits = (await answer.arrayBuffer()).byteLength;
      const seconds = Math.max(0.001, (performance.now() - began) / 1000);
      this.setState({ network: first > SLOW_MS || bits / seconds < SLOW_BITS ? "slow" : "ok" });
    } catch {
      this.setState({ network: "failed" });
    }
  }

  private async tryRelay(): Promise<void> {
    const iceServers = this.props.call.state?.you.ice_servers ?? [];
    if (!iceServers.length) {
      this.setState({ relay: "not_tried" });
      return;
    }
    const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
    const works = await new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), RELAY_MS);
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.type === "relay") resolve(true);
      };
      connection.createDataChannel("check");
      connection.setLocalDescription().catch(() => resolve(false));
    });
    connection.close();
    this.setState({ relay: works ? "ok" : "failed" });
  }

  private go = (event: Event): void => {
    event.preventDefault();
    const { devices } = this.props.call;
    const { speaker, network, relay, reason } = this.state;
    this.props.onReady(
      {
        camera: devices.found.video ?? "failed",
        microphone: devices.found.audio ?? "failed",
        speaker: speaker ?? "not_heard",
        network: network ?? "slow",
        relay: relay ?? "not_tried",
      },
      reason.trim().slice(0, 200),
    );
  };

  private sound() {
    const { speaker, played } = this.state;
    if (speaker === "ok") {
      return (
        <Step title="Sound" good waiting={false}>
          <p>Your sound works.</p>
        </Step>
      );
    }
    return (
      <Step title="Sound" good={false} waiting={speaker === null}>
        <p>{soundWords(speaker, played)}</p>
        <p class="th-choices">
          <button type="button" class="th-choice" onClick={() => this.setState({ speaker: "ok" })}>
            Yes, I heard them
          </button>
          <button type="button" class="th-choice" onClick={() => this.setState({ speaker: "not_heard" })}>
            No
          </button>
          <button type="button" class="th-choice" onClick={() => void this.playAgain()}>
            Play again
          </button>
        </p>
      </Step>
    );
  }

  private internet() {
    const { network, relay } = this.state;
    const waiting = network === null || relay === null;
    return (
      <Step title="Internet" good={network === "ok" && relay !== "failed"} waiting={waiting}>
        {network === "ok" && !waiting && relay !== "failed" && <p>Your connection is good enough.</p>}
        {network === "slow" && <p>Your connection is slow. Move closer to the box that gives you Wi-Fi, or stop other things that use it. You can go on: if it does not carry the picture, the sound still works.</p>}
        {network === "failed" && <p>Your connection does not work at the moment. Is the Wi-Fi on?</p>}
        {network !== "failed" && relay === "failed" && <p>The way for picture and sound is blocked on this network. It may still work; if not, use another Wi-Fi or your phone's own connection.</p>}
      </Step>
    );
  }

  private before() {
    return (
      <>
        <h1 class="th-plain-h1" tabIndex={-1}>
          Get ready for your visit
        </h1>
        <p>First we see whether your camera, your microphone and your sound work.</p>
        <p>Your browser will ask whether this page may use them. Please choose <strong>Allow</strong>.</p>
        <button type="button" class="th-big-button" onClick={() => void this.start()}>
          Start the check
        </button>
      </>
    );
  }

  override render() {
    const { call } = this.props;
    const { started, asking, level, heard, reason } = this.state;
    const { video, audio } = call.devices.found;
    if (!started) return this.before();
    const wrong = video !== "ok" || audio !== "ok";
    return (
      <>
        <h1 class="th-plain-h1" tabIndex={-1}>
          Get ready for your visit
        </h1>
        {!Devices.possible && <p class="th-plain-note">{IMPOSSIBLE}</p>}
        {asking && (
          <p role="status" class="th-plain-note">
            Your browser is asking whether this page may use your camera and microphone. Please choose <strong>Allow</strong>.
          </p>
        )}
        <p class="nhsuk-u-visually-hidden" role="status">
          {!asking && video && audio && `Camera: ${video === "ok" ? "works" : "does not work"}. Microphone: ${audio === "ok" ? "on" : "does not work"}.`}
        </p>
        <ol class="th-check">
          <Step title="Camera" good={video === "ok"} waiting={video === null}>
            {video && Devices.possible && <p>{CAMERA[video]}</p>}
            {video === "ok" && <Own track={call.devices.video} />}
          </Step>
          <Step title="Microphone" good={audio === "ok"} waiting={audio === null}>
            {audio && Devices.possible && <p id="level-words">{audio === "ok" && heard ? "Your microphone works: we can hear you." : MICROPHONE[audio]}</p>}
            {audio === "ok" && <meter class="th-level-meter" min={0} max={1} value={level} aria-labelledby="level-words" />}
          </Step>
          {this.sound()}
          {this.internet()}
        </ol>
        {wrong && !asking && (
          <button type="button" class="th-choice" onClick={() => void this.start()}>
            Try again
          </button>
        )}
        <form onSubmit={this.go} class="th-check__go">
          <label for="reason">
            What would you like to talk about? <span class="th-quiet">You can leave this empty.</span>
          </label>
          <input id="reason" class="nhsuk-input" maxLength={200} value={reason} autocomplete="off" onInput={(event) => this.setState({ reason: event.currentTarget.value })} />
          <button class="th-big-button">{wrong && !asking ? "Go on anyway to the waiting room" : "Go to the waiting room"}</button>
        </form>
      </>
    );
  }
}

function soundWords(speaker: Check["speaker"] | null, played: boolean): string {
  if (speaker === "failed") return "This browser plays no sound at the moment. Tap Play again.";
  if (speaker === "not_heard") return "Turn the volume up, or take out headphones that nobody wears. Then tap Play again.";
  return played ? "We have played three notes. Did you hear them?" : "You will hear three notes.";
}

function Step({ title, good, waiting, children }: { title: string; good: boolean; waiting: boolean; children: preact.ComponentChildren }) {
  const sign = waiting ? "" : good ? "✓" : "!";
  return (
    <li class={`th-check__step${waiting ? "" : good ? " is-good" : " is-wrong"}`}>
      <span class="th-check__sign" aria-hidden="true">
        {sign}
      </span>
      <div>
        <h2 class="th-check__title">
          {title}
          <span class="nhsuk-u-visually-hidden">{waiting ? "" : good ? ": works" : ": look at this"}</span>
        </h2>
        {children}
      </div>
    </li>
  );
}
