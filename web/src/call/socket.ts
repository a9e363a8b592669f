// One socket of a visit, which comes back by itself. The server says the whole state again after each reconnection, so
// that nothing has to be asked for twice.
import * as keys from "./key";
import type { FromServer, ToServer } from "./messages";

const PING_MS = 5_000;
/** A ping that is not answered for so long: the connection is dead. */
const SILENCE_MS = 8_000;
const RETRY_FIRST_MS = 400;
const RETRY_LAST_MS = 8_000;
const TAB_KEY = "telehealth.visit.tab";
const HERE = "#here";

/** Loads the page anew, and takes the place of whichever other page of this person has the visit. */
export function goOnHere(): void {
  location.hash = HERE;
  location.reload();
}

/** Names this page to the server; a page that is loaded again, or gone back to, is the same one. */
function tab(): string {
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const again = entry?.type === "reload" || entry?.type === "back_forward";
  try {
    const known = sessionStorage.getItem(TAB_KEY);
    if (known && again) return known;
    const made = keys.fresh();
    sessionStorage.setItem(TAB_KEY, made);
    return made;
  } catch {
    return keys.fresh();
  }
}

export class CallSocket {
  private socket: WebSocket | null = null;
  private readonly url: URL;
  private number = 0;
  private failures = 0;
  private retry: number | undefined;
  /** When the ping was sent that nothing has been heard since; null: none. */
  private askedAt: number | null = null;
  private ended = false;
  private beat: number | undefined;

  constructor(
    path: string,
    private readonly onMessage: (message: FromServer) => void,
    /** open: the connection stands (true) or is lost (false). */
    private readonly onOpen: (open: boolean) => void,
    /** Nothing comes back without signing in, or without the link. */
    private readonly onOver: (signIn: boolean) => void,
  ) {
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.url.searchParams.set("tab", tab());
    if (location.hash === HERE) {
      this.url.searchParams.set("take", "1");
      history.replaceState(history.state, "", location.pathname + location.search);
    }
  }

  get open(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  start(): void {
    this.connect();
    this.beat = window.setInterval(() => this.look(), PING_MS);
    addEventListener("online", this.hurry);
    addEventListener("offline", this.drop);
    document.addEventListener("visibilitychange", this.look);
  }

  /** For good: after a goodbye, or when the person leaves. */
  stop(): void {
    this.ended = true;
    clearInterval(this.beat);
    clearTimeout(this.retry);
    removeEventListener("online", this.hurry);
    removeEventListener("offline", this.drop);
    document.removeEventListener("visibilitychange", this.look);
    this.socket?.close(1000);
    this.socket = null;
  }

  /** False when there is no connection: whatever must not be lost is sent again after the next state. */
  send(message: ToServer): boolean {
    if (!this.socket || !this.open) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    if (this.ended) return;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.askedAt = performance.now();
    let heard = false;
    socket.onopen = () => {
      if (this.socket === socket) this.onOpen(true);
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket || typeof event.data !== "string") return;
      heard = true;
      this.receive(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (event.code === 4401 || event.code === 4403) {
        this.stop();
        this.onOver(event.code === 4401);
        return;
      }
      this.onOpen(false);
      // In a tab that is not looked at timers sleep for a minute, pings too, and the server hangs up. Coming back at
      // once, which needs no timer, keeps the place in the waiting room.
      if (document.hidden && heard) this.connect();
      else this.again();
    };
  }

  private receive(text: string): void {
    let message: FromServer;
    try {
      message = JSON.parse(text) as FromServer;
    } catch {
      return;
    }
    this.askedAt = null;
    this.failures = 0;
    // Said once: after a break it is this page's place, or somebody went on elsewhere meanwhile.
    if (message.t === "state") this.url.searchParams.delete("take");
    if (message.t !== "pong") this.onMessage(message);
  }

  private look = (): void => {
    if (!this.socket) {
      if (!document.hidden) this.hurry();
      return;
    }
    if (this.askedAt !== null && performance.now() - this.askedAt > SILENCE_MS) this.drop();
    else if (this.send({ t: "ping", n: ++this.number })) this.askedAt ??= performance.now();
  };

  private drop = (): void => {
    const socket = this.socket;
    if (!socket) return;
    this.socket = null;
    socket.close();
    this.onOpen(false);
    this.again();
  };

  private again(): void {
    if (this.ended || this.retry !== undefined) return;
    const wait = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(this.failures, 6));
    this.failures += 1;
    this.retry = window.setTimeout(() => this.connect(), wait * (0.7 + 0.6 * Math.random()));
  }

  private hurry = (): void => {
    if (this.socket !== null || this.ended) return;
    this.failures = 0;
    this.connect();
  };
}
