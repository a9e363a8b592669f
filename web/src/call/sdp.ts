// Offers of browsers that cannot be told which codecs they are to use (Firefox before 128, Safari before 13.1): they name
// all that they know, for each of many lines. What is not wanted is left out of what the server gets to see.
const WANTED = /^a=rtpmap:(\d+) (?:vp8|opus)\//i;
const OF_WANTED = /^a=fmtp:(\d+) apt=(\d+)/;
const OF_CODEC = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)[ /]/;

function section(text: string): string {
  const lines = text.split("\r\n");
  const kept = new Set(lines.flatMap((line) => WANTED.exec(line)?.[1] ?? []));
  // What is sent again goes with what it repeats.
  for (const line of lines) {
    const again = OF_WANTED.exec(line);
    if (again?.[1] && kept.has(again[2] ?? "")) kept.add(again[1]);
  }
  if (!kept.size) return text;
  return lines
    .filter((line) => kept.has(OF_CODEC.exec(line)?.[1] ?? "") || !OF_CODEC.test(line))
    .map((line) => line.replace(/^(m=\S+ \d+ \S+) ([\d ]+)$/, (_, head: string, types: string) => `${head} ${types.split(" ").filter((type) => kept.has(type)).join(" ")}`))
    .join("\r\n");
}

/** The same offer with VP8, Opus and their repetitions only. */
export function lean(offer: string): string {
  return offer.split(/(?=^m=)/m).map(section).join("");
}
