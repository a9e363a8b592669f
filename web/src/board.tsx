// The ward board: drawn by the server first, then kept live here.
import { Component, render } from "preact";

import type { Alert, Board, BoardPage, FromServer, Order } from "./contract";
import { BoardHead, BoardRow } from "./boardrow";
import { Live } from "./live";
import type { Status } from "./live";
import { LiveBar } from "./livebar";
import { Chip, handled, since } from "./signs";
import { Sound } from "./sound";
import { WardState } from "./ward";

const ORDER_KEY = "telehealth.board.order";
const STATUS_EVERY_MS = 10_000;
const POLL_MS = 15_000;
/** Counted no further. */
const MOST_HELD = 1000;

interface PageState {
  version: number;
  step: number;
  summary: string;
  urgent: string;
  sound: boolean;
}

class BoardIsland extends Component<BoardPage & { csrf?: string }, PageState> {
  private ward = new WardState(this.props.board, this.props.order);
  private sound = new Sound();
  private pointer = false;
  private focus = false;
  private polling = 0;
  private held: number | null = null;
  private known = new Set<number>();
  private news: string[] = [];
  private spokenAt = 0;
  private spoken = "";
  private live = new Live(
    this.props.live,
    { wards: [this.props.board.ward.id] },
    (message) => this.take(message),
    (status) => this.tick(status),
    () => this.poll(),
  );

  override state: PageState = { version: 0, step: 0, summary: "", urgent: "", sound: false };

  override componentDidMount(): void {
    this.forget();
    this.live.start(this.props.board.at);
    this.setState({ step: this.step() });
  }

  private step(): number {
    return Math.floor(this.live.now() / 10_000) * 10_000;
  }

  private changed(): void {
    this.setState((state) => ({ version: state.version + 1 }));
  }

  private tick(_status: Status): void {
    this.say();
    this.setState((state) => ({ version: state.version + 1, step: this.step() }));
  }

  private take(message: FromServer): void {
    const now = this.live.now();
    if (message.t === "snap" && "board" in message) this.ward.replace(message.board, now);
    else if (message.t === "d" && "rows" in message) {
      this.ward.update(message.rows, message.removed, now);
      if (message.device_alerts) this.ward.deviceAlerts = message.device_alerts;
    } else if (message.t === "event") this.event(message.alert, message.what, message.replayed);
    if ("held" in message && message.held !== undefined) this.countHeld(message.held);
    if ("automatic" in message && message.automatic !== undefined) this.countAutomatic(message.automatic);
    if (message.t === "snap") this.forget();
    this.changed();
  }

  /** How many readings wait for a person: beside the link in the head of the page, which the server drew. */
  private countHeld(held: number): void {
    const place = document.getElementById("held-count");
    if (place) place.textContent = held ? ` (${held}${held >= MOST_HELD ? "+" : ""})` : "";
    if (this.held !== null && held > this.held) this.news.push("more readings are held");
    this.held = held;
  }

  /** What cleared itself and was left to the service: in the line below the board, which the server drew. */
  private countAutomatic(automatic: number): void {
    const place = document.getElementById("automatic-count");
    if (place) place.textContent = `${automatic} ${automatic === 1 ? "alert" : "alerts"}`;
    document.getElementById("automatic")?.toggleAttribute("hidden", automatic === 0);
  }

  /** After a snapshot: what it no longer shows as new is not new; what it shows as high is known. */
  private forget(): void {
    const row = (alert: Alert) => (alert.resident_id === null ? undefined : this.ward.rows.get(alert.resident_id));
    this.ward.raised = this.ward.raised.filter(({ alert }) => (row(alert)?.alert?.new ?? 1) > 0);
    for (const { alert } of this.ward.rows.values()) if (alert?.priority === "high") this.known.add(alert.id);
  }

  private event(alert: Alert, what: string, replayed: boolean): void {
    const known = this.known.has(alert.id);
    this.ward.raised = this.ward.raised.filter((one) => one.alert.id !== alert.id);
    const urgent = alert.open && alert.handling === "new" && alert.priority === "high" && alert.condition !== "withdrawn";
    if (what === "closed" || !alert.open || alert.handling !== "new") return;
    const words = `${alert.subject}: ${alert.reason}`;
    if (urgent && (what === "raised" || !known)) this.ward.raised.unshift({ alert, at: this.live.now() });
    if (urgent) this.known.add(alert.id);
    if (replayed || (what !== "raised" && !(urgent && !known))) return;
    this.sound.play(alert.priority);
    if (urgent) this.setState({ urgent: `High priority alert. ${words}` });
    else this.news.push(words);
  }

