// What each rule thinks now, as templates/parts/opinions.html writes it; drawn again when the resident's readings were judged.
import type { Opinion } from "./contract";

function Read({ one }: { one: Opinion }) {
  return one.value === null ? null : <span class="th-quiet"> Now {`${one.value} ${one.unit}`.trim()}.</span>;
}

export function Opinions({ list }: { list: Opinion[] }) {
  const watching = list.filter((one) => one.doing === "watching");
  return (
    <section class="th-card th-dims" aria-labelledby="rules-heading" id="rules-now">
      <h2 class="th-h3" id="rules-heading">
        What each rule thinks now
      </h2>
      <dl class="th-terms th-terms--stacked">
        {list
          .filter((one) => one.doing !== "watching")
          .map((one) => (
            <>
              <dt>{one.title}</dt>
              <dd>
                {one.doing === "open" ? (
                  <>
                    <strong>Open</strong>, {one.level}
                    {one.value === null ? "" : "."}
                    <Read one={one} />
                  </>
                ) : (
                  `Cannot decide yet: ${one.needs}`
                )}
              </dd>
            </>
          ))}
      </dl>
      {watching.length > 0 && (
        <details class="nhsuk-details">
          <summary class="nhsuk-details__summary">
            <span class="nhsuk-details__summary-text">
              {watching.length} {watching.length === 1 ? "rule watches and finds" : "rules watch and find"} nothing
            </span>
          </summary>
          <div class="nhsuk-details__text">
            <dl class="th-terms th-terms--stacked">
              {watching.map((one) => (
                <>
                  <dt>{one.title}</dt>
                  <dd>
                    {one.sentence}
                    <Read one={one} />
                  </dd>
                </>
              ))}
            </dl>
          </div>
        </details>
      )}
    </section>
  );
}
