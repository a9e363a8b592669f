// A row of the ward board, and the heads of its columns.
import { Component } from "preact";

import type { Awaited, Column, Row } from "./contract";
import { Age, Chip, Handled, Score, Sparkline, Value, pathway, since, spaced } from "./signs";
import * as times from "./times";
import { WardState } from "./ward";

/** Codes with a column of their own; the rest share the column "Other". */
const VITALS = ["resp_rate", "spo2", "systolic", "pulse", "consciousness", "temperature"];
const WITHIN = new Set([...VITALS, "diastolic", "on_oxygen"]);

interface RowProps {
  row: Row;
  state: WardState;
  columns: Column[];
  /** Clinical now, in steps, so that rows are not drawn again for nothing. */
  now: number;
  changed: string;
  gone: boolean;
}

export class BoardRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { row, columns, now, changed, gone } = this.props;
    return next.row !== row || next.columns !== columns || next.now !== now || next.changed !== changed || next.gone !== gone;
  }

  override render() {
    const { row, state, columns, now, changed, gone } = this.props;
    const marked = new Set(changed.split(" "));
    const zone = state.ward.zone;
    const cell = (code: string) => (marked.has(code) ? "th-changed" : "");
    const { alert, pause } = row;
    const look = alert ? ` is-${alert.priority} is-${alert.kind} is-${alert.condition}` : "";
    const others = columns.filter((column) => !WITHIN.has(column.code) && row.latest[column.code]);
    return (
      <tr class={look.trim()} data-resident={row.id} role="row">
        <th scope="row" role="rowheader">
          <a class="th-board__name" href={`/residents/${row.id}`}>
            {row.name}
          </a>
          <span class="th-board__facts">
            {spaced(row.nhs_number)}
            <br />
            {row.age}y {row.gender} · {pathway(row.pathway)}
          </span>
          {pause && (
            <span class="th-paused">
              <strong>Paused</strong>: {pause.reason}
              {pause.until ? `, until ${since(pause.until, now, zone)}` : ""}
            </span>
          )}
          {gone && <span class="th-paused">No longer on this ward</span>}
        </th>
        <td role="cell" class={`th-board__alert ${alert ? "" : "is-empty"} ${cell("alert")}`} data-label="Alert">
          {alert ? (
            <div>
              <Chip priority={alert.priority} kind={alert.kind} condition={alert.condition} />{" "}
              <span class="th-quiet">since {since(alert.since, now, zone)}</span>
              <br />
              <a class="th-board__why" href={`/alerts/${alert.id}`}>
                {alert.reason}
              </a>
              <br />
              <span class="th-quiet">
                <Handled alert={alert} />
              </span>
              {alert.count > 1 && (
                <a class="th-board__more" href={`/residents/${row.id}#alerts`}>
                  and {alert.count - 1} more
                </a>
              )}
            </div>
          ) : (
            <span class="th-quiet">none</span>
          )}
        </td>
        <td role="cell" class={cell("news2")} data-label="NEWS2">
          <div>
            <Score news2={row.news2} columns={columns} />
          </div>
        </td>
        {VITALS.map((code) => (
          <Vital key={code} row={row} code={code} columns={columns} now={now} changed={cell(code) || (code === "systolic" ? cell("diastolic") : "")} />
        ))}
        <td role="cell" class={`th-board__other ${others.length ? "" : "is-empty"} ${others.some((column) => marked.has(column.code)) ? "th-changed" : ""}`} data-label="Other">
          <div>
            {others.map((column) => {
              const latest = row.latest[column.code];
              return (
                latest && (
                  <div key={column.code}>
                    <span class="th-quiet">{column.short}</span>{" "}
                    <strong>
                      <Value latest={latest} unit={column.unit === "1" ? "" : column.unit} />
                    </strong>
                    <Age latest={latest} now={now} />
                  </div>
                )
              );
            })}
          </div>
        </td>
        <td role="cell" class="th-board__spark" data-label="24hr">
          <div>
            <Sparkline spark={row.spark} columns={columns} />
          </div>
        </td>
        <td role="cell" data-label="Last contact">
          <div>
            {row.contact.at ? <span class="th-board__contact">{times.brief(times.ms(row.contact.at), now)}</span> : <span class="th-quiet">never</span>}
            <Expected expected={row.expected} now={now} zone={zone} />
          </div>
        </td>
      </tr>
    );
  }
}