  /** The polite summary, at most every ten seconds and only when it has changed. */
  private say(): void {
    const counts = this.counts();
    const text = `${counts.residents} ${counts.residents === 1 ? "resident has" : "residents have"} open alerts, ${counts.unhandled} not acknowledged.`;
    if (Date.now() - this.spokenAt < STATUS_EVERY_MS || (text === this.spoken && !this.news.length)) return;
    this.spokenAt = Date.now();
    this.spoken = text;
    const news = this.news.splice(0, 3);
    this.setState({ summary: news.length ? `${text} New: ${news.join(". ")}` : text });
  }

  private counts() {
    const with_ = [...this.ward.rows.values()].flatMap((row) => (row.alert ? [row.alert] : []));
    const of = (look: string) => with_.filter((alert) => alert.condition !== "withdrawn" && (alert.kind === "technical" ? "technical" : alert.priority) === look).length;
    return {
      residents: with_.length,
      unhandled: with_.reduce((sum, alert) => sum + alert.new, 0),
      high: of("high"),
      medium: of("medium"),
      low: of("low"),
      technical: of("technical") + this.ward.deviceAlerts.length,
    };
  }

  /** Where sockets are blocked the values still come, slowly; the page keeps saying that it is not live. */
  private poll(): void {
    if (this.polling) return;
    const fetchBoard = async () => {
      if (this.isLive()) {
        clearInterval(this.polling);
        this.polling = 0;
        return;
      }
      try {
        const answer = await fetch(`/api/v1/wards/${this.ward.ward.id}/board`, { headers: { Accept: "application/json" } });
        if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
        if (!answer.ok || this.isLive()) return;
        this.ward.replace((await answer.json()) as Board, this.live.now());
        this.changed();
      } catch {
        // The bar says already that nothing is live.
      }
    };
    this.polling = window.setInterval(() => void fetchBoard(), POLL_MS);
  }

  private isLive(): boolean {
    return this.live.status.state === "live";
  }

  private hold = (): void => {
    this.ward.hold(this.pointer || this.focus);
    this.changed();
  };

  private choose(order: Order): void {
    try {
      localStorage.setItem(ORDER_KEY, order);
    } catch {
      // Private windows may refuse; the address keeps the choice.
    }
    history.replaceState(null, "", `?order=${order}`);
    this.ward.choose(order);
    this.changed();
  }

  override render() {
    const { ward } = this;
    const { step, summary, urgent } = this.state;
    const zone = ward.ward.zone;
    const counts = this.counts();
    const pending = ward.pending;
    return (
      <>
        {ward.raised.length > 0 && (
          <a class="nhsuk-skip-link" href="#raised">
            Skip to new alerts
          </a>
        )}
        <LiveBar status={this.live.status} now={this.live.serverNow()} zone={zone} />
        <div class="th-wrap th-main">
          <div class="th-titlebar">
            <h1 class="th-h1">
              {ward.ward.name} <span class="th-quiet">
                {ward.rows.size} {ward.rows.size === 1 ? "resident" : "residents"}
              </span>
            </h1>
            <p class="th-counts">
              {counts.high + counts.medium + counts.low + counts.technical > 0 && <span class="th-quiet">Residents by worst alert</span>}
              <Count href={`/wards/${ward.ward.id}/alerts`} number={counts.high} priority="high" />
              <Count href={`/wards/${ward.ward.id}/alerts`} number={counts.medium} priority="medium" />
              <Count href={`/wards/${ward.ward.id}/alerts`} number={counts.low} priority="low" />
              {counts.technical > 0 && <span class="th-quiet">{counts.technical} technical</span>}
              <a href={`/wards/${ward.ward.id}/alerts`}>Alert queue, {counts.unhandled} not acknowledged</a>
            </p>
          </div>
          {/* The button that shows changes belongs to what is held: it must not vanish on the way to it. */}
          <div
            onPointerEnter={(event) => {
              this.pointer = event.pointerType === "mouse";
              this.hold();
            }}
            onPointerLeave={() => {
              this.pointer = false;
              this.hold();
            }}
            onFocusIn={() => {
              this.focus = true;
              this.hold();
            }}
            onFocusOut={(event) => {
              this.focus = event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget);
              this.hold();
            }}
          >
          <div class="th-bar">
            <div class="th-buttons th-buttons--gap">
              <div class="th-buttons" role="group" aria-label="Order of the residents">
                {(["worst", "fixed"] as const).map((order) => (
                  <button key={order} type="button" class="th-plain-button" aria-pressed={ward.order === order} onClick={() => this.choose(order)}>
                    {order === "worst" ? "Worst first" : "Fixed order"}
                  </button>
                ))}
              </div>
              <button
                type="button"
                class={`th-plain-button th-pending ${pending ? "" : "is-none"}`}
                onClick={() => {
                  ward.arrange();
                  this.changed();
                  document.querySelector<HTMLElement>(".th-scroll")?.focus();
                }}
              >
                {pending} {pending === 1 ? "change" : "changes"} – show
              </button>
            </div>
            <button
              type="button"
              class="th-plain-button"
              aria-pressed={this.sound.on}
              onClick={() => void (this.sound.on ? this.sound.turnOff() : this.sound.turnOn()).then(() => this.changed())}
            >
              {this.sound.on ? "Alarm sound is on" : "Alarm sound is off: turn on"}
            </button>
          </div>
          <div class="nhsuk-u-visually-hidden" role="status">
            {summary}
          </div>
          <div class="nhsuk-u-visually-hidden" role="alert">
            {urgent}
          </div>
          <div
            class="th-scroll th-dims"
            role="region"
            aria-label="Residents"
            tabIndex={0}
          >
            <table class="th-table th-table--cards th-board" role="table">
              <caption class="nhsuk-u-visually-hidden">Residents of {ward.ward.name}, {ward.order === "worst" ? "worst first" : "by name"}</caption>
              <BoardHead columns={ward.columns} />
              <tbody role="rowgroup">
                {ward.shown.map((id) => {
                  const row = ward.rows.get(id);
                  if (!row) return null;
                  const changed = [...Object.keys(row.latest), "news2", "alert"].filter((code) => ward.isChanged(id, code, step)).join(" ");
                  return <BoardRow key={id} row={row} state={ward} columns={ward.columns} now={step} changed={changed} gone={ward.gone.has(id)} />;
                })}
              </tbody>
            </table>
          </div>
          </div>
          <DeviceAlerts alerts={ward.deviceAlerts} now={step} zone={zone} />
        </div>
        <NewAlerts alerts={ward.raised.map((one) => one.alert)} />
      </>
    );
  }
}

