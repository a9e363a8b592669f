// Camera and microphone of this computer. Each may be missing or refused without taking the other along.
export type Found = "ok" | "none" | "refused" | "failed";
export type Sort = "audio" | "video";

const WANTED: Record<Sort, MediaTrackConstraints> = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 30 } },
};

export class Devices {
  audio: MediaStreamTrack | null = null;
  video: MediaStreamTrack | null = null;
  screen: MediaStreamTrack | null = null;
  /** What became of the last attempt. */
  found: Record<Sort, Found | null> = { audio: null, video: null };
  private camera: string | null = null;
  /** Goes up when a device is shut: what is being asked for at that moment is not wanted any more. */
  private turns = { audio: 0, video: 0, screen: 0 };
  private asking: Partial<Record<Sort, Promise<void>>> = {};
  private sharing = false;

  /** changed: a device was opened, closed, unplugged or paused. */
  constructor(private readonly changed: (lost: Sort | "screen" | null) => void) {}

  /** Whether this device can be switched on at all; else there is no use in asking the person. */
  static get possible(): boolean {
    return Boolean((navigator.mediaDevices as MediaDevices | undefined)?.getUserMedia);
  }

  static get canShare(): boolean {
    return Boolean((navigator.mediaDevices as MediaDevices | undefined)?.getDisplayMedia);
  }

  /** Open what is wanted and not open yet; with one question to the person where that is possible. */
  async open(sorts: Sort[]): Promise<void> {
    const missing = sorts.filter((sort) => !this[sort] && !this.asking[sort]);
    const asking = missing.length === 2 ? this.openBoth() : missing.length === 1 ? this.openOne(missing[0] as Sort) : Promise.resolve();
    for (const sort of missing) this.asking[sort] = asking;
    const all = sorts.map((sort) => this.asking[sort]);
    void asking.finally(() => {
      for (const sort of missing) if (this.asking[sort] === asking) delete this.asking[sort];
    });
    await Promise.all(all);
  }

  /** Off means off: the lamp of the camera goes out, and stays out when the camera was only being asked for. */
  shut(sort: Sort | "screen"): void {
    this.turns[sort] += 1;
    if (sort !== "screen") delete this.asking[sort];
    const track = this[sort];
    this[sort] = null;
    if (track) letGo(track);
    this.changed(null);
  }

  shutAll(): void {
    for (const sort of ["audio", "video", "screen"] as const) this.shut(sort);
  }

  /** Whether something comes of it: a device that the system has paused sends nothing. */
  isLive(sort: Sort): boolean {
    const track = this[sort];
    return track !== null && !track.muted;
  }

  async share(): Promise<boolean> {
    if (this.screen || this.sharing) return false;
    this.sharing = true;
    const turn = this.turns.screen;
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 8 } }, audio: false });
      const track = stream.getVideoTracks()[0];
      if (!track) return false;
      if (turn !== this.turns.screen) {
        track.stop();
        return false;
      }
      this.screen = track;
      track.onended = () => {
        this.screen = null;
        this.changed("screen");
      };
      this.changed(null);
      return true;
    } catch {
      return false;
    } finally {
      this.sharing = false;
    }
  }

  /** The next camera of this computer, as of a tablet with one on each side. */
  async nextCamera(): Promise<boolean> {
    const cameras = await this.cameras();
    if (cameras.length < 2) return false;
    const here = cameras.findIndex((one) => one.deviceId === this.video?.getSettings().deviceId);
    this.camera = cameras[(here + 1) % cameras.length]?.deviceId ?? null;
    this.shut("video");
    await this.open(["video"]);
    return this.video !== null;
  }

  async cameras(): Promise<MediaDeviceInfo[]> {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return devices.filter((device) => device.kind === "videoinput");
  }

  private async openBoth(): Promise<void> {
    const turns = { ...this.turns };
    const stream = await this.ask({ audio: WANTED.audio, video: this.wantedVideo() });
    if (stream instanceof MediaStream) {
      for (const track of stream.getTracks()) this.take(track.kind as Sort, track, turns[track.kind as Sort]);
      return;
    }
    for (const sort of ["audio", "video"] as const) if (turns[sort] === this.turns[sort]) await this.openOne(sort);
  }

  private async openOne(sort: Sort): Promise<void> {
    const turn = this.turns[sort];
    let stream = await this.ask(sort === "audio" ? { audio: WANTED.audio } : { video: this.wantedVideo() });
    if (stream === "none" && sort === "video" && this.camera) {
      // The camera that was chosen is not there any more: any other.
      this.camera = null;
      stream = await this.ask({ video: this.wantedVideo() });
    }
    if (stream instanceof MediaStream) this.take(sort, stream.getTracks()[0] ?? null, turn);
    else if (turn === this.turns[sort]) this.lacks(sort, stream);
  }

  private lacks(sort: Sort, why: Exclude<Found, "ok">): void {
    this.found[sort] = why;
    this.changed(null);
  }

  private wantedVideo(): MediaTrackConstraints {
    return this.camera ? { ...WANTED.video, deviceId: { exact: this.camera } } : { ...WANTED.video, facingMode: "user" };
  }

  private take(sort: Sort, track: MediaStreamTrack | null, turn: number): void {
    if (turn !== this.turns[sort]) {
      track?.stop();
      return;
    }
    this[sort] = track;
    this.found[sort] = track ? "ok" : "failed";
    if (track) {
      track.contentHint = sort === "audio" ? "speech" : "motion";
      track.onended = () => {
        if (this[sort] !== track) return;
        this[sort] = null;
        this.found[sort] = "failed";
        this.changed(sort);
      };
      // The system takes a device away for a while: a telephone call, a locked screen, another app.
      track.onmute = track.onunmute = () => this[sort] === track && this.changed(sort);
    }
    this.changed(null);
  }

  private async ask(constraints: MediaStreamConstraints): Promise<MediaStream | Exclude<Found, "ok">> {
    if (!Devices.possible) return "failed";
    try {
      return await navigator.mediaDevices.getUserMedia(constraints);
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      if (name === "NotAllowedError" || name === "SecurityError") return "refused";
      if (name === "NotFoundError" || name === "OverconstrainedError") return "none";
      return "failed";
    }
  }
}

function letGo(track: MediaStreamTrack): void {
  track.onended = track.onmute = track.onunmute = null;
  track.stop();
}

/** How loud a microphone is, 0 to 1, some times a second until stopped. */
export function loudness(track: MediaStreamTrack, heard: (level: number) => void): () => void {
  if (typeof AudioContext === "undefined") return () => undefined;
  const context = new AudioContext();
  void context.resume();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    heard(Math.min(1, Math.sqrt(power) * 4));
  }, 150);
  return () => {
    clearInterval(timer);
    void context.close();
  };
}
