// One verdict: its facts, the findings of the policy, and Lean's messages, each with the line that it means.

import { append, element, facts, markedLine, rangeOf } from "./text.js";

const SYMBOLS = { verified: "✓", rejected: "✗", inconclusive: "?" };
const MAX_TEXT = 4000; // characters of one message that are shown at first
const AT_ONCE = 50; // messages or findings that are shown at first

// The line that a screen reader is told.
export function headline(result) {
  const reason = result.reason === "ok" ? result.assurance : result.reason;
  const symbol = SYMBOLS[result.status] || "";
  return `${symbol} ${result.status} (${reason}): ${result.summary || result.error || ""}`;
}

export function showVerdict(into, result, sent, rules) {
  into.replaceChildren(verdictFacts(result));
  const findings = result.findings || [];
  if (findings.length) {
    into.append(element("h3", `Findings of the policy (${findings.length})`));
    if (result.status === "verified") into.append(element("p", "They do not count at this assurance.", "hint"));
    into.append(items(findings, (finding) => findingItem(finding, sent, rules)));
  }
  const messages = (result.response && result.response.messages) || [];
  if (messages.length) {
    into.append(element("h3", `Lean's messages (${messages.length})`));
    const ordered = messages.slice().sort((a, b) => a.pos.line - b.pos.line || a.pos.column - b.pos.column);
    into.append(items(ordered, (message) => messageItem(message, sent)));
  }
  if ((result.truncated || []).length) {
    into.append(element("p", `Left out, because the answer was too large: ${result.truncated.join(", ")}`, "hint"));
  }
}

function verdictFacts(result) {
  const list = document.createElement("dl");
  list.className = "facts";
  const rows = [["Assurance", result.assurance]];
  for (const theorem of result.theorems || []) {
    rows.push(["Theorem", theorem.type ? `${theorem.name} : ${theorem.type}` : theorem.name]);
    rows.push(["Axioms", theorem.axioms.length ? theorem.axioms.join(", ") : "none"]);
  }
  if (result.retriable) rows.push(["Again?", "The same proof may have another verdict if it is sent again."]);
  rows.push(["Verifier", verifier(result.verifier)], ["Worker", result.worker || "none"], ["Time", times(result.timings)]);
  facts(list, rows);
  return list;
}

function verifier(said) {
  if (!said) return "none: no worker has answered";
  if (said.kind !== "lean") return `a stand-in (${said.kind}): this is no verdict of Lean`;
  return `Lean ${said.lean_version || "of an unknown version"}, sandbox ${said.sandbox}`;
}

function times(timings) {
  const steps = ["queued", "import", "run", "audit", "total"].filter((step) => timings && timings[step] > 0);
  return steps.map((step) => `${step} ${timings[step].toFixed(3)} s`).join(", ") || "not run";
}

function findingItem(finding, sent, rules) {
  const item = element("li");
  const pos = { line: finding.line, column: finding.column };
  item.append(place(pos, null, sent), " ", element("strong", finding.rule));
  if (finding.count > 1) item.append(` (${finding.count} times)`);
  const rule = rules[finding.rule];
  if (rule) item.append(element("p", rule.reason), element("p", `The rule is about ${rule.summary}.`, "hint"));
  item.append(element("pre", finding.excerpt, "source"));
  return item;
}

function messageItem(message, sent) {
  const item = element("li");
  item.append(place(message.pos, message.endPos, sent), " ");
  const severity = { error: "rejected", warning: "inconclusive" }[message.severity] || "";
  item.append(element("strong", message.severity, severity));
  if (message.count > 1) item.append(` (${message.count} times)`);
  const line = markedLine(sent.proof, message.pos, message.endPos);
  if (line) {
    const source = element("pre", line.before, "source");
    source.tabIndex = 0;
    source.setAttribute("aria-label", `Line ${message.pos.line} of the proof`);
    source.setAttribute("role", "group");
    source.append(element("mark", line.meant || "\u00a0"));
    append(source, line.after);
    item.append(source);
  }
  item.append(long(message.data));
  return item;
}

// The position, as a button that selects the place in the proof.
function place(pos, endPos, sent) {
  const button = element("button", `line ${pos.line}, column ${pos.column}`, "place");
  button.type = "button";
  button.addEventListener("click", () => {
    const area = sent.area;
    const range = area.value === sent.proof ? rangeOf(sent.proof, pos, endPos) : null;
    area.focus();
    if (range) area.setSelectionRange(...range);
  });
  return button;
}

// A long text is cut until somebody asks for it.
function long(text) {
  const whole = element("div");
  const shown = element("pre", text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);
  shown.tabIndex = 0;
  whole.append(shown);
  if (text.length > MAX_TEXT) {
    whole.append(more(`Show all ${text.length.toLocaleString("en")} characters`, () => {
      const all = element("pre", text);
      all.tabIndex = 0;
      shown.replaceWith(all);
      all.focus();
    }));
  }
  return whole;
}

// A list that shows so many entries, and more on demand.
function items(entries, make) {
  const whole = element("div");
  const list = element("ol", null, "items");
  whole.append(list);
  let shown = 0;
  const add = () => {
    const next = entries.slice(shown, shown + AT_ONCE).map(make);
    shown += next.length;
    list.append(...next);
    if (shown < entries.length) whole.append(more(`Show more (${entries.length - shown} left)`, add));
    return next[0];
  };
  add();
  return whole;
}

// A button that goes when it is used; the focus moves to what it has shown, and is not lost with it.
function more(text, action) {
  const button = element("button", text);
  button.type = "button";
  button.addEventListener("click", () => {
    const first = action();
    button.remove();
    const target = first && first.querySelector("button, [tabindex]");
    if (target) target.focus();
  });
  return button;
}
