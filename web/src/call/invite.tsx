// One more person: a link that is shown once, or goes by mail.
import { Component } from "preact";

import type { Acts } from "./acts";
import type { Role, Subject } from "./messages";
import * as words from "./words";

const GUESTS: Role[] = ["interpreter", "captioner", "carer", "family", "guest_clinician", "resident"];

interface State {
  role: Role;
  name: string;
  email: string;
  link: string | null;
  /** Whose link it is. */
  whose: string;
  sent: string | null;
  copied: boolean;
  failed: string | null;
}

export class Invite extends Component<{ acts: Acts; subject: Subject }, State> {
  override state: State = { role: "interpreter", name: "", email: "", link: null, whose: "", sent: null, copied: false, failed: null };

  private invite = async (event: Event): Promise<void> => {
    event.preventDefault();
    const { role, name, email } = this.state;
    if (!name.trim()) {
      this.setState({ failed: "Say whom you invite: the others see this name." });
      return;
    }
    // The link of somebody else is not to be taken for this one.
    this.setState({ link: null, failed: null });
    const outcome = await this.props.acts.post<{ link: string; mailed?: boolean }>("invite", { resident: this.props.subject.id, role, name: name.trim(), ...(email.trim() ? { email: email.trim() } : {}) });
    if (outcome.ok) this.setState({ link: outcome.value.link, whose: name.trim(), sent: outcome.value.mailed ? email.trim() : null, copied: false, failed: null, name: "", email: "" });
    else this.setState({ failed: outcome.failed.detail });
  };

  private copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(this.state.link ?? "");
      this.setState({ copied: true });
    } catch {
      const field = document.getElementById("invite-link");
      if (field instanceof HTMLInputElement) field.select();
    }
  };

  override render() {
    const { role, name, email, link, whose, sent, copied, failed } = this.state;
    return (
      <details class="th-act">
        <summary class="th-plain-button">Invite somebody</summary>
        <form class="th-form th-invite" onSubmit={(event) => void this.invite(event)}>
          <p class="th-quiet">They come with {this.props.subject.name}, wait until you let them in, and see only this visit.</p>
          <label for="invite-role">As</label>
          <select id="invite-role" class="nhsuk-select" value={role} onChange={(event) => this.setState({ role: event.currentTarget.value as Role })}>
            {GUESTS.map((one) => (
              <option key={one} value={one}>
                {words.role(one)}
              </option>
            ))}
          </select>
          <label for="invite-name">Name, as the others see it</label>
          <input id="invite-name" class="nhsuk-input" maxLength={100} autocomplete="off" value={name} onInput={(event) => this.setState({ name: event.currentTarget.value })} />
          <label for="invite-email">E-mail (optional: the link is sent there)</label>
          <input id="invite-email" class="nhsuk-input" type="email" maxLength={254} autocomplete="off" value={email} onInput={(event) => this.setState({ email: event.currentTarget.value })} />
          <p>
            <button class="th-plain-button">Make the link</button>
          </p>
          <div role="status">
            {failed && <p class="th-person__trouble">{failed}</p>}
            {link && (
              <>
                <p>
                  <strong>The link for {whose}.</strong> {sent && <>Sent to {sent}. </>}
                  It is shown once, and works on the first device that opens it.
                </p>
                <p class="th-chat__row">
                  <input id="invite-link" class="nhsuk-input" aria-label="Link to pass on" readOnly value={link} onFocus={(event) => event.currentTarget.select()} />
                  <button type="button" class="th-plain-button" onClick={() => void this.copy()}>
                    {copied ? "Copied" : "Copy"}
                  </button>
                </p>
              </>
            )}
          </div>
        </form>
      </details>
    );
  }
}
