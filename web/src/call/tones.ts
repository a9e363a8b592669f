// The sounds of a visit: a test tone, and the ring when the ward calls. Browsers allow sound only after a tap; without
// one these do nothing, and the screen says the same in words.
const ALLOW_MS = 1_000;
let context: AudioContext | null = null;

/** To be called from a tap. */
export async function allow(): Promise<boolean> {
  try {
    context ??= new AudioContext();
    // Without a loudspeaker some browsers never answer.
    await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, ALLOW_MS))]);
  } catch {
    return false;
  }
  return context.state === "running";
}

function tone(pitch: number, after: number, length: number, loud: number): void {
  if (!context || context.state !== "running") return;
  const start = context.currentTime + after;
  const source = context.createOscillator();
  const level = context.createGain();
  source.frequency.value = pitch;
  level.gain.setValueAtTime(0, start);
  level.gain.linearRampToValueAtTime(loud, start + 0.03);
  level.gain.setValueAtTime(loud, start + length - 0.05);
  level.gain.linearRampToValueAtTime(0, start + length);
  source.connect(level).connect(context.destination);
  source.start(start);
  source.stop(start + length);
}

/** Three rising notes, as a test. */
export function test(): void {
  [523, 659, 784].forEach((pitch, index) => tone(pitch, index * 0.35, 0.3, 0.3));
}

/** Twice the double ring of a telephone. */
export function ring(): void {
  for (const after of [0, 0.6, 2, 2.6]) {
    tone(400, after, 0.4, 0.25);
    tone(450, after, 0.4, 0.25);
  }
}

/** Two soft notes: somebody waits. */
export function ding(): void {
  tone(660, 0, 0.18, 0.2);
  tone(880, 0.22, 0.3, 0.2);
}
