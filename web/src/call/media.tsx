// Pictures and voices on the screen.
import { Component, createRef } from "preact";
import type { ComponentChildren } from "preact";

import type { Person } from "./messages";
import * as words from "./words";

interface VideoProps {
  stream: MediaStream | null;
  label: string;
  mirrored?: boolean;
  contain?: boolean;
}

/** Always without sound: voices have elements of their own. */
export class Video extends Component<VideoProps> {
  private element = createRef<HTMLVideoElement>();

  override componentDidMount(): void {
    document.addEventListener("visibilitychange", this.goOn);
    this.attach();
  }

  override componentDidUpdate(): void {
    this.attach();
  }

  override componentWillUnmount(): void {
    document.removeEventListener("visibilitychange", this.goOn);
    if (this.element.current) this.element.current.srcObject = null;
  }

  private attach(): void {
    const video = this.element.current;
    if (!video) return;
    video.muted = true;
    if (video.srcObject === this.props.stream) return;
    video.srcObject = this.props.stream;
    this.goOn();
  }

  /** Also after a telephone call or a locked screen, when browsers have paused what played. */
  private goOn = (): void => {
    const video = this.element.current;
    if (!video?.srcObject || !video.paused || document.hidden) return;
    video.play().catch(() => {
      // It plays as soon as the stream has a picture.
    });
  };

  override render() {
    const { label, mirrored, contain } = this.props;
    return <video ref={this.element} class={`th-video${mirrored ? " is-mirrored" : ""}${contain ? " is-whole" : ""}`} aria-label={label} autoplay playsInline muted disablePictureInPicture />;
  }
}

interface VoicesProps {
  voices: { mid: string; participant: number; stream: MediaStream }[];
}

/** Everybody's voice. Where the browser wants a tap first, a button says so. */
export class Voices extends Component<VoicesProps, { blocked: boolean }> {
  private elements = new Map<string, HTMLAudioElement>();
  override state = { blocked: false };

  override componentDidMount(): void {
    document.addEventListener("visibilitychange", this.goOn);
    this.attach();
  }

  override componentDidUpdate(): void {
    this.attach();
  }

  override componentWillUnmount(): void {
    document.removeEventListener("visibilitychange", this.goOn);
    for (const element of this.elements.values()) element.srcObject = null;
  }

  /** After a telephone call or a locked screen browsers may have paused them. */
  private goOn = (): void => {
    if (!document.hidden) for (const element of this.elements.values()) if (element.paused) this.play(element);
  };

  private attach(): void {
    const wanted = new Map(this.props.voices.map((voice) => [voice.mid, voice.stream]));
    for (const [mid, element] of this.elements) {
      if (wanted.get(mid) === element.srcObject) continue;
      element.srcObject = null;
      this.elements.delete(mid);
    }
    for (const [mid, stream] of wanted) {
      if (this.elements.has(mid)) continue;
      const element = new Audio();
      element.srcObject = stream;
      this.elements.set(mid, element);
      this.play(element);
    }
  }

  private play(element: HTMLAudioElement): void {
    element.play().then(
      () => this.state.blocked && this.setState({ blocked: [...this.elements.values()].some((one) => one.paused) }),
      (error: unknown) => {
        if (error instanceof DOMException && error.name === "NotAllowedError") this.setState({ blocked: true });
      },
    );
  }

  override render() {
    if (!this.state.blocked) return null;
    return (
      <button
        type="button"
        class="th-call-hear"
        onClick={() => {
          this.setState({ blocked: false });
          for (const element of this.elements.values()) this.play(element);
        }}
      >
        Tap here to hear the others
      </button>
    );
  }
}

interface TileProps {
  person: Person;
  stream: MediaStream | null;
  /** Nothing has come from them for some seconds. */
  silent: boolean;
  speaking: boolean;
  /** Our own line does not carry all pictures. */
  weak: boolean;
  screen?: boolean;
  size?: "big" | "small" | undefined;
  children?: ComponentChildren;
}

/** One person: picture or initials, name, and in words what is the matter with them. */
export function Tile({ person, stream, silent, speaking, weak, screen, size, children }: TileProps) {
  const { name } = person;
  const sending = screen ? person.screen : person.video;
  const theirs = person.weak?.up ?? false;
  const shown = stream !== null && sending && !theirs;
  const muted = !person.audio || person.muted_by_host;
  // Whoever sends nothing on purpose is not lost.
  const sends = (person.audio && !person.muted_by_host) || person.video || person.screen;
  const lost = (silent && sends) || person.quality === "lost";
  const speaks = speaking && !lost && !muted;
  return (
    <div class={`th-tile th-tile--${size ?? "middle"}${speaks ? " is-speaking" : ""}${lost ? " is-lost" : ""}`} data-participant={person.id} data-source={screen ? "screen" : "video"}>
      {shown ? (
        <Video key={`${person.id}-${screen ? "s" : "v"}-${stream.id}`} stream={stream} label={screen ? `Screen of ${name}` : `Picture of ${name}`} contain={screen} />
      ) : (
        <p class="th-tile__none">
          <span class="th-tile__initials" aria-hidden="true">
            {words.initials(person.name)}
          </span>
          <span>{sending ? why(theirs, weak, size) : "no picture"}</span>
        </p>
      )}
      {lost && <p class="th-tile__lost">{size === "small" ? "Connection lost" : `${name}: connection lost. They may not hear you. Waiting for them to come back.`}</p>}
      <p class="th-tile__name">
        <span>
          {name}
          {screen && " (screen)"}
        </span>
        {person.hand_at && !screen && <span class="th-tile__sign">hand up</span>}
        {muted && !screen && <span class="th-tile__sign">{person.muted_by_host ? "muted by ward" : "microphone off"}</span>}
        {speaks && <span class="th-tile__sign th-tile__sign--speaks">speaks</span>}
      </p>
      {children}
    </div>
  );
}

/** Why there is no picture although a camera is on. */
function why(theirs: boolean, ours: boolean, size: TileProps["size"]): string {
  if (!theirs && !ours) return "no picture";
  if (size === "small") return "Weak line: sound only";
  return `${theirs ? "Their" : "Your"} line is weak: sound only for now`;
}

/** What a line that is too weak for pictures means for whoever sits here. */
export function WeakLine({ me }: { me: Person | null }) {
  const down = me?.weak?.down ?? false;
  const up = me?.weak?.up ?? false;
  const end = "The pictures come back by themselves.";
  let text = "";
  if (down) text = `Your line is weak: sound only for now. ${end}`;
  else if (up) text = `Your line is weak: the others hear you, but do not see you for now. ${end}`;
  return <div role="status">{text && <p class="th-plain-note">{text}</p>}</div>;
}

/** A picture of the own camera, as in a mirror. */
export class Own extends Component<{ track: MediaStreamTrack | null }> {
  private stream: MediaStream | null = null;
  private track: MediaStreamTrack | null = null;

  override render() {
    if (this.props.track !== this.track) {
      this.track = this.props.track;
      this.stream = this.track ? new MediaStream([this.track]) : null;
    }
    if (!this.stream) return <p class="th-own th-own--none">Your camera is off</p>;
    return (
      <div class="th-own">
        <Video stream={this.stream} label="Your own picture" mirrored />
        <p class="th-own__name">You</p>
      </div>
    );
  }
}
