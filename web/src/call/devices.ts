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

  /** changed: a device was opened, closed or unplugged. */
  constructor(private readonly changed: (lost: Sort | "screen" | null) => void) {}

  /** Open what is wanted and not open yet; with one question to the person where that is possible. */
  async open(sorts: Sort[]): Promise<void> {
    const missing = sorts.filter((sort) => !this[sort]);
    if (missing.length === 2) {
      const stream = await this.ask({ audio: WANTED.audio, video: this.wantedVideo() });
      if (stream instanceof MediaStream) {
        for (const track of stream.getTracks()) this.take(track.kind as Sort, track);
        return;
      }
    }
    for (const sort of missing) {
      const stream = await this.ask(sort === "audio" ? { audio: WANTED.audio } : { video: this.wantedVideo() });
      if (stream instanceof MediaStream) this.take(sort, stream.getTracks()[0] ?? null);
      else {
        this.found[sort] = stream;
        this.changed(null);
      }
    }
  }

  /** Off means off: the lamp of the camera goes out. */
  shut(sort: Sort | "screen"): void {
    const track = this[sort];
    this[sort] = null;
    if (track) {
      track.onended = null;
      track.stop();
    }
    this.changed(null);
  }

  shutAll(): void {
    for (const sort of ["audio", "video", "screen"] as const) this.shut(sort);
  }

  async share(): Promise<boolean> {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 8 } }, audio: false });
      const track = stream.getVideoTracks()[0];
      if (!track) return false;
      this.screen = track;
      track.onended = () => {
        this.screen = null;
        this.changed("screen");
      };
      this.changed(null);
      return true;
    } catch {
      return false;
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

  private wantedVideo(): MediaTrackConstraints {
    return this.camera ? { ...WANTED.video, deviceId: { exact: this.camera } } : { ...WANTED.video, facingMode: "user" };
  }

  private take(sort: Sort, track: MediaStreamTrack | null): void {
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
    }
    this.changed(null);
  }

  private async ask(constraints: MediaStreamConstraints): Promise<MediaStream | Exclude<Found, "ok">> {
    if (!navigator.mediaDevices) return "failed";
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

/** How loud a microphone is, 0 to 1, some times a second until stopped. */
export function loudness(track: MediaStreamTrack, heard: (level: number) => void): () => void {
  const context = new AudioContext();
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