/** At the foot of the window, so that nothing moves under a pointer when it appears. */
function NewAlerts({ alerts }: { alerts: Alert[] }) {
  if (!alerts.length) return null;
  return (
    <section class="th-raised" id="raised" tabIndex={-1} aria-label="New high priority alerts">
      <div class="th-wrap">
        {alerts.slice(0, 3).map((alert) => (
          <p key={alert.id}>
            <Chip priority={alert.priority} kind={alert.kind} condition={alert.condition} /> <strong>{alert.subject}</strong> {alert.reason} <a href={`/alerts/${alert.id}`}>Open and acknowledge</a>
          </p>
        ))}
        {alerts.length > 3 && <p>and {alerts.length - 3} more in the alert queue</p>}
      </div>
    </section>
  );
}

function Count({ href, number, priority }: { href: string; number: number; priority: "high" | "medium" | "low" }) {
  if (!number) return null;
  return (
    <a class="th-chip-link" href={href}>
      <span class={`th-chip th-chip--${priority}`}>
        {number} {priority}
      </span>
    </a>
  );
}

function DeviceAlerts({ alerts, now, zone }: { alerts: Alert[]; now: number; zone: string }) {
  if (!alerts.length) return null;
  return (
    <section aria-labelledby="device-alerts">
      <h2 class="th-h2" id="device-alerts">
        Devices
      </h2>
      <ul class="th-queue">
        {alerts.map((alert) => (
          <li key={alert.id} class={`th-queue__item is-${alert.priority} is-technical is-${alert.condition}`}>
            <div>
              <Chip priority={alert.priority} kind={alert.kind} condition={alert.condition} />
            </div>
            <div>
              <strong>{alert.subject}</strong>
              <p class="th-queue__why">
                <a href={`/alerts/${alert.id}`}>{alert.reason}</a>
              </p>
            </div>
            <p class="th-queue__when">
              since {since(alert.onset_at, now, zone)}, {handled(alert)}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

const data = document.getElementById("board-data");
const root = document.getElementById("board");
if (data && root) {
  const page = JSON.parse(data.textContent ?? "") as BoardPage;
  if (!new URLSearchParams(location.search).has("order")) {
    try {
      const kept = localStorage.getItem(ORDER_KEY);
      if (kept === "worst" || kept === "fixed") page.order = kept;
    } catch {
      // As the server said.
    }
  }
  root.replaceChildren();
  render(<BoardIsland {...page} />, root);
}
