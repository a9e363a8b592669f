// Notes that are never lost: in memory and in the tab's own store with every key, on the server a second later. What the
// server has not confirmed stays in the tab through reloads and crashes of the page.
import type { Acts } from "./acts";

const TYPED_MS = 1_000;
const RETRY_FIRST_MS = 2_000;
const RETRY_LAST_MS = 15_000;
/** Answers that trying again does not change: the visit is over, or is not theirs any more. */
const FINAL = [400, 403, 404, 409, 413, 422];
const TRIED = 5;

export interface Saved {
  text: string;
  version: number;
  saved_at: string | null;
}

export type NoteState =
  | { is: "saved"; at: string | null }
  | { is: "changed" }
  | { is: "saving" }
  /** Kept here; why the server does not have it, and whether it is tried again. */
  | { is: "kept"; why: string; again: boolean }
  | { is: "conflict"; newer: Saved };

interface Note {
  text: string;
  version: number;
  /** What was sent without an answer: the server may have any of it. */
  tried: string[];
  state: NoteState;
  timer: number | undefined;
  failures: number;
  busy: boolean;
}

/** What the tab keeps itself. */
type Kept = Pick<Note, "text" | "version"> & { tried?: string[] };

function fresh(saved: Saved): Note {
  return { text: saved.text, version: saved.version, tried: [], state: { is: "saved", at: saved.saved_at }, timer: undefined, failures: 0, busy: false };
}

export class Notes {
  private notes = new Map<number, Note>();

  constructor(
    private readonly visit: number,
    first: Record<string, Saved>,
    private readonly acts: Acts,
    private readonly changed: () => void,
  ) {
    for (const [resident, saved] of Object.entries(first)) {
      this.notes.set(Number(resident), fresh(saved));
    }
    this.recover();
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.flush(true));
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
    addEventListener("beforeunload", (event) => {
      // The tab keeps it when it is loaded again or crashes, but not when it is closed.
      if (![...this.notes].some(([resident, note]) => this.atRisk(resident, note))) return;
      event.preventDefault();
      event.returnValue = ""; // what older browsers ask for
    });
  }

  of(resident: number): Note {
    let note = this.notes.get(resident);
    if (!note) {
      note = fresh({ text: "", version: 0, saved_at: null });
      this.notes.set(resident, note);
    }
    return note;
  }

  type(resident: number, text: string): void {
    const note = this.of(resident);
    note.text = text;
    this.keep(resident, note);
    if (note.state.is !== "conflict") {
      // That it is not saved yet is said until it is.
      if (note.state.is !== "kept") note.state = { is: "changed" };
      this.soon(resident, note, TYPED_MS);
    }
    this.changed();
  }

  /** Left the field, or the resident: at once. */
  leave(resident: number): void {
    if (this.of(resident).state.is !== "saved") void this.save(resident);
  }

  /** Whatever the server does not have yet. */
  flush(closing = false): void {
    for (const [resident, note] of this.notes) if (note.state.is === "changed" || note.state.is === "kept") void this.save(resident, closing);
  }

  /** What closing the tab would lose: the server was asked and does not have it, or the tab has no store. */
  private atRisk(resident: number, note: Note): boolean {
    if (note.state.is === "saved") return false;
    return note.state.is === "kept" || note.state.is === "conflict" || note.failures > 0 || this.kept(resident)?.text !== note.text;
  }

  /** Two versions: take the other one, or put both into one text. */
  settle(resident: number, how: "theirs" | "both"): void {
    const note = this.of(resident);
    if (note.state.is !== "conflict") return;
    const { newer } = note.state;
    note.version = newer.version;
    note.tried = [];
    if (how === "theirs") {
      note.text = newer.text;
      note.state = { is: "saved", at: newer.saved_at };
      this.forget(resident);
      this.changed();
    } else {
      note.state = { is: "changed" };
      this.type(resident, `${newer.text}\n\n${note.text}`);
    }
  }

  private soon(resident: number, note: Note, wait: number): void {
    clearTimeout(note.timer);
    note.timer = window.setTimeout(() => void this.save(resident), wait);
  }

  private async save(resident: number, closing = false): Promise<void> {
    const note = this.of(resident);
    clearTimeout(note.timer);
    if ((note.busy && !closing) || note.state.is === "conflict") return;
    const { text, version } = note;
    note.busy = true;
    if (note.state.is !== "kept") note.state = { is: "saving" };
    if (!note.tried.includes(text)) note.tried = [...note.tried, text].slice(-TRIED);
    this.keep(resident, note);
    this.changed();
    const outcome = await this.acts.post<{ version: number; saved_at: string }>("notes", { resident, text, version }, closing);
    note.busy = false;
    if (outcome.ok) this.confirmed(resident, note, { text, ...outcome.value });
    else if (outcome.failed.status === 409 && isSaved(outcome.failed.body["newer"])) this.meets(resident, note, outcome.failed.body["newer"]);
    else {
      const again = !FINAL.includes(outcome.failed.status);
      note.failures += 1;
      note.state = { is: "kept", why: outcome.failed.detail, again };
      if (again) this.soon(resident, note, Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(note.failures - 1, 4)));
    }
    this.changed();
  }

  private confirmed(resident: number, note: Note, saved: Saved): void {
    note.version = saved.version;
    note.failures = 0;
    note.tried = [];
    if (note.text === saved.text) {
      note.state = { is: "saved", at: saved.saved_at };
      this.forget(resident);
    } else {
      note.state = { is: "changed" };
      this.keep(resident, note);
      this.soon(resident, note, TYPED_MS);
    }
  }

  /** The server has a newer text: one of our own whose answer was lost, or another window's. */
  private meets(resident: number, note: Note, newer: Saved): void {
    if (newer.text === note.text || note.tried.includes(newer.text)) this.confirmed(resident, note, newer);
    else note.state = { is: "conflict", newer };
  }

  // The tab's own store -------------------------------------------------------------------------------

  private name(resident: number): string {
    return `telehealth.note.${this.visit}.${resident}`;
  }

  private keep(resident: number, note: Note): void {
    try {
      sessionStorage.setItem(this.name(resident), JSON.stringify({ text: note.text, version: note.version, tried: note.tried } satisfies Kept));
    } catch {
      // In memory still; leaving the page asks first.
    }
  }

  private kept(resident: number): Kept | null {
    try {
      return JSON.parse(sessionStorage.getItem(this.name(resident)) ?? "null") as Kept | null;
    } catch {
      return null;
    }
  }

  private forget(resident: number): void {
    try {
      sessionStorage.removeItem(this.name(resident));
    } catch {
      // Then nothing was kept.
    }
  }

  /** What a page before this one could not save any more. */
  private recover(): void {
    const prefix = `telehealth.note.${this.visit}.`;
    let names: string[] = [];
    try {
      names = Object.keys(sessionStorage).filter((name) => name.startsWith(prefix));
    } catch {
      return;
    }
    for (const resident of names.map((name) => Number(name.slice(prefix.length)))) {
      const kept = this.kept(resident);
      const note = this.of(resident);
      if (!kept || kept.text === note.text) {
        this.forget(resident);
        continue;
      }
      note.text = kept.text;
      note.version = kept.version;
      note.tried = kept.tried ?? [];
      note.state = { is: "changed" };
      this.soon(resident, note, 0);
    }
  }
}

function isSaved(value: unknown): value is Saved {
  return typeof value === "object" && value !== null && typeof (value as Saved).text === "string" && typeof (value as Saved).version === "number";
}
