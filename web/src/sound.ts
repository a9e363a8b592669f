// Alarm sounds, off until somebody turns them on; started by messages, never by timers, which sleep in the background.
import type { Priority } from "./contract";

const PULSES: Record<Priority, { times: number[]; length: number; pitch: number }> = {
  high: { times: [0, 0.2, 0.4, 0.75, 0.95, 1.6, 1.8, 2.0, 2.35, 2.55], length: 0.13, pitch: 660 },
  medium: { times: [0, 0.35, 0.7], length: 0.18, pitch: 520 },
  low: { times: [0, 0.4], length: 0.2, pitch: 440 },
};

export class Sound {
  private context: AudioContext | null = null;

  get on(): boolean {
    return this.context?.state === "running";
  }

  /** To be called from a click: browsers allow sound only then. */
  async turnOn(): Promise<void> {
    this.context ??= new AudioContext();
    await this.context.resume();
    this.play("low");
  }

  async turnOff(): Promise<void> {
    await this.context?.suspend();
  }

  play(priority: Priority): void {
    if (!this.context || !this.on) return;
    const { times, length, pitch } = PULSES[priority];
    for (const after of times) {
      const start = this.context.currentTime + after;
      const tone = this.context.createOscillator();
      const level = this.context.createGain();
      tone.frequency.value = pitch;
      tone.type = "triangle";
      level.gain.setValueAtTime(0, start);
      level.gain.linearRampToValueAtTime(0.3, start + 0.02);
      level.gain.setValueAtTime(0.3, start + length - 0.03);
      level.gain.linearRampToValueAtTime(0, start + length);
      tone.connect(level).connect(this.context.destination);
      tone.start(start);
      tone.stop(start + length);
    }
  }
}
