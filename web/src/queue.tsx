// The alert queue, kept live; acknowledging happens in place, and works as a plain form where no script runs.
import { Component, createRef, render } from "preact";

import type { Alert, FromServer, QueuePage } from "./contract";
import { Live } from "./live";
import { LiveBar } from "./livebar";
import { Chip, handled, since, spaced, worstFirst } from "./signs";

interface State {
  version: number;
  step: number;
  said: string;
  urgent: string;
  failed: string;
}

/** The same words as in templates/alerts.html. */
const ORDER = { open: "Worst first", all: "Open ones first, worst first", automatic: "Back to normal before anybody had to act; nobody has acknowledged these" };
const NONE = { open: "No alert is open on this ward.", all: "There has been no alert on this ward.", automatic: "Nothing has been handled automatically on this ward." };

class QueueIsland extends Component<QueuePage, State> {
  private alerts = new Map(this.props.alerts.map((alert) => [alert.id, alert]));
  private shown = this.props.alerts.map((alert) => alert.id);
  private pointer = false;
  private focus = false;
  private live = new Live(
    this.props.live,
    { wards: [this.props.ward.id] },
    (message) => this.take(message),
    () => this.setState((state) => ({ version: state.version + 1, step: Math.floor(this.live.now() / 10_000) * 10_000 })),
  );

  override state: State = { version: 0, step: Date.parse(this.props.now), said: "", urgent: "", failed: "" };

  override componentDidMount(): void {
    this.live.start(this.props.now);
  }

  private take(message: FromServer): void {
    if (message.t === "event" && message.ward === this.props.ward.id) {
      const { alert, what, replayed } = message;
      this.put(alert);
      if (what === "raised" && !replayed && alert.priority === "high" && alert.handling === "new") this.setState({ urgent: `High priority alert. ${alert.subject}: ${alert.reason}` });
    } else if (message.t === "snap") void this.reload();
  }

  private put(alert: Alert): void {
    this.alerts.set(alert.id, alert);
    this.settle();
  }

