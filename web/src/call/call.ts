// One person's part in a visit: the socket, what the server says of the visit, the own devices and the media. Screens
// show what is here and ask for what is here; they keep nothing of it themselves.
import { Devices } from "./devices";
import type { Sort } from "./devices";
import type { ByeWhy, Check, FromServer, Person, StateMessage } from "./messages";
import { Peer } from "./peer";
import * as keys from "./key";
import { CallSocket } from "./socket";

const RETRY_OFFER_MS = 3_000;
const REFUSED_SHOWN_MS = 10_000;

export interface Pending {
  key: string;
  text: string;
  to: number | null;
  /** Whose turn it was: the room of the next resident never reads it. */
  about: number | null;
  /** The newest message when it was written. */
  after: number;
  /** The server does not take it: shown, so that nobody has to write it anew from memory. */
  refused: boolean;
}

export interface CallEvents {
  /** Something is to be drawn anew. */
  changed(): void;
  state?(now: StateMessage, before: StateMessage | null): void;
  /** The service is heard again. */
  back?(): void;
  ring?(): void;
  bye?(why: ByeWhy): void;
}

export class Call {
  state: StateMessage | null = null;
  connected = false;
  /** ms of the monotonic clock since when the socket is lost. */
  lostSince: number | null = null;
  bye: ByeWhy | null = null;
  refused: { about: string; why: string } | null = null;
  speaking: number | null = null;
  pending: Pending[] = [];
  peer: Peer | null = null;
  /** What the person has switched on; a device may still be missing. */
  wants = { audio: true, video: true };
  private inside = false;
  private joining = false;
  /** The next state is the first on its connection: what was said meanwhile may not have arrived. */
  private fresh = true;
  /** What was answered to which question about recording; null: the server has it. */
  private answered: { recording: boolean; ask: number | null } | null = null;
  private refusedTimer: number | undefined;
  private retryTimer: number | undefined;
  private readonly socket: CallSocket;
  readonly devices = new Devices((lost) => this.deviceChanged(lost));

  constructor(
    path: string,
    private readonly events: CallEvents,
    onOver: (signIn: boolean) => void,
    /** Guests go in as soon as they are let in; staff by their own button. */
    private readonly goesInByItself: boolean,
  ) {
    this.socket = new CallSocket(path, (message) => this.take(message), (open) => this.opened(open), onOver);
  }

  start(): void {
    this.socket.start();
    addEventListener("pagehide", () => this.peer?.close());
    // Brought back by the browser as it was left: its connections are gone.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  get me(): Person | null {
    const id = this.state?.you.participant;
    return this.state?.visit.people?.find((person) => person.id === id) ?? null;
  }

  get mayBeIn(): boolean {
    const presence = this.state?.you.presence;
    return presence === "admitted" || presence === "joined";
  }

  /** Everybody inside but me, the nearest first in every list. */
  get others(): Person[] {
    const id = this.state?.you.participant;
    return (this.state?.visit.people ?? []).filter((person) => person.id !== id && person.presence === "joined");
  }

  // What the person does ---------------------------------------------------------------------------

  ready(check: Check, reason: string): void {
    this.said = { check, reason };
    this.socket.send({ t: "ready", check, reason });
  }

  /** Back in the waiting room after a break that the ward took for leaving; false: the check has to be done first. */
  readyAgain(): boolean {
    return this.said !== null && this.socket.send({ t: "ready", ...this.said });
  }

  private said: { check: Check; reason: string } | null = null;

  /** Go in: with whatever devices there are. */
  async join(): Promise<void> {
    this.inside = true;
    await this.enter();
  }

  async setAudio(on: boolean): Promise<void> {
    this.wants.audio = on;
    if (on && !this.devices.audio) await this.devices.open(["audio"]);
    this.fit();
  }

  async setVideo(on: boolean): Promise<void> {
    this.wants.video = on;
    if (!on) this.devices.shut("video");
    else await this.devices.open(["video"]);
    this.fit();
  }

  async setScreen(on: boolean): Promise<void> {
    if (on) await this.devices.share();
    else this.devices.shut("screen");
    this.fit();
  }

  async nextCamera(): Promise<void> {
    await this.devices.nextCamera();
    this.fit();
  }

  hand(up: boolean): void {
    this.socket.send({ t: "hand", up });
  }

