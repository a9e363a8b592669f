// The stacked charts of one resident, with one window of time for all; zoomed by buttons or by dragging.
import { Component, createRef } from "preact";

import { Plot, marked, summary } from "./chart";
import type { Reading, Window } from "./chart";
import type { Chart, Trends } from "./contract";
import * as times from "./times";

const HOUR = 3_600_000;
const PRESETS: [string, number][] = [
  ["4hr", 4 * HOUR],
  ["24hr", 24 * HOUR],
  ["7 days", 168 * HOUR],
  ["14 days", 336 * HOUR],
];
const SHORTEST = 10 * 60_000;
const LONGEST = 60 * 24 * HOUR;
const TABLE_ROWS = 500;

interface Props {
  trends: Trends;
  /** Clinical now, ms. */
  now: () => number;
  load: (from: number, to: number) => Promise<Trends | null>;
}

interface State {
  trends: Trends;
  window: Window;
  table: boolean;
  loading: boolean;
  failed: boolean;
}

export class TrendsView extends Component<Props, State> {
  private asked = 0;

  override state: State = {
    trends: this.props.trends,
    window: { from: this.props.trends.from_ms, to: this.props.trends.to_ms },
    table: false,
    loading: false,
    failed: false,
  };

  /** New data came: a window that ends now moves on with it. */
  refresh(): void {
    const { window } = this.state;
    if (window.to < this.state.trends.now_ms - 60_000) return;
    const to = this.props.now();
    this.show({ from: to - (window.to - window.from), to }, true);
  }

  private show(window: Window, reload = false): void {
    const { trends } = this.state;
    const span = Math.min(LONGEST, Math.max(SHORTEST, window.to - window.from));
    const to = Math.min(window.to, this.props.now() + 60_000);
    const next = { from: to - span, to };
    this.setState({ window: next });
    const covered = next.from >= trends.from_ms - 1000 && next.to <= trends.to_ms + 90_000 && !trends.truncated;
    if (!covered || reload) void this.load(next, reload);
  }

  private async load(window: Window, quiet: boolean): Promise<void> {
    const mine = ++this.asked;
    if (!quiet) this.setState({ loading: true });
    const { trends } = this.state;
    const from = quiet && !trends.truncated ? Math.min(window.from, trends.from_ms) : window.from;
    const loaded = await this.props.load(Math.max(from, window.to - LONGEST), window.to);
    if (mine !== this.asked) return;
    this.setState(loaded ? { trends: loaded, loading: false, failed: false } : { loading: false, failed: true });
  }

  private zoom(factor: number): void {
    const { window } = this.state;
    const span = window.to - window.from;
    // Keeps the newest in view while it is in view: that is what people look at.
    const middle = window.to >= this.props.now() - 60_000 ? window.to - (span * factor) / 2 : (window.from + window.to) / 2;
    this.show({ from: middle - (span * factor) / 2, to: middle + (span * factor) / 2 });
  }

  private shift(part: number): void {
    const { window } = this.state;
    const by = (window.to - window.from) * part;
    this.show({ from: window.from + by, to: window.to + by });
  }

  private preset(span: number): void {
    const to = this.props.now();
    this.show({ from: to - span, to });
  }

  override render() {
    const { trends, window, table, loading, failed } = this.state;
    const { zone } = trends;
    const span = window.to - window.from;
    const atNow = window.to >= this.props.now() - 60_000;
    return (
      <section class="th-trends" aria-labelledby="trends-heading">
        <h2 class="th-h2" id="trends-heading">
          Trends
        </h2>
        <div class="th-trends__tools">
          <div class="th-buttons th-buttons--gap">
            <div class="th-buttons" role="group" aria-label="Length of time">
              {PRESETS.map(([name, length]) => (
                <button key={name} type="button" class="th-plain-button" aria-pressed={atNow && Math.abs(span - length) < 120_000} onClick={() => this.preset(length)}>
                  {name}
                </button>
              ))}
            </div>
            <div class="th-buttons" role="group" aria-label="Look closer or move">
              <button type="button" class="th-plain-button" onClick={() => this.zoom(0.5)}>
                <span aria-hidden="true">+</span>
                <span class="nhsuk-u-visually-hidden">Zoom in</span>
              </button>
              <button type="button" class="th-plain-button" onClick={() => this.zoom(2)}>
                <span aria-hidden="true">−</span>
                <span class="nhsuk-u-visually-hidden">Zoom out</span>
              </button>
              <button type="button" class="th-plain-button" onClick={() => this.shift(-0.5)}>
                <span aria-hidden="true">◀ </span>Earlier
              </button>
              <button type="button" class="th-plain-button" aria-disabled={atNow} onClick={() => !atNow && this.shift(0.5)}>
                Later<span aria-hidden="true"> ▶</span>
              </button>
            </div>
          </div>
          <button type="button" class="th-plain-button" aria-pressed={table} onClick={() => this.setState({ table: !table })}>
            Show as table
          </button>
        </div>
        <p class="th-quiet th-trends__range" role="status">
          {times.moment(window.from, zone)} to {times.moment(window.to, zone)}
          {atNow && " (now)"}
          {loading && ". Loading"}
          {failed && ". Could not be loaded: what is outside the last range is missing"}
        </p>
        {trends.charts.length === 0 && <p class="th-card">No readings in this time. Choose a longer one, or go to an earlier one.</p>}
        {table ? (
          <Numbers trends={trends} window={window} />
        ) : (
          <>
            {trends.charts.map((chart) => (
              <ChartCard key={chart.key} chart={chart} trends={trends} window={window} choose={(chosen) => this.show(chosen)} />
            ))}
            {trends.charts.length > 0 && <Legend />}
          </>
        )}
      </section>
    );
  }
}

