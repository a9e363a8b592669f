// The last pages of a visit.
import type { ByeWhy, Kind } from "./messages";
import { goOnHere } from "./socket";

const SEVERAL: Kind[] = ["ward_round", "group", "case_conference"];

interface Words {
  title: string;
  text: string;
}

/** The template visit.html says the same without a script. */
function words(why: ByeWhy, kind: Kind | null): Words {
  switch (why) {
    case "ended":
      return kind && SEVERAL.includes(kind)
        ? { title: "Your part of the visit is over", text: "Thank you. You can close this page now." }
        : { title: "Your visit is over", text: "Thank you. You can close this page now." };
    case "removed":
      return { title: "You are no longer in the visit", text: "Your part of the visit is over, or the ward has closed it for you. If you think that this is a mistake, telephone the ward." };
    case "taken_over":
      return { title: "The visit goes on elsewhere", text: "You have opened this visit in another window or on another device. Go on there, or here." };
    case "elsewhere":
      return { title: "This visit is open already", text: "You have this visit open in another window. You can go on there. If you go on here, it closes there." };
    case "expired":
      return { title: "This link has run out", text: "Telephone the ward if you still need to talk to somebody." };
    default:
      return { title: "The visit is interrupted", text: "Please wait a moment, and open the page again." };
  }
}

export function Goodbye({ why, ward, kind }: { why: ByeWhy; ward: string; kind: Kind | null }) {
  const { title, text } = words(why, kind);
  return (
    <>
      <h1 class="th-plain-h1" tabIndex={-1}>
        {title}
      </h1>
      <p>{text}</p>
      {(why === "taken_over" || why === "elsewhere") && (
        <p>
          <button type="button" class="th-big-button" onClick={goOnHere}>
            Go on here
          </button>
        </p>
      )}
      <p>Your camera and microphone are off.</p>
      <p class="th-quiet">{ward}</p>
    </>
  );
}

export function Left({ ward, onBack }: { ward: string; onBack: () => void }) {
  return (
    <>
      <h1 class="th-plain-h1" tabIndex={-1}>
        You have left the visit
      </h1>
      <p>Your camera and microphone are off.</p>
      <p>Was that a mistake? You can go back. {ward} may have to let you in again.</p>
      <button type="button" class="th-big-button" onClick={onBack}>
        Go back to the visit
      </button>
    </>
  );
}
