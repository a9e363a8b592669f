// The newest value of every measure, as rows of the board have them.
import type { Column, Row } from "./contract";
import { Age, Score, Value } from "./signs";

const NAMES: Record<string, string> = { spo2: "Oxygen saturation", resp_rate: "Respiration", on_oxygen: "On oxygen" };

/** A measure whose name the page was not told. */
export function titled(code: string): string {
  return NAMES[code] ?? code.charAt(0).toUpperCase() + code.slice(1).replaceAll("_", " ");
}

export function Latests({ row, name, columns, now }: { row: Row; name: (code: string) => string; columns: Column[]; now: number }) {
  return (
    <dl class="th-latests th-dims" aria-label="Latest values">
      {row.news2 && (
        <div>
          <dt>NEWS2</dt>
          <dd>
            <Score news2={row.news2} columns={columns} />
          </dd>
        </div>
      )}
      {Object.entries(row.latest).map(([code, latest]) => (
        <div key={code} data-code={code}>
          <dt>{name(code)}</dt>
          <dd>
            <span class="th-latests__value">
              <Value latest={latest} />
            </span>{" "}
            <span class="th-quiet">{latest.unit}</span>
            <Age latest={latest} now={now} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
