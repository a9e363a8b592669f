// Notes that are never lost: in memory and in the tab's own store with every key, on the server a second later. What the
// server has not confirmed stays in the tab through reloads and crashes of the page.
import type { Acts } from "./acts";

const TYPED_MS = 1_000;
const RETRY_FIRST_MS = 2_000;
const RETRY_LAST_MS = 15_000;

export interface Saved {
  text: string;
  version: number;
  saved_at: string | null;
}

export type NoteState =
  | { is: "saved"; at: string | null }
  | { is: "changed" }
  | { is: "saving" }
  /** Kept here; why the server does not have it. */
  | { is: "kept"; why: string }
  | { is: "conflict"; newer: Saved };

interface Note {
  text: string;
  version: number;
  state: NoteState;
  timer: number | undefined;
  failures: number;
  busy: boolean;
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
      this.notes.set(Number(resident), { text: saved.text, version: saved.version, state: { is: "saved", at: saved.saved_at }, timer: undefined, failures: 0, busy: false });
    }
    this.recover();
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.flush(true));
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
    addEventListener("beforeunload", (event) => {
      // What the tab could not even keep itself is worth a question.
      if ([...this.notes].some(([resident, note]) => note.state.is !== "saved" && this.kept(resident)?.text !== note.text)) event.preventDefault();
    });
  }

  of(resident: number): Note {
    let note = this.notes.get(resident);
    if (!note) {
      note = { text: "", version: 0, state: { is: "saved", at: null }, timer: undefined, failures: 0, busy: false };
      this.notes.set(resident, note);
    }
    return note;
  }

  type(resident: number, text: string): void {
    const note = this.of(resident);
    note.text = text;
    this.keep(resident, note);
    if (note.state.is !== "conflict") {
      note.state = { is: "changed" };
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

  get unsaved(): boolean {
    return [...this.notes.values()].some((note) => note.state.is !== "saved");
  }

  /** Two versions: take the other one, or put both into one text. */
  settle(resident: number, how: "theirs" | "both"): void {
    const note = this.of(resident);
    if (note.state.is !== "conflict") return;
    const { newer } = note.state;
    note.version = newer.version;
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
    note.state = { is: "saving" };
    this.changed();
    const outcome = await this.acts.post<{ version: number; saved_at: string }>("notes", { resident, text, version }, undefined, closing);
    note.busy = false;
    if (outcome.ok) {
      note.version = outcome.value.version;
      note.failures = 0;
      this.confirmed(resident, note, text, outcome.value.saved_at);
    } else if (outcome.failed.status === 409 && isSaved(outcome.failed.body["newer"])) {
      this.meets(resident, note, text, outcome.failed.body["newer"]);
    } else {
      note.failures += 1;
      note.state = { is: "kept", why: outcome.failed.detail };
      this.soon(resident, note, Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(note.failures - 1, 4)));
    }
    this.changed();
  }

  private confirmed(resident: number, note: Note, sent: string, at: string | null): void {
    if (note.text === sent) {
      note.state = { is: "saved", at };
      this.forget(resident);
    } else {
      note.state = { is: "changed" };
      this.keep(resident, note);
      this.soon(resident, note, TYPED_MS);
    }
  }

  /** The server has a newer text: the answer to our own attempt that got lost, or another window's. */
  private meets(resident: number, note: Note, sent: string, newer: Saved): void {
    if (newer.text === sent || newer.text === note.text) {
      note.version = newer.version;
      this.confirmed(resident, note, newer.text, newer.saved_at);
    } else note.state = { is: "conflict", newer };
  }

  // The tab's own store -------------------------------------------------------------------------------

  private name(resident: number): string {
    return `telehealth.note.${this.visit}.${resident}`;
  }

  private keep(resident: number, note: Note): void {
    try {
      sessionStorage.setItem(this.name(resident), JSON.stringify({ text: note.text, version: note.version }));
    } catch {
      // In memory still; leaving the page asks first.
    }
  }

  private kept(resident: number): { text: string; version: number } | null {
    try {
      return JSON.parse(sessionStorage.getItem(this.name(resident)) ?? "null") as { text: string; version: number } | null;
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
      note.state = { is: "changed" };
      this.soon(resident, note, 0);
    }
  }
}

function isSaved(value: unknown): value is Saved {
  return typeof value === "object" && value !== null && typeof (value as Saved).text === "string" && typeof (value as Saved).version === "number";
}
