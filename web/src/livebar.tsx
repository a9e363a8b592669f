// The bar that says whether the page can be believed.
import type { ComponentChildren } from "preact";

import type { Status } from "./live";
import * as times from "./times";

const WORD = { live: "LIVE", waiting: "CONNECTING", off: "NOT LIVE" };

export function LiveBar({ status, now, zone, children }: { status: Status; now: number; zone: string; children?: ComponentChildren }) {
  const clock = times.second(status.updated, zone);
  const seconds = Math.max(0, Math.floor((now - status.updated) / 1000));
  const ago = seconds < 120 ? `${seconds}sec ago` : `${times.age(status.updated, now)} ago`;
  return (
    <div class={`th-live th-live--${status.state}`} data-state={status.state}>
      <div class="th-wrap th-live__row">
        <p class="th-live__state">
          <span class="th-live__word">{WORD[status.state]}</span>
          {status.state === "off" ? (
            <span>
              Last update {clock} ({ago}): {status.why}. What you see may be out of date. Trying to reconnect.
            </span>
          ) : (
            <span>
              last update <span class="th-live__clock">{clock}</span>
            </span>
          )}
        </p>
        <p class="th-live__limits">Not for primary alarm use. This version pages nobody.</p>
        {children}
      </div>
      <div class="nhsuk-u-visually-hidden" role="alert">
        {status.state === "off" ? "This page is not live. What you see may be out of date." : ""}
      </div>
    </div>
  );
}
