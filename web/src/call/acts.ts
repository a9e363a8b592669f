// What staff do to a visit: posted to the API, so that it is checked, written down and seen by all.
import * as keys from "./key";

export interface Failed {
  status: number;
  detail: string;
  body: Record<string, unknown>;
}

export type Outcome<T> = { ok: true; value: T } | { ok: false; failed: Failed };

const ANSWER_MS = 10_000;
const UNREACHED = "The service cannot be reached. Try again when the connection is back.";

export class Acts {
  private underWay = new Map<string, Promise<Outcome<unknown>>>();

  constructor(
    private readonly visit: number,
    private readonly csrf: string,
  ) {}

  /** A second press of a button while the first is under way is the first. closing: the page is left. */
  post<T>(action: string, body: object, closing = false): Promise<Outcome<T>> {
    const same = `${action} ${JSON.stringify(body)}`;
    const first = this.underWay.get(same);
    if (first && !closing) return first as Promise<Outcome<T>>;
    const outcome = this.send<T>(action, body, closing);
    this.underWay.set(same, outcome);
    void outcome.finally(() => this.underWay.get(same) === outcome && this.underWay.delete(same));
    return outcome;
  }

  private async send<T>(action: string, body: object, keepalive: boolean): Promise<Outcome<T>> {
    // On a line that died without a word a browser would wait for minutes.
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), ANSWER_MS);
    try {
      const answer = await fetch(`/api/v1/visits/${this.visit}/${action}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": this.csrf, "Idempotency-Key": keys.fresh() },
        body: JSON.stringify(body),
        keepalive,
        signal: patience.signal,
      });
      if (answer.ok) return { ok: true, value: (await answer.json()) as T };
      const said = await json(answer);
      return { ok: false, failed: { status: answer.status, detail: typeof said["detail"] === "string" ? said["detail"] : UNREACHED, body: said } };
    } catch {
      return { ok: false, failed: { status: 0, detail: UNREACHED, body: {} } };
    } finally {
      clearTimeout(timer);
    }
  }

  async get<T>(path: string): Promise<T | null> {
    try {
      const answer = await fetch(path, { headers: { Accept: "application/json" } });
      return answer.ok ? ((await answer.json()) as T) : null;
    } catch {
      return null;
    }
  }
}

async function json(answer: Response): Promise<Record<string, unknown>> {
  try {
    return (await answer.json()) as Record<string, unknown>;
  } catch {
    return {};
  }
}