  /** Yes or no to being recorded: kept until the server has it, and sent again after a break. */
  consent(recording: boolean): void {
    this.answered = { recording, ask: this.state?.visit.recording.ask ?? null };
    this.socket.send({ t: "consent", ...this.answered });
    this.events.changed();
  }

  /** What was answered to the question that is asked now, although the server may not have it yet. */
  get answering(): boolean | null {
    return this.answered?.ask === this.state?.visit.recording.ask ? (this.answered?.recording ?? null) : null;
  }

  /** A line of captions; false: it could not be sent now, and stays where it was typed. */
  write(text: string): boolean {
    return this.socket.send({ t: "caption", key: keys.fresh(), text, about: this.about });
  }

  /** What the buttons show: on, as far as there is a device; before the visit, what will be switched on. */
  sends(sort: Sort): boolean {
    if (!this.peer) return this.wants[sort];
    return this.wants[sort] && this.devices[sort] !== null && !(sort === "audio" && this.me?.muted_by_host);
  }

  may(action: string): boolean {
    return this.state?.you.may.includes(action) ?? false;
  }

  /** Kept until the server has it, and sent again after a break; false: it waits for the connection. */
  say(text: string, to: number | null = null): boolean {
    const key = keys.fresh();
    const after = Math.max(0, ...(this.state?.visit.messages ?? []).map((message) => message.id));
    const about = to === null ? this.about : null;
    this.pending.push({ key, text, to, about, after, refused: false });
    const sent = this.socket.send({ t: "chat", key, text, to, about });
    this.events.changed();
    return sent;
  }

  private get about(): number | null {
    return this.state?.visit.subject?.id ?? null;
  }

  /** Out of the room; the page stays and may go in again. */
  leave(): void {
    this.inside = false;
    this.out();
    this.socket.send({ t: "leave" });
  }

  /** For good. */
  finish(): void {
    this.inside = false;
    this.out();
    this.devices.shutAll();
    this.socket.stop();
  }

  dismiss(): void {
    this.refused = null;
    this.events.changed();
  }

  // What the server says ----------------------------------------------------------------------------

  private opened(open: boolean): void {
    this.connected = open;
    if (open) this.fresh = true;
    this.lostSince = open ? null : (this.lostSince ?? performance.now());
    this.events.changed();
  }

  private take(message: FromServer): void {
    switch (message.t) {
      case "state":
        this.takeState(message);
        break;
      case "answer":
        void this.peer?.answer(message.epoch, message.sdp, message.slots).then(() => this.tellMedia());
        break;
      case "slots":
        if (this.peer?.isOf(message.epoch)) this.peer.bind(message.slots, false);
        break;
      case "rebuild":
        this.peer?.rebuild(message.epoch);
        break;
      case "speaking":
        this.speaking = message.participant;
        break;
      case "ring":
        this.events.ring?.();
        break;
      case "refused":
        this.takeRefusal(message.about, message.why);
        break;
      case "bye":
        this.takeBye(message.why);
        break;
      default:
        break;
    }
    this.events.changed();
  }

  private takeState(state: StateMessage): void {
    const before = this.state;
    this.state = state;
    this.pending = this.pending.filter((one) => !state.visit.messages.some((message) => message.from === state.you.participant && message.id > one.after && (message.key ? message.key === one.key : message.text === one.text)));
    const again = this.fresh;
    this.fresh = false;
    this.settle(state);
    this.sayAgain(state, again);
    if (this.goesInByItself && this.mayBeIn) this.inside = true;
    if (!this.mayBeIn && this.goesInByItself) this.inside = false;
    if (this.inside) void this.enter();
    else this.out();
    this.peer?.relays(state.you.ice_servers);
    this.peer?.crowd(this.others.length + 1);
    this.peer?.rest(this.me?.weak?.up ?? false);
    const epoch = state.visit.room?.epoch;
    if (this.peer && epoch !== undefined && this.peer.isBehind(epoch)) this.peer.rebuild(epoch);
    else if (again) this.peer?.hurry();
    if (again) this.tellMedia();
    this.fit();
    this.events.state?.(state, before);
    if (again && before) this.events.back?.();
  }

  /** The server has what was answered, or asks something else by now. */
  private settle({ visit }: StateMessage): void {
    const { answered } = this;
    if (answered && ((this.me?.consent ?? null) === answered.recording || answered.ask !== visit.recording.ask)) this.answered = null;
  }

