// One WebSocket per tab. Says whether what is on the screen can be believed: a page that is not surely live is not live.
import type { FirstLive, FromServer } from "./contract";

const SILENCE_MS = 12_000;
const ACKNOWLEDGE_MS = 5_000;
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 30_000;

export type State = "waiting" | "live" | "off";

export interface Status {
  state: State;
  /** Why it is not live; for people. */
  why: string | null;
  /** Server's time of the last message, ms; 0 before the first. */
  updated: number;
}

export interface Subscription {
  wards?: number[];
  residents?: number[];
}

/** Elapsed ms that neither a changed clock nor a sleeping computer can hide. */
class Elapsed {
  private monotonic = performance.now();
  private wall = Date.now();

  restart(): void {
    this.monotonic = performance.now();
    this.wall = Date.now();
  }

  get ms(): number {
    return Math.max(performance.now() - this.monotonic, Date.now() - this.wall);
  }
}

export class Live {
  status: Status;
  private socket: WebSocket | null = null;
  private epoch: string | null = null;
  private seq = 0;
  private acknowledged = 0;
  private failures = 0;
  private retry: number | undefined;
  private heard = new Elapsed();
  private acked = new Elapsed();
  private serverTime: number;
  private clinical: number | null = null;
  private clockRead = new Elapsed();
  private serverSaysLive = true;
  private serverWhy: string | null = null;
  private snapped = false;
  private started = new Elapsed();

  constructor(
    first: FirstLive,
    private readonly subscription: Subscription,
    private readonly onMessage: (message: FromServer) => void,
    private readonly onStatus: (status: Status) => void,
    private readonly onBlocked: () => void = () => {},
  ) {
    this.serverTime = Date.parse(first.server_time) || Date.now();
    this.status = { state: "waiting", why: null, updated: this.serverTime };
    this.url = new URL(first.ws || "/ws", location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  }

  private readonly url: URL;

  start(clinicalNow?: string): void {
    if (clinicalNow) this.setClock(clinicalNow);
    this.connect();
    setInterval(() => this.check(), 1_000);
    addEventListener("online", () => this.hurry());
    addEventListener("offline", () => this.drop("this computer is offline"));
    document.addEventListener("visibilitychange", () => {
      this.check();
      if (!document.hidden) this.hurry();
    });
    // A page restored from the back/forward cache has a dead socket and old values.
    addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload();
    });
  }

  /** Clinical now in ms, carried on from the server's last word. */
  now(): number {
    return (this.clinical ?? this.serverTime) + this.clockRead.ms;
  }

  /** The server's now in ms. */
  serverNow(): number {
    return this.serverTime + this.clockRead.ms;
  }

  private setClock(at: string, serverTime?: string): void {
    const elapsed = this.clockRead.ms;
    this.clinical = Date.parse(at);
    this.serverTime = serverTime ? Date.parse(serverTime) : this.serverTime + elapsed;
    this.clockRead.restart();
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      this.again();
      return;
    }
    this.socket = socket;
    this.snapped = false;
    this.heard.restart();
    socket.onopen = () => {
      this.heard.restart();
      this.acked.restart();
      const resume = this.epoch === null ? {} : { epoch: this.epoch, seq: this.seq };
      socket.send(JSON.stringify({ t: "sub", ...this.subscription, ...resume }));
    };
    socket.onmessage = (event) => {
      if (this.socket === socket && typeof event.data === "string") this.receive(event.data);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (event.code === 4401) {
        // Nothing of a resident stays on the screen of somebody who is signed out.
        location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
        return;
      }
      this.off(event.code === 4008 ? "this computer is too slow to keep up" : "the connection to the server is lost");
      this.again();
    };
  }

  private receive(text: string): void {
    let message: FromServer | FromServer[];
    try {
      message = JSON.parse(text) as FromServer | FromServer[];
    } catch {
      return;
    }
    for (const one of Array.isArray(message) ? message : [message]) this.take(one);
    this.acknowledge();
  }

  private take(message: FromServer): void {
    this.heard.restart();
    this.failures = 0;
    if (typeof message.seq === "number") this.seq = message.seq;
    switch (message.t) {
      case "hello":
        this.epoch = message.epoch;
        this.serverTime = Date.parse(message.server_time);
        if (this.clinical === null) this.clockRead.restart();
        return;
      case "tick":
        this.setClock(message.at, message.server_time);
        this.serverSaysLive = message.live;
        this.serverWhy = message.why;
        break;
      case "snap":
        this.epoch = message.epoch;
        this.snapped = true;
        if ("board" in message) this.setClock(message.board.at);
        break;
      case "d":
        this.setClock(message.at);
        break;
      case "refused":
        this.snapped = false;
        this.off("you have no access to this any more");
        break;
      default:
        break;
    }
    this.onMessage(message);
    if (this.snapped) this.alive();
  }

  private alive(): void {
    const updated = this.serverNow();
    if (this.serverSaysLive) this.set({ state: "live", why: null, updated });
    else this.set({ state: "off", why: this.serverWhy ?? "the service is not taking in readings", updated: this.status.updated });
  }

  private acknowledge(): void {
    if (this.acked.ms < ACKNOWLEDGE_MS - 1_000 && this.acknowledged !== 0) return;
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ t: "ack", seq: this.seq }));
    this.acknowledged = this.seq;
    this.acked.restart();
  }

  private check(): void {
    if (this.socket && this.heard.ms > SILENCE_MS) this.drop("nothing heard from the server");
    else if (this.status.state === "waiting" && this.started.ms > SILENCE_MS) this.off("the server sends no data");
    if (this.socket && this.acked.ms >= ACKNOWLEDGE_MS && this.seq > 0) this.acknowledge();
    this.onStatus(this.status);
  }

  private drop(why: string): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.off(why);
    this.again();
  }

  private again(): void {
    this.failures += 1;
    if (this.failures >= 2) this.onBlocked();
    if (this.retry !== undefined) return;
    const wait = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(this.failures - 1, 10));
    this.retry = window.setTimeout(() => this.connect(), wait * (0.7 + 0.6 * Math.random()));
  }

  /** Now, not when the next try is due: there is reason to believe that it works. */
  hurry(): void {
    if (this.socket !== null) return;
    this.failures = 0;
    this.connect();
  }

  private off(why: string): void {
    this.set({ state: "off", why, updated: this.status.updated });
  }

  private set(status: Status): void {
    this.status = status;
    document.documentElement.classList.toggle("is-not-live", status.state === "off");
    this.onStatus(status);
  }
}
