// A microphone or camera that is wanted and does not work: what the others notice of it, and what helps.
import type { Call } from "./call";
import type { Found, Sort } from "./devices";
import { Devices } from "./devices";

type Why = Exclude<Found, "ok"> | "paused";

const NAMES: Record<Sort, string> = { audio: "microphone", video: "camera" };
const NOTICED: Record<Sort, string> = { audio: "the others cannot hear you", video: "the others cannot see you" };

function words(sort: Sort, why: Why): string {
  const name = NAMES[sort];
  const press = `press ${sort === "audio" ? "Microphone" : "Camera"}`;
  switch (why) {
    case "refused":
      return `This page may not use your ${name}: ${NOTICED[sort]}. Allow it beside the address at the top, then ${press}.`;
    case "none":
      return `No ${name} was found: ${NOTICED[sort]}.`;
    case "paused":
      return `This device has paused your ${name}, as it does for a telephone call: ${NOTICED[sort]}.`;
    default:
      if (!Devices.possible) return `This browser gives no page a ${name}: ${NOTICED[sort]}.`;
      return `Your ${name} does not work: ${NOTICED[sort]}. Is it plugged in, or does another app use it? Then ${press}.`;
  }
}

/** null: it works, or nobody wants it. */
function why(call: Call, sort: Sort): Why | null {
  const { devices } = call;
  if (!call.wants[sort]) return null;
  if (devices[sort]) return devices.isLive(sort) ? null : "paused";
  const found = devices.found[sort];
  return found === "ok" ? null : found;
}

export function Problem({ call }: { call: Call }) {
  const texts = (["audio", "video"] as const).flatMap((sort) => {
    const found = why(call, sort);
    return found ? [words(sort, found)] : [];
  });
  return (
    <div role="status">
      {texts.map((text) => (
        <p key={text} class="th-plain-note">
          {text}
        </p>
      ))}
    </div>
  );
}
