// What getStats says, as the few numbers that the server keeps and the few facts that the screen shows.
import type { Measured } from "./messages";

interface Totals {
  received: number;
  lost: number;
  freezes: number;
  frozen: number;
  frames: number;
}

/** One look at a connection. heard grows while anything at all comes in from the server. */
export interface Look {
  heard: number;
  /** ms since the last packet came, as far as the browser says so; else 0. */
  heardAgo: number;
  /** Packets that came in so far, by the receiving mid. */
  packets: Map<string, number>;
  rtt: number | null;
  upLoss: number;
  jitter: number;
  totals: Totals;
  path: Measured["path"];
}

type Entry = RTCStats & Record<string, unknown>;

function number(entry: Entry | undefined, name: string): number {
  const value = entry?.[name];
  return typeof value === "number" ? value : 0;
}

function route(local: Entry | undefined): Measured["path"] {
  const type = local?.["candidateType"];
  if (type === "relay") {
    const protocol = local?.["relayProtocol"];
    return protocol === "tls" ? "relay-tls" : protocol === "tcp" ? "relay-tcp" : "relay-udp";
  }
  return type === "host" || type === "srflx" || type === "prflx" ? type : "unknown";
}

export async function look(connection: RTCPeerConnection): Promise<Look> {
  const report = new Map<string, Entry>();
  (await connection.getStats()).forEach((entry: Entry) => report.set(entry.id, entry));
  const found: Look = {
    heard: 0,
    heardAgo: Infinity,
    packets: new Map(),
    rtt: null,
    upLoss: 0,
    jitter: 0,
    totals: { received: 0, lost: 0, freezes: 0, frozen: 0, frames: 0 },
    path: "unknown",
  };
  for (const entry of report.values()) {
    if (entry.type === "inbound-rtp") {
      found.totals.received += number(entry, "packetsReceived");
      found.totals.lost += Math.max(0, number(entry, "packetsLost"));
      found.totals.freezes += number(entry, "freezeCount");
      found.totals.frozen += number(entry, "totalFreezesDuration");
      found.totals.frames += number(entry, "framesDecoded");
      found.jitter = Math.max(found.jitter, number(entry, "jitter"));
      const mid = entry["mid"];
      if (typeof mid === "string") found.packets.set(mid, number(entry, "packetsReceived"));
    } else if (entry.type === "remote-inbound-rtp") {
      found.upLoss = Math.max(found.upLoss, number(entry, "fractionLost"));
    } else if (entry.type === "candidate-pair") {
      // Of all paths: that another one is chosen is nothing that was heard.
      found.heard += number(entry, "bytesReceived") + number(entry, "responsesReceived");
      const last = number(entry, "lastPacketReceivedTimestamp");
      if (last) found.heardAgo = Math.min(found.heardAgo, Math.max(0, entry.timestamp - last));
    } else if (entry.type === "transport") {
      const pair = report.get(String(entry["selectedCandidatePairId"] ?? ""));
      if (!pair) continue;
      found.rtt = number(pair, "currentRoundTripTime") || null;
      found.path = route(report.get(String(pair["localCandidateId"])));
    }
  }
  if (found.heardAgo === Infinity) found.heardAgo = 0;
  return found;
}

/** Since the look before; join in seconds once it is known. */
export function measured(now: Look, before: Look | null, join: number | null): Measured {
  const since = (name: keyof Totals) => Math.max(0, now.totals[name] - (before?.totals[name] ?? 0));
  const expected = since("received") + since("lost");
  return {
    rtt: now.rtt,
    up_loss: Math.min(1, Math.max(0, now.upLoss)),
    down_loss: expected ? since("lost") / expected : 0,
    jitter: now.jitter,
    freezes: since("freezes"),
    frozen: since("frozen"),
    frames: since("frames"),
    join,
    path: now.path,
  };
}
