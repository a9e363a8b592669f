// The pictures on staff's screen: one big, or a grid, or a screen that is shown with everybody beside it.
import type { Call } from "./call";
import { Own, Tile, Voices, WeakLine } from "./media";
import type { Person } from "./messages";

/** Pinned first, then hands in the order in which they went up, then as they came. */
function inOrder(people: Person[]): Person[] {
  const rank = (person: Person) => (person.pinned ? 0 : person.hand_at ? 1 : 2);
  return [...people].sort((one, other) => rank(one) - rank(other) || (one.hand_at ?? "").localeCompare(other.hand_at ?? "") || one.id - other.id);
}

function alone(call: Call): string {
  const waits = call.state?.visit.people.some((person) => person.presence === "waiting" && person.role !== "staff");
  return `You are alone in the visit. ${waits ? "Let somebody in from the list of people." : "Nobody waits to be let in yet."}`;
}

export function Stage({ call, shortest }: { call: Call; shortest: boolean }) {
  const { peer, others } = call;
  const down = peer !== null && peer.state !== "up";
  const people = inOrder(others);
  const sharing = people.filter((person) => person.screen);
  const silent = (person: Person) => !down && (peer?.silent.has(person.id) ?? false);
  const weak = call.me?.weak?.down ?? false;
  return (
    <div class="th-stage th-stage--staff">
      <Voices voices={peer?.voices() ?? []} />
      {down && (
        <p class={`th-visit__broken${peer.state === "connecting" ? " is-calm" : ""}`} role="alert">
          {peer.state === "connecting" ? "Connecting…" : "Reconnecting… The others cannot see or hear you at the moment."}
        </p>
      )}
      {!call.connected && (
        <p class="th-visit__broken" role="alert">
          The connection to the service is lost; what you see of the visit may be out of date. Reconnecting…
        </p>
      )}
      {!down && <WeakLine me={call.me} />}
      {sharing.map((person) => (
        <Tile key={`s${person.id}`} person={person} screen size="big" stream={peer?.streamOf(person.id, "screen") ?? null} silent={silent(person)} speaking={false} weak={weak} />
      ))}
      {people.length === 0 && <p class="th-stage__empty">{shortest ? alone(call) : "Nobody is in the visit."}</p>}
      <div class={`th-tiles th-tiles--${people.length > 1 ? Math.min(people.length + 1, 10) : people.length}${sharing.length ? " is-beside" : ""}`}>
        {people.map((person) => (
          <div key={person.id} class={person.pinned && people.length > 1 ? "is-pinned" : ""}>
            <Tile person={person} size={people.length > 2 && !person.pinned ? "small" : undefined} stream={peer?.streamOf(person.id, "video") ?? null} silent={silent(person)} speaking={call.speaking === person.id} weak={weak} />
          </div>
        ))}
        {people.length > 1 && <Own track={call.devices.video} />}
      </div>
      {people.length < 2 && <Own track={call.devices.video} />}
    </div>
  );
}
