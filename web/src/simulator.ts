// The testers' pages stay as they are drawn by the server; what changes on them is fetched and put in place.
const EVERY_MS = 2_000;
const SLOWEST_MS = 30_000;

let pause = EVERY_MS;
let failing = false;

/** Somebody is at it: what they hold, or have opened, is left alone until they let go. */
function held(part: Element): boolean {
  return part.contains(document.activeElement) && document.activeElement !== document.body;
}

function settle(old: Element, fresh: Element): void {
  const open = new Set([...old.querySelectorAll("details[open]")].map((details) => details.id));
  for (const details of fresh.querySelectorAll("details")) if (details.id && open.has(details.id)) details.setAttribute("open", "");
  if (old.innerHTML === fresh.innerHTML || held(old)) return;
  old.replaceChildren(...fresh.childNodes);
}

/** This page as it is now. A request for a document, because texts may not become documents here (trusted types). */
function again(): Promise<Document> {
  return new Promise((done, failed) => {
    const asked = new XMLHttpRequest();
    asked.open("GET", location.href);
    asked.responseType = "document";
    asked.timeout = SLOWEST_MS;
    asked.onload = () => (asked.status === 200 && asked.responseXML ? done(asked.responseXML) : failed(new Error(String(asked.status))));
    asked.onerror = asked.ontimeout = () => failed(new Error("no answer"));
    asked.send();
  });
}

async function refresh(): Promise<void> {
  const fresh = await again();
  const parts = [...document.querySelectorAll<HTMLElement>("[data-live]")];
  const found = parts.map((part) => fresh.getElementById(part.id));
  // A home or a device more or less: the whole page is another one.
  if (parts.length !== fresh.querySelectorAll("[data-live]").length || found.some((part) => !part)) {
    if (!held(document.body)) location.reload();
    return;
  }
  parts.forEach((part, index) => settle(part, found[index] as HTMLElement));
}

function say(text: string): void {
  const line = document.getElementById("sim-stale");
  if (line && line.textContent !== text) line.textContent = text;
}

async function go(): Promise<void> {
  if (!document.hidden) {
    try {
      await refresh();
      pause = EVERY_MS;
      if (failing) say("");
      failing = false;
    } catch {
      failing = true;
      pause = Math.min(pause * 2, SLOWEST_MS);
      say("This page is not up to date: the service does not answer. It is tried again.");
    }
  }
  setTimeout(() => void go(), pause);
}

setTimeout(() => void go(), EVERY_MS);

export {};
