// One chart on uPlot: limits as areas, silence shaded and never bridged, alerts marked, heights fixed in advance.
import uPlot from "uplot";

import type { Chart, ChartAlert, Limits, Trends } from "./contract";
import * as times from "./times";

const HEIGHT = 136;
/** Within which two labels of alerts would meet, CSS px. */
const LABEL_WIDTH = 110;
const URGENCY = { high: 0, medium: 1, low: 2 };
const INK = "#212b32";
const LINE = "#005eb8";
const RED_AREA = "#f6cfcb";
const AMBER_AREA = "#ffeebd";
const GAP_AREA = "#e2e7ea";
const ALERT_COLOURS = { high: "#b10e1e", medium: "#8a6100", low: "#00707d" };
const FONT = "12px arial, sans-serif";

export interface Window {
  from: number;
  to: number;
}

export interface Reading {
  at: number;
  text: string;
}

interface Callbacks {
  /** A stretch was chosen by dragging. */
  choose: (window: Window) => void;
  /** The reading nearest to the cursor, or null when there is no cursor. */
  read: (reading: Reading | null) => void;
}

export class Plot {
  private plot: uPlot;
  private chart: Chart;
  private alerts: ChartAlert[] = [];
  private trends: Trends;
  private window: Window;
  private readonly observer: ResizeObserver;

  constructor(
    private readonly element: HTMLElement,
    chart: Chart,
    trends: Trends,
    window: Window,
    private readonly callbacks: Callbacks,
  ) {
    this.chart = chart;
    this.trends = trends;
    this.window = window;
    this.alerts = marksOf(chart, trends);
    this.plot = new uPlot(this.options(), this.data(), element);
    this.observer = new ResizeObserver(() => this.plot.setSize({ width: this.width(), height: HEIGHT }));
    this.observer.observe(element);
  }

  update(chart: Chart, trends: Trends, window: Window): void {
    const fresh = chart !== this.chart || trends !== this.trends;
    this.chart = chart;
    this.trends = trends;
    this.window = window;
    this.alerts = marksOf(chart, trends);
    if (fresh) this.plot.setData(this.data(), false);
    this.plot.setScale("x", { min: window.from, max: window.to });
  }

  destroy(): void {
    this.observer.disconnect();
    this.plot.destroy();
  }

  private width(): number {
    return Math.max(160, this.element.clientWidth);
  }

  private data(): uPlot.AlignedData {
    const [first] = this.chart.series;
    return [first?.t ?? [], ...this.chart.series.map((series) => series.v)];
  }

  private options(): uPlot.Options {
    const { zone } = this.trends;
    const pressure = this.chart.kind === "pressure";
    return {
      width: this.width(),
      height: HEIGHT,
      ms: 1,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      tzDate: (at) => uPlot.tzDate(new Date(at), zone),
      cursor: {
        sync: { key: "trends", scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        points: { show: !pressure, size: 7 },
        y: false,
      },
      scales: {
        x: { time: true, range: () => [this.window.from, this.window.to] },
        y: { range: () => [this.chart.y[0], this.chart.y[1]] },
      },
      axes: [
        {
          stroke: INK,
          font: FONT,
          size: 26,
          gap: 6,
          grid: { stroke: "rgba(33,43,50,.10)", width: 1 },
          ticks: { show: false },
          values: (_plot, splits) => labels(splits, zone),
          space: 64,
        },
        {
          stroke: INK,
          font: FONT,
          size: 44,
          gap: 4,
          grid: { stroke: "rgba(33,43,50,.10)", width: 1 },
          ticks: { show: false },
          space: 24,
        },
      ],
      series: [
        {},
        ...this.chart.series.map(() => ({
          stroke: LINE,
          width: 1.5,
          spanGaps: false,
          ...(pressure ? { paths: () => null, points: { show: false } } : { points: { size: 5, fill: LINE, stroke: LINE } }),
        })),
      ],
      hooks: {
        drawClear: [(plot) => this.drawBelow(plot)],
        draw: [(plot) => this.drawAbove(plot)],
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.read(plot)],
      },
    } as uPlot.Options;
  }

  private selected(plot: uPlot): void {
    if (plot.select.width < 8) return;
    const from = plot.posToVal(plot.select.left, "x");
    const to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.callbacks.choose({ from, to });
  }