  /** What was said while there was no connection, or was on its way when it broke. fresh: there is a new one. */
  private sayAgain({ you, visit }: StateMessage, fresh: boolean): void {
    // What was written in the turn before is sent a last time, in case it got lost, and then not shown any more.
    const isOver = (one: Pending) => one.about !== null && one.about !== this.about && visit.kind !== "group";
    for (const { key, text, to, about } of this.pending.filter((one) => !one.refused && (fresh || isOver(one)))) this.socket.send({ t: "chat", key, text, to, about });
    this.pending = this.pending.filter((one) => !isOver(one));
    if (!fresh) return;
    if (this.answered) this.socket.send({ t: "consent", ...this.answered });
    if (you.presence === "checking") this.readyAgain();
  }

  private takeRefusal(about: string, why: string): void {
    this.refused = { about, why };
    clearTimeout(this.refusedTimer);
    if (about === "offer" || about === "room") {
      if (this.peer?.state === "up" || this.peer?.state === "reconnecting") this.peer.rebuildLater();
      else {
        this.out();
        if (!this.goesInByItself) this.inside = false;
        else this.retryTimer ??= window.setTimeout(() => this.enterAgain(), RETRY_OFFER_MS);
      }
      return;
    }
    if (about === "chat") this.pending = this.pending.map((one) => ({ ...one, refused: true }));
    if (about === "consent") this.answered = null;
    this.refusedTimer = window.setTimeout(() => this.dismiss(), REFUSED_SHOWN_MS);
  }

  private enterAgain(): void {
    this.retryTimer = undefined;
    if (this.inside) void this.enter();
  }

  private takeBye(why: ByeWhy): void {
    if (why === "service") return;
    this.bye = why;
    this.finish();
    this.events.bye?.(why);
  }

  // Media --------------------------------------------------------------------------------------------

  private async enter(): Promise<void> {
    if (this.peer || this.joining || this.retryTimer !== undefined || !this.state) return;
    this.joining = true;
    try {
      const wanted: Sort[] = [];
      if (this.wants.audio) wanted.push("audio");
      if (this.wants.video) wanted.push("video");
      await this.devices.open(wanted.filter((sort) => !this.devices[sort] && this.devices.found[sort] !== "none"));
      if (!this.inside || this.bye) return;
      const peer = new Peer(this.sending(), this.state.you.ice_servers, {
        offer: (epoch, sdp, restart) => this.socket.send({ t: "offer", epoch, sdp, restart }),
        changed: () => this.peerChanged(),
        stats: (measured) => this.socket.send({ t: "stats", ...measured }),
      });
      this.peer = peer;
      peer.crowd(this.others.length + 1);
      await peer.build(this.state.visit.room?.epoch ?? 0);
      this.events.changed();
    } finally {
      this.joining = false;
    }
  }

  private out(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.peer?.close();
    this.peer = null;
    this.events.changed();
  }

  private peerChanged(): void {
    if (this.peer?.state === "up" && (this.refused?.about === "offer" || this.refused?.about === "room")) this.refused = null;
    this.events.changed();
  }

  private deviceChanged(lost: Sort | "screen" | null): void {
    this.hush();
    if (lost !== null) this.fit();
    this.events.changed();
  }

  /** Before anything of it can be heard: a microphone that was opened for somebody who has switched it off meanwhile. */
  private hush(): void {
    if (this.devices.audio) this.devices.audio.enabled = this.wants.audio && !this.me?.muted_by_host;
  }

  private sending() {
    return { audio: this.devices.audio, video: this.devices.video, screen: this.devices.screen };
  }

  private told = "";

  /** What is sent follows what is wanted and what there is; the others are told. */
  private fit(): void {
    const { audio, video, screen } = this.devices;
    this.hush();
    for (const [source, track] of [["audio", audio], ["video", video], ["screen", screen]] as const) {
      if (this.peer && this.peer.tracks[source] !== track) void this.peer.replace(source, track);
    }
    this.tellMedia(true);
    this.events.changed();
  }

  private tellMedia(onlyNew = false): void {
    if (!this.peer || !this.mayBeIn) return;
    const media = { audio: this.wants.audio && this.devices.isLive("audio"), video: this.devices.isLive("video"), screen: this.devices.screen !== null };
    const text = JSON.stringify(media);
    if (onlyNew && this.told === text) return;
    if (this.socket.send({ t: "media", ...media })) this.told = text;
  }
}