const STATES = ["missing", "late", "due"] as const;
/** Named of each state; a resident from whom nothing comes would else fill the screen. */
const MOST_NAMED = 3;

function named(found: Awaited[]): string {
  const names = found.map((one) => one.name);
  const more = names.length - MOST_NAMED;
  return more > 1 ? `${names.slice(0, MOST_NAMED).join(", ")} and ${more} more` : names.join(", ");
}

/** What was due and did not come, the worst first; also what time has made due since the row was sent. */
function Expected({ expected, now, zone }: { expected: Awaited[]; now: number; zone: string }) {
  const state = (one: Awaited) => (now >= times.ms(one.missing_at) ? "missing" : now > times.ms(one.late_at) ? "late" : now >= times.ms(one.due) ? "due" : "later");
  return (
    <>
      {STATES.map((name) => {
        const found = expected.filter((one) => state(one) === name);
        const first = found.map((one) => one.due).sort()[0];
        return (
          first && (
            <span key={name} class={`th-board__expected is-${name}`}>
              {name.charAt(0).toUpperCase() + name.slice(1)} since {since(first, now, zone)}: {named(found)}
            </span>
          )
        );
      })}
    </>
  );
}

function Vital({ row, code, columns, now, changed }: { row: Row; code: string; columns: Column[]; now: number; changed: string }) {
  const latest = row.latest[code];
  const label = code === "systolic" ? "BP" : (columns.find((column) => column.code === code)?.short ?? code);
  if (!latest) {
    return (
      <td role="cell" class="th-board__vital is-empty" data-label={label}>
        <span class="th-quiet">–</span>
      </td>
    );
  }
  const diastolic = code === "systolic" ? row.latest.diastolic : undefined;
  const oxygen = code === "spo2" ? row.latest.on_oxygen : undefined;
  return (
    <td role="cell" class={`th-board__vital ${changed}`} data-label={label} data-code={code}>
      <div>
        <span class="th-board__value">
          <Value latest={latest} />
          {diastolic && (
            <>
              /<Value latest={diastolic} />
            </>
          )}
        </span>
        <Age latest={latest} now={now} />
        {oxygen && oxygen.value !== null && <span class="th-age">{oxygen.value === true || oxygen.value === 1 || oxygen.text === "yes" ? "on oxygen" : "on air"}</span>}
      </div>
    </td>
  );
}

function heading(code: string, columns: Column[]) {
  const column = columns.find((one) => one.code === code);
  if (code === "systolic") return <abbr title="Blood pressure">BP</abbr>;
  return column ? <abbr title={column.name}>{column.short}</abbr> : code;
}

export function BoardHead({ columns }: { columns: Column[] }) {
  return (
    <thead role="rowgroup">
      <tr role="row">
        <th scope="col" role="columnheader">
          Resident
        </th>
        <th scope="col" role="columnheader">
          Alert
        </th>
        <th scope="col" role="columnheader">
          NEWS2
        </th>
        {VITALS.map((code) => (
          <th key={code} scope="col" role="columnheader">
            {heading(code, columns)}
            <span class="th-unit">{columns.find((column) => column.code === code)?.unit}</span>
          </th>
        ))}
        <th scope="col" role="columnheader">
          Other
        </th>
        <th scope="col" role="columnheader">
          24hr
        </th>
        <th scope="col" role="columnheader">
          Last contact
        </th>
      </tr>
    </thead>
  );
}
