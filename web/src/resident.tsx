// The resident's page: live bar, latest values, alerts and trends. The forms and the table stay the server's.
import { Component, createRef, render } from "preact";

import type { Alert, Column, FirstLive, FromServer, Opinion, Row, Trends, Ward } from "./contract";
import { Latests, titled } from "./latests";
import { Live } from "./live";
import { LiveBar } from "./livebar";
import { Opinions } from "./opinions";
import { Chip, handled, since, worstFirst } from "./signs";
import { TrendsView } from "./trends";

const RELOAD_MS = 4_000;
// What rules think changes once readings are judged, shortly after they are told of, and with time alone.
const JUDGED_MS = 1_500;
const RULES_MS = 60_000;

interface Page {
  resident: { id: number; name: string };
  ward: Ward;
  trends: Trends;
  alerts: Alert[];
  opinions: Opinion[];
  row: Row | null;
  fields: { code: string; name: string }[];
  columns: Column[];
  now: string;
  live: FirstLive;
}

interface State {
  version: number;
  urgent: string;
}

class ResidentIsland extends Component<Page, State> {
  private view = createRef<TrendsView>();
  private alerts = new Map(this.props.alerts.map((alert) => [alert.id, alert]));
  private row: Row | null = this.props.row;
  private snapped = false;
  private reloadedAt = 0;
  private waiting: number | undefined;
  private asking: number | undefined;
  private live = new Live(
    this.props.live,
    { residents: [this.props.resident.id] },
    (message) => this.take(message),
    () => {
      this.drawBar();
      this.setState((state) => ({ version: state.version + 1 }));
    },
  );

  override state: State = { version: 0, urgent: "" };

  override componentDidMount(): void {
    this.live.start(this.props.now);
    this.drawRules(this.props.opinions);
    this.askRules(RULES_MS);
  }

  private drawRules(opinions: Opinion[]): void {
    const rules = document.getElementById("rules");
    if (rules) render(opinions.length > 0 ? <Opinions list={opinions} /> : null, rules);
  }

  private askRules(after: number): void {
    window.clearTimeout(this.asking);
    this.asking = window.setTimeout(() => {
      this.askRules(RULES_MS);
      if (!document.hidden) void this.loadRules();
    }, after);
  }

  private async loadRules(): Promise<void> {
    try {
      const answer = await fetch(`/api/v1/residents/${this.props.resident.id}/opinions`, { headers: { Accept: "application/json" } });
      if (answer.ok) this.drawRules(((await answer.json()) as { items: Opinion[] }).items);
    } catch {
      // The live bar says that the service cannot be reached; what is shown stays, dimmed.
    }
  }

  private take(message: FromServer): void {
    if ((message.t !== "snap" && message.t !== "d") || !("resident" in message)) return;
    const changed = this.snapped;
    this.snapped = true;
    this.row = message.row ?? this.row;
    const open = new Set(message.alerts.map((alert) => alert.id));
    for (const [id, alert] of this.alerts) if (alert.open && !open.has(id)) this.alerts.set(id, { ...alert, open: false });
    for (const alert of message.alerts) {
      if (!this.alerts.has(alert.id) && alert.priority === "high") this.setState({ urgent: `High priority alert. ${alert.reason}` });
      this.alerts.set(alert.id, alert);
    }
    // The page may have been made before what it was read for had been judged.
    if (changed) this.reloadSoon();
    else this.askRules(JUDGED_MS);
  }

  private drawBar(): void {
    const bar = document.getElementById("live");
    if (bar) render(<LiveBar status={this.live.status} now={this.live.serverNow()} zone={this.props.ward.zone} />, bar);
  }

  private reloadSoon(): void {
    if (this.waiting !== undefined) return;
    this.waiting = window.setTimeout(
      () => {
        this.waiting = undefined;
        this.reloadedAt = Date.now();
        this.view.current?.refresh();
        this.askRules(JUDGED_MS);
      },
      Math.max(0, this.reloadedAt + RELOAD_MS - Date.now()),
    );
  }

  private load = async (from: number, to: number): Promise<Trends | null> => {
    const query = new URLSearchParams({ since: new Date(from).toISOString(), until: new Date(to).toISOString() });
    try {
      const answer = await fetch(`/api/v1/residents/${this.props.resident.id}/trends?${query}`, { headers: { Accept: "application/json" } });
      return answer.ok ? ((await answer.json()) as Trends) : null;
    } catch {
      return null;
    }
  };

  private named = (code: string): string => this.props.fields.find((field) => field.code === code)?.name ?? titled(code);

  override render() {
    const { trends } = this.props;
    const { zone } = trends;
    const alerts = [...this.alerts.values()].sort(worstFirst);
    return (
      <>
        <div class="nhsuk-u-visually-hidden" role="alert">
          {this.state.urgent}
        </div>
        {this.row && <Latests row={this.row} name={this.named} columns={this.props.columns} now={this.live.now()} />}
        <section id="alerts" aria-labelledby="alerts-heading" class="th-dims">
          <h2 class="th-h2" id="alerts-heading">
            Alerts
          </h2>
          <AlertList alerts={alerts} now={this.live.now()} zone={zone} />
        </section>
        <TrendsView ref={this.view} trends={trends} now={() => this.live.now()} load={this.load} />
      </>
    );
  }
}

function AlertList({ alerts, now, zone }: { alerts: Alert[]; now: number; zone: string }) {
  const open = alerts.filter((alert) => alert.open);
  const closed = alerts.filter((alert) => !alert.open);
  return (
    <>
      {open.length === 0 && <p>No alert is open.</p>}
      <ul class="th-plain-list">
        {open.map((alert) => (
          <AlertLine key={alert.id} alert={alert} now={now} zone={zone} />
        ))}
      </ul>
      {closed.length > 0 && (
        <details class="th-act">
          <summary class="th-plain-button">{closed.length} earlier</summary>
          <ul class="th-plain-list">
            {closed.map((alert) => (
              <AlertLine key={alert.id} alert={alert} now={now} zone={zone} />
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function AlertLine({ alert, now, zone }: { alert: Alert; now: number; zone: string }) {
  return (
    <li>
      <Chip priority={alert.priority} kind={alert.kind} condition={alert.condition} /> <a href={`/alerts/${alert.id}`}>{alert.reason}</a>{" "}
      <span class="th-quiet">
        since {since(alert.onset_at, now, zone)}, {handled(alert)}
      </span>
    </li>
  );
}

const data = document.getElementById("resident-data");
const root = document.getElementById("resident");
if (data && root) {
  const page = JSON.parse(data.textContent ?? "") as Page;
  root.replaceChildren();
  document.getElementById("live")?.replaceChildren();
  document.getElementById("rules")?.replaceChildren();
  render(<ResidentIsland {...page} />, root);
}
