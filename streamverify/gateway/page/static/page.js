// The page: sends a proof, shows the verdict, and follows the live state.

import { follow, showLive } from "./live.js";
import { append, element } from "./text.js";
import { headline, showVerdict } from "./verdict.js";

const KEY = "streamverify-api-key"; // of this tab's session storage

const byId = (id) => document.getElementById(id);
const proof = byId("proof");
const announcement = byId("announcement");

let rules = {};
let sending = null;
let following = new AbortController();

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function announce(text, className = "") {
  announcement.className = className;
  announcement.replaceChildren();
  append(announcement, text);
}

// Ask for a key; the one that was refused is forgotten.
function askForKey() {
  const wrong = sessionStorage.getItem(KEY) !== null;
  sessionStorage.removeItem(KEY);
  following.abort();
  byId("key-form").hidden = false;
  byId("key-error").textContent = wrong ? "The gateway does not know this key." : "";
  byId("key").focus();
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("key");
  if (!field.value.trim()) return;
  sessionStorage.setItem(KEY, field.value.trim());
  field.value = "";
  byId("key-form").hidden = true;
  start();
  proof.focus();
});

byId("proof-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!sending) send();
});

for (const area of [proof, byId("statement")]) {
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("proof-form").requestSubmit();
  });
}

byId("stop").addEventListener("click", () => sending && sending.abort());

async function send() {
  const sent = { proof: proof.value, area: proof };
  const body = { proof: sent.proof };
  if (byId("statement").value.trim()) body.statement = byId("statement").value;
  if (byId("require").value) body.require = byId("require").value;
  if (byId("timeout").value) body.timeout = Number(byId("timeout").value);
  sending = new AbortController();
  setBusy(true);
  announce("Waiting for the verdict …");
  byId("verdict").replaceChildren();
  try {
    const response = await fetch("/api/page/verify", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...authorization() },
      body: JSON.stringify(body),
      signal: sending.signal,
    });
    const answer = await response.json();
    if (response.status === 401) {
      announce("Not sent: this gateway asks for a key.");
      askForKey();
    } else if (!response.ok) {
      announce(`Not verified: ${answer.detail || response.statusText}`, "rejected");
    } else {
      announce(headline(answer), answer.status);
      showVerdict(byId("verdict"), answer, sent, rules);
    }
  } catch (error) {
    announce(sending.signal.aborted ? "No longer waited for." : `No answer from the gateway: ${error.message}`);
  } finally {
    sending = null;
    setBusy(false);
  }
}

function setBusy(busy) {
  // Not disabled: a button that is disabled while it has the focus drops it.
  byId("verify").setAttribute("aria-disabled", String(busy));
  byId("stop").hidden = !busy;
}

async function start() {
  following.abort();
  following = new AbortController();
  follow(authorization, following.signal, {
    onLive: showLive,
    onState: (text) => byId("connection").replaceChildren(element("span", text)),
    onRefused: askForKey,
  });
  const response = await fetch("/page/rules.json");
  if (response.ok) rules = await response.json();
}

start();
