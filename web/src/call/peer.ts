// The media of one person in a visit: one peer connection, one offer. What the others send comes on receiving lines
// ("slots") that are there from the start; the server says whose media each carries, so that nobody who comes or goes
// makes a new offer necessary.
import type { Measured, Slots, Source } from "./messages";
import { lean } from "./sdp";
import * as stats from "./stats";

const AUDIO_SLOTS = 9;
const VIDEO_SLOTS = 10;
const GATHER_MS = 800;
/** After the first address of our own: the server finds the others by what comes from them. */
const MORE_ADDRESSES_MS = 120;
const LOOK_MS = 500;
/** While nothing comes: a dead path is to be noticed within DEAD_MS, not up to a LOOK_MS later. */
const LOOK_QUIET_MS = 200;
const QUIET_MS = 1_000;
const STATS_MS = 5_000;
const DEAD_MS = 2_200;
/** With nobody else there only the checks of the path itself are heard, every few seconds. */
const DEAD_ALONE_MS = 8_000;
const RESTART_MS = 3_000;
const REBUILD_LAST_MS = 8_000;
const MOST_BITS = 600_000;
const MANY_PEOPLE = 4;

export type PeerState = "off" | "connecting" | "up" | "reconnecting";

export interface Sending {
  audio: MediaStreamTrack | null;
  video: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
}

export interface PeerEvents {
  offer(epoch: number, sdp: string, restart: boolean): boolean;
  changed(): void;
  stats(measured: Measured): void;
}

/** Whose picture or voice has stopped coming, although it should. */
export type Silent = Set<number>;

interface Line {
  stream: MediaStream;
  kind: string;
  packets: number;
  movedAt: number;
}

export class Peer {
  state: PeerState = "off";
  /** ms since when it has not been up. */
  downSince: number | null = null;
  /** Participants of whom nothing has come for some seconds. */
  silent: Silent = new Set();
  private connection: RTCPeerConnection | null = null;
  private transceivers: Partial<Record<Source, RTCRtpTransceiver>> = {};
  private lines = new Map<string, Line>();
  private slots: Slots = {};
  private epoch = 0;
  private people = 2;
  private resting = false;
  private heard = 0;
  private heardAt = 0;
  private restartedAt: number | null = null;
  /** ms: since when the browser says that its path is lost. */
  private lostAt: number | null = null;
  private rebuilds = 0;
  private rebuildAt: number | null = null;
  private timer: number | undefined;
  private statsAt = 0;
  private statsBefore: stats.Look | null = null;
  /** ms: when there was first a picture to come and a path for it; what comes after counts as waiting for it. */
  private awaitedAt: number | null = null;
  private joinTime: number | null = null;
  private looking = false;
  private lookedAt = 0;
  private networkSort = network()?.type;

  constructor(
    private sending: Sending,
    private iceServers: RTCIceServer[],
    private readonly events: PeerEvents,
  ) {
    addEventListener("online", this.moved);
    network()?.addEventListener("change", this.moved);
  }

