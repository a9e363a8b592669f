// The state of one ward's board: rows by id, what changed when, and an order that does not move under a hand.
import type { Alert, Board, Column, Latest, Order, Row, Ward } from "./contract";

/** How long a changed cell stays marked. */
export const MARKED_MS = 60_000;

export interface Raised {
  alert: Alert;
  at: number;
}

export class WardState {
  ward: Ward;
  columns: Column[];
  rows = new Map<number, Row>();
  deviceAlerts: Alert[];
  order: Order;
  /** Ids in the order that is on the screen. */
  shown: number[] = [];
  /** Rows that left the ward while the order was held. */
  gone = new Set<number>();
  /** High priority alerts that arrived since the page was opened and are not handled yet. */
  raised: Raised[] = [];
  private held = false;
  private worseWhenShown = new Map<number, number>();
  private changedAt = new Map<string, number>();

  constructor(board: Board, order: Order) {
    this.ward = board.ward;
    this.columns = board.columns;
    this.deviceAlerts = board.device_alerts;
    this.order = order;
    for (const row of board.rows) this.rows.set(row.id, row);
    this.arrange();
  }

  replace(board: Board, now: number): void {
    this.ward = board.ward;
    this.columns = board.columns;
    this.deviceAlerts = board.device_alerts;
    const present = new Set(board.rows.map((row) => row.id));
    this.update(board.rows, [...this.rows.keys()].filter((id) => !present.has(id)), now);
  }

  update(rows: Row[], removed: number[], now: number): void {
    for (const row of rows) {
      const before = this.rows.get(row.id);
      if (before) this.mark(before, row, now);
      this.rows.set(row.id, row);
      this.gone.delete(row.id);
    }
    for (const id of removed) if (this.rows.has(id)) this.gone.add(id);
    if (!this.held) this.arrange();
    else this.shown.push(...rows.filter((row) => !this.shown.includes(row.id)).map((row) => row.id));
  }

  /** Held while a pointer or the focus is in the table. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.arrange();
  }

  arrange(): void {
    for (const id of this.gone) this.rows.delete(id);
    this.gone.clear();
    this.shown = this.wanted();
    this.worseWhenShown = new Map([...this.rows.values()].map((row) => [row.id, row.worse]));
  }

  choose(order: Order): void {
    this.order = order;
    this.arrange();
  }

  /** How many rows would move or come or go if the order were refreshed now. */
  get pending(): number {
    const wanted = this.wanted();
    const same = wanted.length === this.shown.length && wanted.every((id, index) => id === this.shown[index]);
    if (same && !this.gone.size) return 0;
    const moved = [...this.rows.values()].filter((row) => this.worseWhenShown.get(row.id) !== row.worse).length;
    return Math.max(1, moved + this.gone.size);
  }

  isChanged(id: number, code: string, now: number): boolean {
    const at = this.changedAt.get(`${id} ${code}`);
    return at !== undefined && now - at < MARKED_MS;
  }

  private wanted(): number[] {
    const byName = (one: Row, other: Row) => (one.sort_name < other.sort_name ? -1 : one.sort_name > other.sort_name ? 1 : one.id - other.id);
    const rows = [...this.rows.values()].filter((row) => !this.gone.has(row.id));
    rows.sort(this.order === "fixed" ? byName : (one, other) => other.worse - one.worse || byName(one, other));
    return rows.map((row) => row.id);
  }

  private mark(before: Row, after: Row, now: number): void {
    for (const [code, latest] of Object.entries(after.latest)) {
      if (differs(before.latest[code], latest)) this.changedAt.set(`${after.id} ${code}`, now);
    }
    if (before.news2?.label !== after.news2?.label) this.changedAt.set(`${after.id} news2`, now);
    const [was, is] = [before.alert, after.alert];
    if (was?.id !== is?.id || was?.reason !== is?.reason || was?.handling !== is?.handling || was?.condition !== is?.condition || was?.count !== is?.count) {
      this.changedAt.set(`${after.id} alert`, now);
    }
  }
}

function differs(before: Latest | undefined, after: Latest): boolean {
  return before?.effective_at !== after.effective_at || before.text !== after.text || before.level !== after.level;
}
