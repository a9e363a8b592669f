// What people write to each other during a visit.
import { Component, createRef } from "preact";

import type { Call } from "./call";
import type { Message } from "./messages";
import * as words from "./words";
import * as times from "../times";

interface Props {
  call: Call;
  zone: string;
  /** Shown above the field: who reads it, and whether it is kept. */
  hint: string;
  id: string;
  /** Times as residents read them. */
  plain?: boolean;
}

export class Chat extends Component<Props> {
  private list = createRef<HTMLOListElement>();
  private count = 0;

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

  override render() {
    const { call, zone, hint, id, plain } = this.props;
    const time = plain ? words.plainTime : times.time;
    const me = call.state?.you.participant;
    const names = call.state?.visit.names ?? {};
    const name = (from: number | null) => (from === null ? "The service" : from === me ? "You" : (names[from] ?? "Somebody who has left"));
    // What is answered from the waiting room is kept as written to oneself.
    const whom = ({ from, to }: Message) => (to === null ? "" : ` to ${to === from ? "the ward" : to === me ? "you" : name(to)}`);
    return (
      <>
        <ol class="th-chat" ref={this.list} tabIndex={0} aria-label="Messages">
          {(call.state?.visit.messages ?? []).map((message) => (
            <li key={message.id} class={message.from === me ? "is-own" : ""}>
              <span class="th-chat__who">
                {name(message.from)}
                {whom(message)}, {time(times.ms(message.at), zone)}
              </span>
              <span class="th-chat__text">{message.text}</span>
            </li>
          ))}
          {call.pending.map((message) => (
            <li key={message.key} class="is-own is-pending">
              <span class="th-chat__who">You, {message.refused ? "not sent" : "being sent"}</span>
              <span class="th-chat__text">{message.text}</span>
            </li>
          ))}
        </ol>
        <ChatField call={call} hint={hint} id={id} />
      </>
    );
  }
}

/** Where they are written. */
export class ChatField extends Component<{ call: Call; hint: string; id: string }, { text: string }> {
  override state = { text: "" };

  private send = (event: Event): void => {
    event.preventDefault();
    const text = this.state.text.trim();
    if (!text) return;
    this.props.call.say(text);
    this.setState({ text: "" });
  };

  override render() {
    const { hint, id } = this.props;
    return (
      <form class="th-chat__form" onSubmit={this.send}>
        <label class="th-quiet" for={id}>
          {hint}
        </label>
        <div class="th-chat__row">
          <input id={id} class="nhsuk-input" maxLength={2000} autocomplete="off" value={this.state.text} onInput={(event) => this.setState({ text: event.currentTarget.value })} />
          <button class="th-plain-button">Send</button>
        </div>
      </form>
    );
  }
}
