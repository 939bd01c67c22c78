// The live state and the last verdicts, as the gateway sends them (server-sent events).

import { element, facts, table } from "./text.js";

const MAX_PAUSE = 15000; // milliseconds before it connects again

// Follow the events until `signal` ends it. fetch, because an EventSource can send no key but in the address.
export async function follow(headers, signal, { onLive, onState, onRefused }) {
  let pause = 1000;
  while (!signal.aborted) {
    try {
      const response = await fetch("/events", { headers: headers(), signal, cache: "no-store" });
      if (response.status === 401) {
        onRefused();
        return;
      }
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      onState("Connected.");
      pause = 1000;
      await readEvents(response.body, onLive);
    } catch (error) {
      if (signal.aborted) return;
    }
    onState("Not connected to the gateway; trying again. What is below may be old.");
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(2 * pause, MAX_PAUSE);
  }
}

async function readEvents(body, onLive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length) onLive(JSON.parse(data.join("\n")));
    }
  }
}

export function showLive(live) {
  const number = (value) => (value === null ? "unknown" : value.toLocaleString("en"));
  facts(document.getElementById("live"), [
    ["In flight here", number(live.in_flight)],
    ["To do on the topic", number(live.to_do)],
    ["Backlog", backlog(live)],
    ["Verdicts a second", live.rate.toFixed(live.rate < 10 ? 1 : 0)],
    ["Dead letters", number(live.dead_letters)],
  ]);
  const reasons = Object.entries(live.reasons).sort((a, b) => b[1] - a[1]);
  facts(
    document.getElementById("reasons"),
    reasons.length ? reasons.map(([reason, count]) => [reason, number(count)]) : [["none yet", ""]],
  );
  const headers = live.headers.map((one) => [
    [one.header || "(no imports)", "lean"],
    [one.warm ? "warm" : `imported in ${one.import_seconds.toFixed(1)} s`],
    [number(one.proofs)],
  ]);
  show("headers", headers.length && table("Import headers", ["header", "state", "proofs"], headers), "none yet");
  const last = live.last.map((one) => [
    [new Date(one.at).toLocaleTimeString([], { hour12: false }), "word"],
    [one.custom_id, "lean"],
    [`${one.status} (${one.reason})`, `word ${one.status}`],
    [one.summary],
  ]);
  show("last", last.length && table("Last verdicts", ["time", "id", "verdict", "summary"], last), "none yet");
  document.getElementById("whose").textContent = live.own_only
    ? "Of the proofs that were sent here with this key; the numbers above are of everybody's."
    : "Of everything on the result topic since this gateway was started.";
}

function backlog(live) {
  if (live.to_do === null) return "unknown";
  if (live.backlog_seconds === null) return "no verdict in the last minute";
  return live.to_do ? `about ${Math.ceil(live.backlog_seconds).toLocaleString("en")} s` : "none";
}

// Replaced only when it changed: a reader who scrolls, or whose screen reader is in it, is not thrown out.
function show(id, content, otherwise) {
  const into = document.getElementById(id);
  const made = content || element("p", otherwise, "hint");
  if (!into.firstChild || !into.firstChild.isEqualNode(made)) into.replaceChildren(made);
}
