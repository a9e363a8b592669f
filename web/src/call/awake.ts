// A tablet that lies on the table while somebody waits would go dark, and the browser would stop the page.

type Lock = { release(): Promise<void>; addEventListener(type: "release", listener: () => void): void };
type Locks = { request(type: "screen"): Promise<Lock> };

/** Keeps the screen on while it is wanted, where the browser can; it gives up by itself when the page is hidden. */
export class Awake {
  private wanted = false;
  private lock: Lock | null = null;
  private asking = false;

  constructor() {
    document.addEventListener("visibilitychange", () => void this.ask());
  }

  want(wanted: boolean): void {
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    if (wanted) void this.ask();
    else this.release();
  }

  private release(): void {
    void this.lock?.release().catch(() => undefined);
    this.lock = null;
  }

  private async ask(): Promise<void> {
    const locks = (navigator as Navigator & { wakeLock?: Locks }).wakeLock;
    if (!locks || !this.wanted || this.lock || this.asking || document.hidden) return;
    this.asking = true;
    try {
      const lock = await locks.request("screen");
      lock.addEventListener("release", () => {
        if (this.lock === lock) this.lock = null;
      });
      this.lock = lock;
    } catch {
      // A nearly empty battery refuses it.
    } finally {
      this.asking = false;
    }
    if (!this.wanted) this.release();
  }
}
