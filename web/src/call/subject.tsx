// Who the visit is about: whose record is beside the video, and going on to the next resident of a round.
import { Component, createRef } from "preact";

import type { Subject } from "./messages";
import { spaced } from "../signs";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 1941-08-14 as 14-Aug-1941. */
function bornText(born: string | null | undefined): string {
  const [year, month, day] = (born ?? "").split("-");
  return year && month && day ? `${day}-${MONTHS[Number(month) - 1]}-${year}` : "Not Known";
}

/** Always in view: whose record this is. */
export function Banner({ subject, subjects }: { subject: Subject | null; subjects: Subject[] }) {
  return (
    <div class="th-identity" data-subject={subject?.id ?? ""}>
      {subject ? (
        <dl class="th-wrap th-identity__row" key={subject.id}>
          <div class="th-identity__name">
            <dt class="nhsuk-u-visually-hidden">Name</dt>
            <dd>{subject.name}</dd>
          </div>
          <div>
            <dt>Born</dt>
            <dd>{bornText(subject.born)}</dd>
          </div>
          <div>
            <dt>NHS No.</dt>
            <dd>{spaced(subject.nhs_number ?? null)}</dd>
          </div>
          {subjects.length > 1 && (
            <div>
              <dt>Resident</dt>
              <dd>
                {subjects.findIndex((one) => one.id === subject.id) + 1} of {subjects.length}
              </dd>
            </div>
          )}
        </dl>
      ) : (
        <p class="th-wrap th-identity__row">No resident at the moment</p>
      )}
    </div>
  );
}

interface RoundProps {
  subjects: Subject[];
  subject: Subject;
  /** Whether going on sends away those who came with the resident. */
  leaves: boolean;
  may: boolean;
  /** Whether it was done. */
  onSwitch: (to: Subject) => Promise<boolean>;
}

/** The residents of a round. With the resident as key: whom it was to go on to is forgotten with them. */
export class Round extends Component<RoundProps, { switching: Subject | null }> {
  override state: { switching: Subject | null } = { switching: null };
  private stay = createRef<HTMLButtonElement>();

  override componentDidUpdate(_props: RoundProps, before: { switching: Subject | null }): void {
    if (this.state.switching && this.state.switching !== before.switching) this.stay.current?.focus();
  }

  private async go(to: Subject): Promise<void> {
    const done = await this.props.onSwitch(to);
    this.setState({ switching: null });
    if (done) document.getElementById("round-heading")?.scrollIntoView({ block: "nearest" });
  }

  private sure(to: Subject) {
    const { subject, leaves } = this.props;
    return (
      <>
        <p>
          <strong>Go on to {to.name}?</strong> {leaves && `${subject.name} and everybody who came with them leave the visit.`}
        </p>
        <p class="th-buttons">
          <button type="button" class="th-plain-button th-plain-button--go" onClick={() => void this.go(to)}>
            Yes, {to.name}
          </button>
          <button type="button" class="th-plain-button" ref={this.stay} onClick={() => this.setState({ switching: null })}>
            Stay with {subject.name}
          </button>
        </p>
      </>
    );
  }

  override render() {
    const { subjects, subject, may } = this.props;
    const here = subjects.findIndex((one) => one.id === subject.id);
    const next = subjects[here + 1];
    const { switching } = this.state;
    return (
      <section class="th-card th-round" aria-labelledby="round-heading">
        <h2 class="th-h3" id="round-heading">
          Resident {here + 1} of {subjects.length}
        </h2>
        {switching
          ? this.sure(switching)
          : may && (
              <p class="th-buttons">
                {next && (
                  <button type="button" class="th-plain-button th-plain-button--go" onClick={() => this.setState({ switching: next })}>
                    Next resident: {next.name}
                  </button>
                )}
                {subjects
                  .filter((one) => one.id !== subject.id && one.id !== next?.id)
                  .map((one) => (
                    <button key={one.id} type="button" class="th-plain-button" onClick={() => this.setState({ switching: one })}>
                      {one.name}
                    </button>
                  ))}
              </p>
            )}
      </section>
    );
  }
}