  private read(plot: uPlot): void {
    const index = plot.cursor.idx;
    const at = index === null || index === undefined ? undefined : plot.data[0][index];
    if (at === undefined || index === null || index === undefined) {
      this.callbacks.read(null);
      return;
    }
    const text = this.chart.series.map((series) => series.v[index] ?? "–").join("/");
    const marks = marked(this.chart.series[0]?.marks[index] ?? "");
    this.callbacks.read({ at, text: text.includes("–") && !/\d/.test(text) ? "no data" : text + marks });
  }

  private drawBelow(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const limits of this.chart.limits) this.drawLimits(plot, limits);
    for (const [from, to] of this.chart.gaps) this.drawSilence(plot, from, to, "no data");
    for (const [from, to] of this.trends.pauses) this.drawSilence(plot, from, to ?? this.trends.now_ms, "paused");
    ctx.restore();
  }

  private drawLimits(plot: uPlot, limits: Limits): void {
    const left = plot.valToPos(Math.max(limits.from_ms, this.window.from), "x", true);
    const right = plot.valToPos(Math.min(limits.to_ms ?? Infinity, this.window.to), "x", true);
    if (right <= left) return;
    const [low, high] = this.chart.y;
    const area = (from: number, to: number, colour: string) => {
      if (to <= from) return;
      const [top, bottom] = [plot.valToPos(Math.min(to, high), "y", true), plot.valToPos(Math.max(from, low), "y", true)];
      plot.ctx.fillStyle = colour;
      plot.ctx.fillRect(left, top, right - left, bottom - top);
    };
    const edge = (value: number | null, colour: string) => {
      if (value === null || value < low || value > high) return;
      const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
      plot.ctx.strokeStyle = colour;
      plot.ctx.lineWidth = 1;
      plot.ctx.beginPath();
      plot.ctx.moveTo(left, y);
      plot.ctx.lineTo(right, y);
      plot.ctx.stroke();
    };
    const { red_low, amber_low, amber_high, red_high } = limits;
    if (amber_high !== null) area(amber_high, red_high ?? high, AMBER_AREA);
    if (red_high !== null) area(red_high, high, RED_AREA);
    // On one axis with the diastolic, an area below the systolic's low limit would paint healthy diastolic values red.
    if (this.chart.kind === "pressure") {
      this.drawLowLimit(plot, left, right, amber_low ?? red_low);
      edge(red_high, "#cf8d88");
      edge(amber_high, "#d9bd6b");
      return;
    }
    if (amber_low !== null) area(red_low ?? low, amber_low, AMBER_AREA);
    if (red_low !== null) area(low, red_low, RED_AREA);
    edge(red_high, "#cf8d88");
    edge(red_low, "#cf8d88");
    edge(amber_high, "#d9bd6b");
    edge(amber_low, "#d9bd6b");
  }

  private drawLowLimit(plot: uPlot, left: number, right: number, value: number | null): void {
    if (value === null) return;
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = "#8f4a45";
    ctx.lineWidth = ratio;
    ctx.setLineDash([5 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(right, y);
    ctx.stroke();
    ctx.font = `${11 * ratio}px arial, sans-serif`;
    ctx.fillStyle = INK;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    const words = `systolic low limit ${value}`;
    // Limits of a part of the day are narrower than the words: the line alone says it there.
    if (ctx.measureText(words).width + 8 * ratio < right - left) ctx.fillText(words, left + 4 * ratio, y - 1);
    ctx.restore();
  }

  private drawSilence(plot: uPlot, from: number, to: number, word: string): void {
    const { ctx, bbox } = plot;
    const left = plot.valToPos(Math.max(from, this.window.from), "x", true);
    const right = plot.valToPos(Math.min(to, this.window.to), "x", true);
    if (right <= left) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.fillStyle = GAP_AREA;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    const ratio = devicePixelRatio;
    ctx.strokeStyle = "#c3ccd2";
    ctx.lineWidth = ratio;
    for (let x = left - bbox.height; x < right; x += 10 * ratio) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
      ctx.stroke();
    }
    ctx.font = `${12 * ratio}px arial, sans-serif`;
    const width = ctx.measureText(word).width;
    if (right - left > width + 12 * ratio) {
      const middle = (left + right) / 2;
      ctx.fillStyle = "#fff";
      ctx.fillRect(middle - width / 2 - 4 * ratio, bbox.top + 4 * ratio, width + 8 * ratio, 17 * ratio);
      ctx.fillStyle = INK;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillText(word, middle, bbox.top + 13 * ratio);
    }
    ctx.restore();
  }

  private drawAbove(plot: uPlot): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left - 4, bbox.top - 4, bbox.width + 8, bbox.height + 8);
    ctx.clip();
    if (this.chart.kind === "pressure") this.drawPressure(plot);
    else this.drawMarks(plot);
    // The most urgent is drawn last, over the others; labels that would meet are put below each other.
    const labels: number[] = [];
    const lines = this.alerts.map((alert) => {
      const x = plot.valToPos(alert.from_ms, "x", true);
      const line = labels.filter((other) => Math.abs(other - x) < LABEL_WIDTH * devicePixelRatio).length;
      labels.push(x);
      return { alert, line };
    });
    for (const { alert, line } of lines.reverse()) this.drawAlert(plot, alert, line);
    ctx.restore();
  }

  /** Each measurement as one double-ended T, from diastolic to systolic. */
  private drawPressure(plot: uPlot): void {
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    const [top, bottom] = this.chart.series;
    if (!top) return;
    ctx.strokeStyle = LINE;
    ctx.lineWidth = 2 * ratio;
    top.t.forEach((at, index) => {
      if (at < this.window.from || at > this.window.to) return;
      const [systolic, diastolic] = [top.v[index], bottom?.v[index]];
      const x = Math.round(plot.valToPos(at, "x", true));
      const ends = [systolic, diastolic].flatMap((value) => (value === null || value === undefined ? [] : [plot.valToPos(value, "y", true)]));
      ctx.beginPath();
      for (const y of ends) {
        ctx.moveTo(x - 5 * ratio, y);
        ctx.lineTo(x + 5 * ratio, y);
      }
      const [one, other] = ends;
      if (one !== undefined && other !== undefined) {
        ctx.moveTo(x, one);
        ctx.lineTo(x, other);
      }
      ctx.stroke();
      if (top.marks[index]) this.symbol(ctx, top.marks[index] ?? "", x, ends[0] ?? 0, ratio);
    });
  }

  private drawMarks(plot: uPlot): void {
    for (const series of this.chart.series) {
      series.t.forEach((at, index) => {
        const [marks, value] = [series.marks[index], series.v[index]];
        if (!marks || value === null || value === undefined || at < this.window.from || at > this.window.to) return;
        this.symbol(plot.ctx, marks, plot.valToPos(at, "x", true), plot.valToPos(value, "y", true), devicePixelRatio);
      });
    }
  }

  /** Keyed: a diamond. Time estimated: a hollow ring, dashed around another sign. Extreme: a triangle. Conflict: a cross. */
  private symbol(ctx: CanvasRenderingContext2D, marks: string, x: number, y: number, ratio: number): void {
    const r = 4.5 * ratio;
    ctx.save();
    ctx.strokeStyle = INK;
    ctx.fillStyle = "#fff";
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    if (marks.includes("keyed")) {
      ctx.moveTo(x, y - r);
      ctx.lineTo(x + r, y);
      ctx.lineTo(x, y + r);
      ctx.lineTo(x - r, y);
      ctx.closePath();
      ctx.fill();
    } else if (marks.includes("extreme")) {
      ctx.moveTo(x, y - r);
      ctx.lineTo(x + r, y + r);
      ctx.lineTo(x - r, y + r);
      ctx.closePath();
      ctx.fill();
    } else if (marks.includes("conflict")) {
      ctx.moveTo(x - r, y - r);
      ctx.lineTo(x + r, y + r);
      ctx.moveTo(x + r, y - r);
      ctx.lineTo(x - r, y + r);
    } else {
      ctx.arc(x, y, r, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.stroke();
    if (marks.includes("uncertain") && marks !== "uncertain") {
      ctx.setLineDash([2 * ratio, 2 * ratio]);
      ctx.beginPath();
      ctx.arc(x, y, 1.9 * r, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.restore();
  }

  private drawAlert(plot: uPlot, alert: ChartAlert, line: number): void {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    const colour = ALERT_COLOURS[alert.priority];
    const left = plot.valToPos(alert.from_ms, "x", true);
    const right = plot.valToPos(Math.min(alert.to_ms ?? this.trends.now_ms, this.window.to), "x", true);
    if (right < bbox.left || left > bbox.left + bbox.width) return;
    ctx.fillStyle = colour;
    ctx.fillRect(Math.max(left, bbox.left), bbox.top, Math.max(right - Math.max(left, bbox.left), 2 * ratio), 4 * ratio);
    if (left < bbox.left) return;
    ctx.fillRect(left - ratio, bbox.top, 2 * ratio, bbox.height);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left + 12 * ratio, bbox.top + 6 * ratio);
    ctx.lineTo(left, bbox.top + 12 * ratio);
    ctx.fill();
    ctx.font = `bold ${12 * ratio}px arial, sans-serif`;
    ctx.textBaseline = "top";
    const words = { high: "***", medium: "**", low: "*" }[alert.priority];
    const room = bbox.left + bbox.width - left > LABEL_WIDTH * ratio;
    ctx.textAlign = room ? "left" : "right";
    const about = alert.chart === null ? (/NEWS2|Early warning/.test(alert.label) ? " NEWS2" : " not this measure") : "";
    const text = `${words}${about} ${times.time(alert.from_ms, this.trends.zone)}`;
    const y = bbox.top + (6 + 14 * line) * ratio;
    const x = room ? left + 14 * ratio : left - 4 * ratio;
    ctx.strokeStyle = "rgba(255,255,255,.9)";
    ctx.lineWidth = 3 * ratio;
    ctx.strokeText(text, x, y);
    ctx.fillText(text, x, y);
  }
}

/** Alerts of a chart, the most urgent first; those of no single chart belong to the first one. */
export function marksOf(chart: Chart, trends: Trends): ChartAlert[] {
  const first = trends.charts[0] === chart;
  const found = trends.alerts.filter((alert) => alert.chart === chart.key || (alert.chart === null && first));
  return found.sort((one, other) => URGENCY[one.priority] - URGENCY[other.priority]);
}

/** " (time estimated, keyed)": the marks of a point in words. */
export function marked(marks: string): string {
  const words = marks.split(" ").map((word) => (word === "uncertain" ? "time estimated" : word));
  return marks ? ` (${words.join(", ")})` : "";
}

/** 18:00, and the date where a day begins; the first label always tells the date. */
function labels(splits: number[], zone: string): string[] {
  const daily = splits.length > 1 && (splits[1] ?? 0) - (splits[0] ?? 0) >= 86_400_000;
  return splits.map((at, index) => {
    const clock = times.time(at, zone);
    if (daily || clock === "00:00") return times.shortDate(at, zone);
    return index === 0 ? `${times.shortDate(at, zone)} ${clock}` : clock;
  });
}

/** One sentence that says what the picture shows. */
export function summary(chart: Chart, trends: Trends, window: Window): string {
  const { zone } = trends;
  const inside = chart.series.map((series) => series.v.filter((value, index): value is number => value !== null && (series.t[index] ?? 0) >= window.from && (series.t[index] ?? 0) <= window.to));
  const spans = inside.map((values) => (values.length ? `${Math.min(...values)} to ${Math.max(...values)}` : "none"));
  const gaps = chart.gaps.filter(([from, to]) => to > window.from && from < window.to).length;
  const alerts = marksOf(chart, trends).filter((alert) => (alert.to_ms ?? Infinity) > window.from && alert.from_ms < window.to).length;
  const parts = [`${chart.name} from ${times.moment(window.from, zone)} to ${times.moment(window.to, zone)}`];
  if (inside.every((values) => !values.length)) parts.push("no readings");
  else parts.push(`${inside[0]?.length ?? 0} ${inside[0]?.length === 1 ? "reading" : "readings"}, ${chart.kind === "pressure" ? `systolic ${spans[0]}, diastolic ${spans[1] ?? "none"}` : spans[0]} ${chart.unit}`);
  if (chart.latest) parts.push(`latest ${chart.latest.text} at ${times.moment(times.ms(chart.latest.at), zone)}`);
  const first = chart.series[0];
  const estimated = first ? first.marks.filter((marks, index) => marks.includes("uncertain") && first.v[index] !== null && (first.t[index] ?? 0) >= window.from && (first.t[index] ?? 0) <= window.to).length : 0;
  if (estimated) parts.push(`the time of ${estimated} is estimated because a device's clock was wrong`);
  if (gaps) parts.push(`${gaps} ${gaps === 1 ? "stretch" : "stretches"} without data`);
  if (alerts) parts.push(`${alerts} ${alerts === 1 ? "alert" : "alerts"}`);
  return `${parts.join("; ")}.`;
}