  /** What changed while no socket was open; the events since then come over the socket. */
  private async reload(): Promise<void> {
    const query = new URLSearchParams({ ward: String(this.props.ward.id), open: "true", limit: "200" });
    try {
      const answer = await fetch(`/api/v1/alerts?${query}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const { items, next } = (await answer.json()) as { items: Alert[]; next: string | null };
      const listed = new Set(items.map((alert) => alert.id));
      if (next === null) for (const [id, alert] of this.alerts) if (!listed.has(id) && alert.open) this.alerts.set(id, { ...alert, open: false });
      for (const alert of items) this.alerts.set(alert.id, alert);
      this.settle();
    } catch {
      // The bar says already whether the page can be believed.
    }
  }

  private wanted(): number[] {
    const { show } = this.props;
    const listed = [...this.alerts.values()].filter((alert) => (show === "automatic" ? alert.handling === "automatic" : alert.open || show === "all"));
    return listed.sort(worstFirst).map((alert) => alert.id);
  }

  private settle = (): void => {
    if (!this.pointer && !this.focus) this.shown = this.wanted();
    this.setState((state) => ({ version: state.version + 1 }));
  };

  private acted = (alert: Alert, said: string): void => {
    this.setState({ said, failed: "" });
    this.put(alert);
  };

  override render() {
    const { ward, show, csrf, automatic } = this.props;
    const { step, said, urgent, failed } = this.state;
    const wanted = this.wanted();
    const present = new Set(this.shown);
    const fresh = wanted.filter((id) => !present.has(id)).length;
    const pending = fresh || (wanted.join() === this.shown.join() ? 0 : 1);
    const here = location.pathname;
    return (
      <>
        <LiveBar status={this.live.status} now={this.live.serverNow()} zone={ward.zone} />
        <div class="th-wrap th-main">
          <h1 class="th-h1">
            Alert queue <span class="th-quiet">{ward.name}</span>
          </h1>
          <div
              onPointerEnter={(event) => {
                this.pointer = event.pointerType === "mouse";
              }}
              onPointerLeave={() => {
                this.pointer = false;
                this.settle();
              }}
              onFocusIn={() => {
                this.focus = true;
              }}
              onFocusOut={(event) => {
                this.focus = event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget);
                if (!this.focus) this.settle();
              }}
          >
          <div class="th-bar">
            <div class="th-buttons th-buttons--gap">
              <div class="th-buttons" role="group" aria-label="Which alerts">
                <a class="th-plain-button" href={here} aria-current={show === "open" ? "true" : undefined}>
                  Open
                </a>
                <a class="th-plain-button" href={`${here}?show=all`} aria-current={show === "all" ? "true" : undefined}>
                  All, newest 200
                </a>
                <a class="th-plain-button" href={`${here}?show=automatic`} aria-current={show === "automatic" ? "true" : undefined}>
                  Handled automatically{automatic > 0 && ` (${automatic} in 24hr)`}
                </a>
              </div>
              <button
                type="button"
                class={`th-plain-button th-pending ${pending ? "" : "is-none"}`}
                onClick={() => {
                  this.shown = wanted;
                  this.setState((state) => ({ version: state.version + 1 }));
                  document.getElementById("queue-list")?.focus();
                }}
              >
                {fresh ? `${fresh} new – show` : "Order changed – show"}
              </button>
            </div>
            <p class="th-quiet">{ORDER[show]}</p>
          </div>
          <div role="status">{said && <p class="th-notice">{said}</p>}</div>
          <div role="alert">
            <span class="nhsuk-u-visually-hidden">{urgent}</span>
            {failed && <p class="th-problem">{failed}</p>}
          </div>
          {this.shown.length === 0 ? (
            <p class="th-card">{NONE[show]}</p>
          ) : (
            <ul
              class="th-queue th-dims"
              id="queue-list"
              tabIndex={-1}
            >
              {this.shown.map((id) => {
                const alert = this.alerts.get(id);
                return (
                  alert && (
                    <Item key={id} alert={alert} now={step} zone={ward.zone} csrf={csrf} here={here} mayCare={this.props.may_care} onDone={this.acted} onFailed={(text) => this.setState({ failed: text })} />
                  )
                );
              })}
            </ul>
          )}
          </div>
        </div>
      </>
    );
  }
}

interface ItemProps {
  alert: Alert;
  now: number;
  zone: string;
  csrf: string;
  here: string;
  mayCare: boolean;
  onDone: (alert: Alert, said: string) => void;
  onFailed: (text: string) => void;
}

class Item extends Component<ItemProps> {
  private link = createRef<HTMLAnchorElement>();
  private key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  private sending = false;

  private acknowledge = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (this.sending) return;
    this.sending = true;
    const { alert, csrf, onDone, onFailed } = this.props;
    const note = String(new FormData(event.target as HTMLFormElement).get("note") ?? "");
    try {
      const answer = await fetch(`/api/v1/alerts/${alert.id}/acknowledge`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, "Idempotency-Key": this.key },
        body: JSON.stringify({ note }),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      onDone((await answer.json()) as Alert, `Acknowledged: ${alert.subject}, ${alert.reason}`);
      this.link.current?.focus();
    } catch {
      onFailed(`Not acknowledged: ${alert.subject}, ${alert.reason}. Try again, or open the alert and do it there.`);
    } finally {
      this.sending = false;
    }
  };

  override render() {
    const { alert, now, zone, csrf, here, mayCare } = this.props;
    const words = (
      <span class="nhsuk-u-visually-hidden">
        {" "}
        {alert.subject}: {alert.reason}
      </span>
    );
    return (
      <li class={`th-queue__item is-${alert.priority} is-${alert.kind} is-${alert.condition} ${alert.open ? "" : "is-closed"}`} data-alert={alert.id}>
        <div>
          <Chip priority={alert.priority} kind={alert.kind} condition={alert.condition} />
        </div>
        <div>
          {alert.resident_id === null ? (
            <span class="th-queue__who">{alert.subject}</span>
          ) : (
            <>
              <a class="th-queue__who" href={`/residents/${alert.resident_id}`}>
                {alert.subject}
              </a>{" "}
              <span class="th-quiet">{spaced(alert.nhs_number)}</span>
            </>
          )}
          <p class="th-queue__why">
            <a ref={this.link} href={`/alerts/${alert.id}`}>
              {alert.reason}
            </a>
          </p>
          <p class="th-queue__when">
            since {since(alert.onset_at, now, zone)}
            {alert.late && `, received late, ${since(alert.raised_at, now, zone)}`}, {handled(alert)}
            {alert.provisional && ", provisional"}
            {!alert.open && ", closed"}
          </p>
        </div>
        <div>
          {mayCare && alert.open && alert.handling === "new" && (
            <details class="th-act">
              <summary class="th-plain-button">Acknowledge{words}</summary>
              <form class="th-form" method="post" action={`/alerts/${alert.id}/acknowledge`} onSubmit={(event) => void this.acknowledge(event)}>
                <input type="hidden" name="csrf" value={csrf} />
                <input type="hidden" name="next" value={here} />
                <div class="nhsuk-form-group">
                  <label class="nhsuk-label" for={`note-${alert.id}`}>
                    Note (optional)
                  </label>
                  <textarea class="nhsuk-textarea" id={`note-${alert.id}`} name="note" rows={2} maxLength={2000} />
                </div>
                <button class="nhsuk-button nhsuk-button--small">Acknowledge</button>
              </form>
            </details>
          )}
          {mayCare && alert.open && alert.handling !== "new" && <a href={`/alerts/${alert.id}`}>Resolve{words}</a>}
        </div>
      </li>
    );
  }
}

const data = document.getElementById("queue-data");
const root = document.getElementById("queue");
if (data && root) {
  const page = JSON.parse(data.textContent ?? "") as QueuePage;
  root.replaceChildren();
  render(<QueueIsland {...page} />, root);
}
