// What people write to each other during a visit.
import { Component, createRef } from "preact";

import type { Call } from "./call";
import * as times from "../times";

interface Props {
  call: Call;
  zone: string;
  /** Shown above the field: who reads it, and whether it is kept. */
  hint: string;
  id: string;
}

export class Chat extends Component<Props, { text: string }> {
  private list = createRef<HTMLOListElement>();
  private count = 0;
  override state = { text: "" };

  override componentDidMount(): void {
    this.toEnd();
  }

  override componentDidUpdate(): void {
    const { call } = this.props;
    const count = (call.state?.visit.messages ?? []).length + call.pending.length;
    if (count !== this.count) this.toEnd();
    this.count = count;
  }

  private toEnd(): void {
    const list = this.list.current;
    if (list) list.scrollTop = list.scrollHeight;
  }

  private send = (event: Event): void => {
    event.preventDefault();
    const text = this.state.text.trim();
    if (!text) return;
    this.props.call.say(text);
    this.setState({ text: "" });
  };

  override render() {
    const { call, zone, hint, id } = this.props;
    const me = call.state?.you.participant;
    const names = call.state?.visit.names ?? {};
    const name = (from: number | null) => (from === null ? "The service" : from === me ? "You" : (names[from] ?? "Somebody who has left"));
    return (
      <>
        <ol class="th-chat" ref={this.list} tabIndex={0} aria-label="Messages">
          {(call.state?.visit.messages ?? []).map((message) => (
            <li key={message.id} class={message.from === me ? "is-own" : ""}>
              <span class="th-chat__who">
                {name(message.from)}
                {message.to !== null && ` to ${name(message.to)}`}, {times.time(times.ms(message.at), zone)}
              </span>
              <span class="th-chat__text">{message.text}</span>
            </li>
          ))}
          {call.pending.map((message) => (
            <li key={message.key} class="is-own is-pending">
              <span class="th-chat__who">You, being sent</span>
              <span class="th-chat__text">{message.text}</span>
            </li>
          ))}
        </ol>
        <form class="th-chat__form" onSubmit={this.send}>
          <label class="th-quiet" for={id}>
            {hint}
          </label>
          <div class="th-chat__row">
            <input id={id} class="nhsuk-input" maxLength={2000} autocomplete="off" value={this.state.text} onInput={(event) => this.setState({ text: event.currentTarget.value })} />
            <button class="th-plain-button">Send</button>
          </div>
        </form>
      </>
    );
  }
}