function Legend() {
  return (
    <ul class="th-legend">
      <li>
        <span class="th-chart-key th-chart-key--red" /> beyond this resident's red limit
      </li>
      <li>
        <span class="th-chart-key th-chart-key--amber" /> beyond the amber limit
      </li>
      <li>
        <span class="th-chart-key th-chart-key--gap" /> no data, or paused
      </li>
      <li>◇ keyed by staff</li>
      <li>○ time estimated: the device's clock was wrong</li>
      <li>△ extreme</li>
      <li>× conflict</li>
      <li>⚑ alert: *** high, ** medium, * low</li>
      <li>Drag over a chart to look closer. This is not the NEWS2 chart.</li>
    </ul>
  );
}

interface CardProps {
  chart: Chart;
  trends: Trends;
  window: Window;
  choose: (window: Window) => void;
}

class ChartCard extends Component<CardProps, { reading: Reading | null }> {
  private place = createRef<HTMLDivElement>();
  private plot: Plot | null = null;

  override state = { reading: null as Reading | null };

  override componentDidMount(): void {
    const { chart, trends, window, choose } = this.props;
    if (this.place.current) this.plot = new Plot(this.place.current, chart, trends, window, { choose, read: (reading) => this.setState({ reading }) });
  }

  override componentDidUpdate(before: CardProps): void {
    const { chart, trends, window } = this.props;
    if (before.chart !== chart || before.trends !== trends || before.window !== window) this.plot?.update(chart, trends, window);
  }

  override componentWillUnmount(): void {
    this.plot?.destroy();
  }

  override render() {
    const { chart, trends, window } = this.props;
    const { reading } = this.state;
    return (
      <div class="th-chart" data-chart={chart.key}>
        <div class="th-chart__head">
          <h3 class="th-chart__title">
            {chart.name} <span class="th-quiet">{chart.unit}</span>
          </h3>
          <p class="th-chart__now">
            {reading ? (
              <span class="th-quiet">
                {times.moment(reading.at, trends.zone)}: <strong class="th-chart__read">{reading.text}</strong>
              </span>
            ) : (
              <>
                <span class="th-quiet">
                  {chart.previous && `previous ${chart.previous.text}, `}latest {chart.latest && times.moment(times.ms(chart.latest.at), trends.zone)}
                </span>{" "}
                <strong>{chart.latest?.text ?? "–"}</strong>
              </>
            )}
          </p>
        </div>
        <div class="th-chart__plot" role="img" aria-label={summary(chart, trends, window)} ref={this.place} />
      </div>
    );
  }
}

/** The same numbers, newest first: one row a moment, one column a chart. */
function Numbers({ trends, window }: { trends: Trends; window: Window }) {
  const rows = new Map<number, Map<string, string>>();
  for (const chart of trends.charts) {
    const [first] = chart.series;
    first?.t.forEach((at, index) => {
      if (at < window.from || at > window.to) return;
      const values = chart.series.map((series) => series.v[index]);
      if (values.every((value) => value === null || value === undefined)) return;
      const row = rows.get(at) ?? new Map<string, string>();
      const marks = first.marks[index];
      row.set(chart.key, values.map((value) => value ?? "–").join("/") + marked(marks ?? ""));
      rows.set(at, row);
    });
  }
  const ordered = [...rows].sort(([one], [other]) => other - one);
  return (
    <div class="th-scroll" role="region" aria-labelledby="numbers-caption" tabIndex={0}>
      <table class="th-table th-numbers">
        <caption id="numbers-caption">
          Readings from {times.moment(window.from, trends.zone)} to {times.moment(window.to, trends.zone)}, newest first
          {ordered.length > TABLE_ROWS && `; the newest ${TABLE_ROWS} of ${ordered.length}`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {trends.charts.map((chart) => (
              <th key={chart.key} scope="col" class="th-num">
                {chart.name}
                <span class="th-unit">{chart.unit}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {ordered.slice(0, TABLE_ROWS).map(([at, row]) => (
            <tr key={at}>
              <th scope="row">{times.moment(at, trends.zone)}</th>
              {trends.charts.map((chart) => (
                <td key={chart.key} class="th-num">
                  {row.get(chart.key) ?? ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