  /** A new connection, and its offer to the room of this epoch. */
  async build(epoch: number): Promise<void> {
    this.drop();
    this.epoch = epoch;
    this.restartedAt = null;
    this.set(this.joinTime === null && this.rebuilds === 0 ? "connecting" : "reconnecting");
    const connection = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: "max-bundle", iceCandidatePoolSize: 0 });
    this.connection = connection;
    this.lay(connection);
    connection.onconnectionstatechange = connection.oniceconnectionstatechange = () => {
      if (this.connection !== connection) return;
      this.await();
      if (phase(connection) === "failed") this.rebuildSoon();
      else void this.look();
    };
    this.heardAt = performance.now();
    this.timer ??= window.setInterval(() => this.isDue() && void this.look(), LOOK_QUIET_MS);
    await this.offer(connection, false);
  }

  /** The server's answer, to the newest offer only. */
  async answer(epoch: number, sdp: string, slots: Slots): Promise<void> {
    const connection = this.connection;
    if (!connection || connection.signalingState !== "have-local-offer") return;
    this.epoch = epoch;
    this.bind(slots, true);
    try {
      await connection.setRemoteDescription({ type: "answer", sdp });
    } catch {
      this.rebuildSoon();
      return;
    }
    this.heardAt = performance.now();
    await this.limit();
    this.events.changed();
  }

  /** Whose media each line carries from now on; whole: lines that are not named carry nothing. */
  bind(slots: Slots, whole: boolean): void {
    this.slots = whole ? slots : { ...this.slots, ...slots };
    const now = performance.now();
    for (const mid of Object.keys(slots)) {
      const line = this.lines.get(mid);
      if (line) line.movedAt = now;
    }
    this.await();
    this.events.changed();
  }

  get tracks(): Readonly<Sending> {
    return this.sending;
  }

  /** A newer room than that of the last offer or answer; 0 is an offer to whatever room there will be. */
  isBehind(epoch: number): boolean {
    return this.epoch !== 0 && this.epoch < epoch;
  }

  isOf(epoch: number): boolean {
    return this.epoch === epoch;
  }

  /** What comes from a participant; null: nothing of this sort. */
  streamOf(participant: number, source: Source): MediaStream | null {
    for (const [mid, slot] of Object.entries(this.slots)) {
      if (slot?.participant === participant && slot.source === source) return this.lines.get(mid)?.stream ?? null;
    }
    return null;
  }

  /** Whoever is heard, for as many loudspeaker elements. */
  voices(): { mid: string; participant: number; stream: MediaStream }[] {
    return Object.entries(this.slots).flatMap(([mid, slot]) => {
      const line = this.lines.get(mid);
      return slot?.source === "audio" && line ? [{ mid, participant: slot.participant, stream: line.stream }] : [];
    });
  }

  /** Send another track, or none, without a new offer. */
  async replace(source: Source, track: MediaStreamTrack | null): Promise<void> {
    this.sending[source] = track;
    try {
      await this.transceivers[source]?.sender.replaceTrack(track);
    } catch {
      // The connection was closed meanwhile; the next one begins with this track.
    }
    await this.limit();
  }

  /** How many are in the room: with many, everybody sends fewer pictures a second. */
  crowd(people: number): void {
    if (people > MANY_PEOPLE === this.people > MANY_PEOPLE) return;
    this.people = people;
    void this.limit();
  }

  /** The server's worker is another one now, or has lost the transport. */
  rebuild(epoch: number): void {
    const waits = this.connection?.signalingState === "have-local-offer" && this.restartedAt === null;
    // Said twice: the offer to this room is on its way already.
    if (waits && this.epoch === epoch && this.rebuildAt === null) return;
    this.rebuildAt = null;
    this.rebuilds += 1;
    void this.build(epoch);
  }

  /** The service is heard again: what was offered meanwhile may never have arrived, and need not wait longer. */
  hurry(): void {
    if (this.rebuildAt !== null) this.rebuildAt = performance.now();
    else if (this.state !== "up" && this.connection?.signalingState === "have-local-offer") void this.build(this.epoch);
  }

  /** The line does not carry our pictures: send none, so that the voice gets through, until it is tried again. */
  rest(resting: boolean): void {
    if (resting === this.resting) return;
    this.resting = resting;
    void this.limit();
  }

  relays(iceServers: RTCIceServer[]): void {
    this.iceServers = iceServers;
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    removeEventListener("online", this.moved);
    network()?.removeEventListener("change", this.moved);
    this.drop();
    this.set("off");
  }

  private drop(): void {
    const connection = this.connection;
    this.connection = null;
    this.transceivers = {};
    this.lines.clear();
    this.slots = {};
    this.silent = new Set();
    this.heard = 0;
    this.lostAt = null;
    this.statsBefore = null;
    if (connection) {
      connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
      connection.close();
    }
  }

  private lay(connection: RTCPeerConnection): void {
    const add = (source: Source, kind: "audio" | "video") => {
      const transceiver = connection.addTransceiver(this.sending[source] ?? kind, { direction: "sendonly" });
      this.transceivers[source] = transceiver;
      prefer(transceiver, kind);
    };
    add("audio", "audio");
    add("video", "video");
    add("screen", "video");
    const receive = (kind: "audio" | "video", count: number) => {
      for (let index = 0; index < count; index += 1) prefer(connection.addTransceiver(kind, { direction: "recvonly" }), kind);
    };
    receive("audio", AUDIO_SLOTS);
    receive("video", VIDEO_SLOTS);
  }

  private async offer(connection: RTCPeerConnection, restart: boolean): Promise<void> {
    try {
      await connection.setLocalDescription(await connection.createOffer({ iceRestart: restart }));
    } catch {
      this.rebuildSoon();
      return;
    }
    for (const { mid, receiver, direction } of connection.getTransceivers()) {
      if (direction !== "recvonly" || mid === null || this.lines.has(mid)) continue;
      this.lines.set(mid, { stream: new MediaStream([receiver.track]), kind: receiver.track.kind, packets: 0, movedAt: performance.now() });
    }
    await gathered(connection);
    if (this.connection !== connection || !connection.localDescription) return;
    const { sdp } = connection.localDescription;
    if (!this.events.offer(this.epoch, canPrefer() ? sdp : lean(sdp), restart)) this.rebuildSoon();
  }

  /** Another network, or one that is back: find a new path before the old one is noticed to be dead. */
  private moved = (event: Event): void => {
    // Only the sort of network counts: its speed is estimated anew all the time.
    if (event.type === "change") {
      const sort = network()?.type;
      if (sort === this.networkSort) return;
      this.networkSort = sort;
    }
    if (this.state === "up" || this.state === "reconnecting") void this.restart();
  };

  private async restart(): Promise<void> {
    const connection = this.connection;
    if (!connection || this.restartedAt !== null || connection.signalingState !== "stable") return;
    this.restartedAt = performance.now();
    await this.offer(connection, true);
  }

  /** What was offered has been refused. */
  rebuildLater(): void {
    this.rebuilds = Math.max(1, this.rebuilds);
    this.rebuildSoon();
  }

  private rebuildSoon(): void {
    if (this.rebuildAt !== null) return;
    this.set("reconnecting");
    const wait = this.rebuilds === 0 ? 0 : Math.min(REBUILD_LAST_MS, 500 * 2 ** Math.min(this.rebuilds, 4));
    this.rebuildAt = performance.now() + wait;
    if (!wait) void this.look();
  }

  private isDue(): boolean {
    const now = performance.now();
    const due = this.rebuildAt !== null || (now - this.heardAt > QUIET_MS && !this.isAlone) ? LOOK_QUIET_MS : LOOK_MS;
    return now - this.lookedAt > due - LOOK_QUIET_MS / 2;
  }

  /** Nobody is there to be heard, and nothing is sent that would be answered. */
  private get isAlone(): boolean {
    return Object.values(this.slots).every((slot) => slot === null) && !this.sending.audio && !this.sending.video;
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.see();
    } finally {
      this.looking = false;
    }
  }

  private async see(): Promise<void> {
    const now = performance.now();
    const lookedBefore = this.lookedAt;
    this.lookedAt = now;
    if (this.rebuildAt !== null) {
      if (now < this.rebuildAt || !navigator.onLine) return;
      this.rebuildAt = null;
      this.rebuilds += 1;
      void this.build(this.epoch);
      return;
    }
    const connection = this.connection;
    if (!connection) return;
    const seen = await stats.look(connection);
    if (this.connection !== connection) return;
    const more = seen.heard > this.heard;
    // It gets less when a path is given up.
    this.heard = seen.heard;
    if (more) {
      this.heardAt = Math.max(lookedBefore, now - seen.heardAgo);
      this.restartedAt = null;
      this.rebuilds = 0;
    }
    this.judge(connection, now);
    this.notice(seen, now);
    // Not from before the look: what is awaited may have begun to come during it.
    if (this.joinTime === null && seen.totals.frames > 0) this.joinTime = this.awaitedAt === null ? 0 : (performance.now() - this.awaitedAt) / 1000;
    if (this.state === "up" && now - this.statsAt >= STATS_MS - LOOK_MS / 2) {
      this.statsAt = now;
      this.events.stats(stats.measured(seen, this.statsBefore, this.joinTime));
      this.statsBefore = seen;
    }
  }

  /** Waiting for the first picture begins when somebody is there to be seen and there is a path. */
  private await(): void {
    if (!this.connection || phase(this.connection) !== "connected") return;
    if (Object.values(this.slots).some((slot) => slot !== null && slot.source !== "audio")) this.awaitedAt ??= performance.now();
  }

  private judge(connection: RTCPeerConnection, now: number): void {
    const quiet = now - this.heardAt;
    const dead = quiet > (this.isAlone ? DEAD_ALONE_MS : DEAD_MS);
    if (phase(connection) !== "disconnected") this.lostAt = null;
    else this.lostAt ??= now;
    if (!dead && phase(connection) === "connected") {
      // An answer comes by another way than media: that a new path works shows only in what is heard by it.
      if (this.restartedAt === null) this.set("up");
      return;
    }
    if (!dead) {
      // We hear them, and they do not hear us: a path that works one way only. The browser would take ten seconds more to give it up.
      if (this.lostAt !== null && now - this.lostAt > DEAD_MS) this.rebuildSoon();
      return;
    }
    if (this.state === "up") this.set("reconnecting");
    if (this.restartedAt === null && !["new", "connecting"].includes(phase(connection))) void this.restart();
    else if (this.restartedAt === null ? quiet > 2 * DEAD_MS : now - this.restartedAt > RESTART_MS) this.rebuildSoon();
  }

  private notice(seen: stats.Look, now: number): void {
    // A browser that does not say on which line packets came: nobody is called lost because of that.
    if (!seen.packets.size && seen.totals.received) return;
    const moving = new Set<number>();
    const bound = new Set<number>();
    for (const [mid, slot] of Object.entries(this.slots)) {
      const line = this.lines.get(mid);
      if (!slot || !line) continue;
      const packets = seen.packets.get(mid) ?? 0;
      if (packets !== line.packets) {
        line.packets = packets;
        line.movedAt = now;
      }
      bound.add(slot.participant);
      if (now - line.movedAt < DEAD_MS) moving.add(slot.participant);
    }
    const silent = new Set([...bound].filter((one) => !moving.has(one)));
    if (silent.size === this.silent.size && [...silent].every((one) => this.silent.has(one))) return;
    this.silent = silent;
    this.events.changed();
  }

  /** Small enough for a bad line, and for the others. */
  private async limit(): Promise<void> {
    for (const source of ["video", "screen"] as const) {
      const sender = this.transceivers[source]?.sender;
      const parameters = sender?.getParameters();
      const encoding = parameters?.encodings[0];
      if (!sender || !parameters || !encoding) continue;
      encoding.active = !this.resting;
      encoding.maxBitrate = MOST_BITS;
      encoding.maxFramerate = source === "screen" ? 8 : this.people > MANY_PEOPLE ? 15 : 30;
      try {
        await sender.setParameters(parameters);
      } catch {
        // Between an offer and its answer browsers refuse; it is set again after the answer.
      }
    }
  }

  private set(state: PeerState): void {
    if (this.state === state) return;
    this.state = state;
    if (state === "reconnecting") this.downSince ??= performance.now();
    else if (state === "up") this.downSince = null;
    this.events.changed();
  }
}

