// Captions: what is being said, as somebody in the visit writes it down.
import { Component } from "preact";

import type { Call } from "./call";

/** The newest lines; who wrote them stands before the first of each. */
export function Captions({ call, none }: { call: Call; none: string }) {
  const lines = call.state?.visit.captions ?? [];
  const names = call.state?.visit.names ?? {};
  return (
    <div class="th-captions" role="log" aria-live="polite" aria-label="Captions">
      {lines.length === 0 && <p class="th-captions__none">{none}</p>}
      {lines.map((line, index) => (
        <p key={line.id} class="th-captions__line">
          {line.from !== lines[index - 1]?.from && <span class="th-captions__who">{names[line.from ?? 0] ?? "Captions"}: </span>}
          {line.text}
        </p>
      ))}
    </div>
  );
}

const LONGEST = 300;

/** Where they are typed: a line goes out with Enter. */
export class CaptionField extends Component<{ call: Call; id: string }, { text: string }> {
  override state = { text: "" };

  private send = (event: Event): void => {
    event.preventDefault();
    const text = this.state.text.trim();
    if (!text) return;
    if (this.props.call.write(text)) this.setState({ text: "" });
  };

  override render() {
    const { call, id } = this.props;
    const broken = !call.connected;
    return (
      <form class="th-chat__form" onSubmit={this.send}>
        <label class="th-quiet" for={id}>
          Write captions: everybody in the visit reads each line when you press Enter
        </label>
        <div class="th-chat__row">
          <input id={id} class="nhsuk-input" maxLength={LONGEST} autocomplete="off" spellcheck value={this.state.text} onInput={(event) => this.setState({ text: event.currentTarget.value })} />
          <button class="th-plain-button" aria-disabled={broken}>
            Send<span class="nhsuk-u-visually-hidden"> the line</span>
          </button>
        </div>
      </form>
    );
  }
}
