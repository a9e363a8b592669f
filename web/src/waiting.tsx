// Who waits to be let in on a ward: the server's list, kept up to date, with a sound when somebody new waits.
import { Component, render } from "preact";

import * as words from "./call/words";
import type { Identity, Role } from "./call/messages";
import type { Ward } from "./contract";
import { Sound } from "./sound";
import * as times from "./times";

const EVERY_MS = 5_000;
const STALE_MS = 20_000;
/** On a line that died without a word a browser would wait for minutes, and ask nothing else meanwhile. */
const ANSWER_MS = 10_000;

interface Waiting {
  visit: number;
  participant: number;
  name: string;
  role: Role;
  identity: Identity;
  resident: string | null;
  since: string | null;
  starts_at: string | null;
  reason: string | null;
  trouble?: string | null;
}

interface Page {
  ward: Ward;
  waiting: Waiting[];
  now: string;
  csrf: string;
  may_care: boolean;
}

interface State {
  waiting: Waiting[];
  at: number;
  /** Of this computer, when the list was last right. */
  heard: number;
  said: string;
  version: number;
}

class WaitingIsland extends Component<Page, State> {
  override state: State = { waiting: this.props.waiting, at: Date.parse(this.props.now), heard: Date.now(), said: "", version: 0 };
  private sound = new Sound();
  private asking = false;

  override componentDidMount(): void {
    window.setInterval(() => void this.ask(), EVERY_MS);
    document.addEventListener("visibilitychange", () => void this.ask());
  }

  private async ask(): Promise<void> {
    this.setState((state) => ({ version: state.version + 1 }));
    if (this.asking) return;
    this.asking = true;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), ANSWER_MS);
    try {
      const answer = await fetch(`/api/v1/wards/${this.props.ward.id}/waiting`, { headers: { Accept: "application/json" }, signal: patience.signal });
      if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
      if (!answer.ok) return;
      const { waiting, at } = (await answer.json()) as { waiting: Waiting[]; at: string };
      const known = new Set(this.state.waiting.map((one) => one.participant));
      const fresh = waiting.filter((one) => !known.has(one.participant));
      if (fresh.length) this.sound.play("low");
      this.setState({ waiting, at: Date.parse(at), heard: Date.now(), said: fresh.length ? `${words.list(fresh.map((one) => one.name))} ${fresh.length === 1 ? "waits" : "wait"} to be let in.` : this.state.said });
    } catch {
      // The age of the list says so.
    } finally {
      clearTimeout(timer);
      this.asking = false;
    }
  }

  override render() {
    const { ward } = this.props;
    const { waiting, at, heard, said } = this.state;
    const old = Date.now() - heard > STALE_MS;
    const now = at + (Date.now() - heard);
    return (
      <>
        <p class="nhsuk-u-visually-hidden" role="status">
          {old ? "This list is not live. It may be out of date." : said}
        </p>
        <p class="th-waiting__bar">
          <span class={old ? "th-waiting__old" : "th-quiet"}>
            {old ? "NOT LIVE: " : "Live: "}as it was at {times.second(at, ward.zone)}
          </span>{" "}
          <button type="button" class="th-plain-button" aria-pressed={this.sound.on} onClick={() => void (this.sound.on ? this.sound.turnOff() : this.sound.turnOn()).then(() => this.setState((state) => ({ version: state.version + 1 })))}>
            {this.sound.on ? "Sound is on" : "Sound is off: turn on"}
          </button>
        </p>
        {waiting.length === 0 && <p>Nobody waits.</p>}
        <ul class="th-people">
          {waiting.map((one) => (
            <li key={one.participant} class="th-person is-waiting" data-participant={one.participant}>
              <p class="th-person__who">
                <strong>{one.name}</strong> <span class="th-quiet">{words.role(one.role)}{one.resident && (one.role === "resident" ? `: ${one.resident}` : ` with ${one.resident}`)}</span>
              </p>
              <p class="th-person__facts">
                {one.identity === "not_checked" ? <strong class="th-person__unsure">Identity not checked</strong> : <span class="th-quiet">{words.identity(one.identity)}</span>}
                {one.since && (
                  <span>
                    , waits since {times.time(times.ms(one.since), ward.zone)} ({times.age(times.ms(one.since), now)})
                  </span>
                )}
                {one.starts_at && <span>, visit at {times.time(times.ms(one.starts_at), ward.zone)}</span>}
              </p>
              {one.reason && <p class="th-person__reason">“{one.reason}”</p>}
              {one.trouble && <p class="th-person__trouble">{one.trouble}</p>}
              {this.props.may_care && (
                <>
                  <div class="th-held__acts">
                    <form class="th-inline" method="post" action={`/visits/${one.visit}/admit`}>
                      <input type="hidden" name="csrf" value={this.props.csrf} />
                      <input type="hidden" name="next" value={`/visits/${one.visit}`} />
                      <input type="hidden" name="participant" value={one.participant} />
                      <button class="nhsuk-button nhsuk-button--small">
                        Let in<span class="nhsuk-u-visually-hidden"> {one.name}</span>
                      </button>
                    </form>
                    <a class="th-plain-button" href={`/visits/${one.visit}`}>
                      Open the visit<span class="nhsuk-u-visually-hidden"> of {one.resident ?? one.name}</span>
                    </a>
                  </div>
                  <details class="th-held__more">
                    <summary>Write to {one.name}</summary>
                    <form class="th-form" method="post" action={`/visits/${one.visit}/message`}>
                      <input type="hidden" name="csrf" value={this.props.csrf} />
                      <input type="hidden" name="next" value={location.pathname + location.search} />
                      <input type="hidden" name="participant" value={one.participant} />
                      <div class="nhsuk-form-group">
                        <label class="nhsuk-label" for={`text-${one.participant}`}>
                          Message to {one.name}
                        </label>
                        <input class="nhsuk-input" id={`text-${one.participant}`} name="text" maxLength={1000} autocomplete="off" required />
                      </div>
                      <button class="nhsuk-button nhsuk-button--small nhsuk-button--secondary">
                        Send<span class="nhsuk-u-visually-hidden"> to {one.name}</span>
                      </button>
                    </form>
                  </details>
                </>
              )}
            </li>
          ))}
        </ul>
      </>
    );
  }
}

const data = document.getElementById("waiting-data");
const root = document.getElementById("waiting");
if (data && root) {
  const page = JSON.parse(data.textContent ?? "") as Page;
  root.replaceChildren();
  render(<WaitingIsland {...page} />, root);
}