/** Of the whole connection; browsers that do not know it (Firefox before 113) know that of the path. */
function phase(connection: RTCPeerConnection): string {
  const { iceConnectionState: path } = connection;
  return (connection.connectionState as RTCPeerConnectionState | undefined) ?? (path === "completed" ? "connected" : path === "checking" ? "connecting" : path);
}

type Network = EventTarget & { type?: string };

function network(): Network | undefined {
  return (navigator as Navigator & { connection?: Network }).connection;
}

function canPrefer(): boolean {
  return "setCodecPreferences" in RTCRtpTransceiver.prototype;
}

/** One codec for everybody: the server forwards and never translates. */
function prefer(transceiver: RTCRtpTransceiver, kind: "audio" | "video"): void {
  if (!canPrefer()) return;
  const codecs = RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? [];
  const wanted = kind === "video" ? ["video/vp8", "video/rtx"] : ["audio/opus"];
  const kept = codecs.filter((codec) => wanted.includes(codec.mimeType.toLowerCase()));
  if (kept.length) transceiver.setCodecPreferences(kept);
}

function gathered(connection: RTCPeerConnection): Promise<void> {
  return new Promise((resolve) => {
    if (connection.iceGatheringState === "complete") {
      resolve();
      return;
    }
    setTimeout(resolve, GATHER_MS);
    connection.addEventListener("icecandidate", () => setTimeout(resolve, MORE_ADDRESSES_MS), { once: true });
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve();
    });
  });
}
