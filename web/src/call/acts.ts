// What staff do to a visit: posted to the API, so that it is checked, written down and seen by all.
export interface Failed {
  status: number;
  detail: string;
  body: Record<string, unknown>;
}

export type Outcome<T> = { ok: true; value: T } | { ok: false; failed: Failed };

const UNREACHED = "The service cannot be reached. Try again when the connection is back.";

export class Acts {
  constructor(
    private readonly visit: number,
    private readonly csrf: string,
  ) {}

  /** key: the same for a repeated attempt at the same thing. */
  async post<T>(action: string, body: object, key: string = crypto.randomUUID(), keepalive = false): Promise<Outcome<T>> {
    let answer: Response;
    try {
      answer = await fetch(`/api/v1/visits/${this.visit}/${action}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": this.csrf, "Idempotency-Key": key },
        body: JSON.stringify(body),
        keepalive,
      });
    } catch {
      return { ok: false, failed: { status: 0, detail: UNREACHED, body: {} } };
    }
    const said = await json(answer);
    if (answer.ok) return { ok: true, value: said as T };
    return { ok: false, failed: { status: answer.status, detail: typeof said["detail"] === "string" ? said["detail"] : UNREACHED, body: said } };
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
