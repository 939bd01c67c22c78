// Positions and texts. Lean counts columns in code points; a JavaScript string is made of UTF-16 units, of which a
// character beyond U+FFFF takes two.

const MAX_LINE = 160; // code points of a source line that are shown
const LEAD = 60; // of which so many before the position, if the line is cut

// What would steer or reorder the text around it: controls but tab and line feed, and the bidirectional ones.
const STEERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const STEERING = /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/u;

// The UTF-16 index of a column, at most the end of the line.
export function unitAt(line, column) {
  let unit = 0;
  let left = column;
  for (const character of line) {
    if (left-- <= 0) break;
    unit += character.length;
  }
  return unit;
}

// The source line of a position in three parts, the middle one of which is meant; null where there is no such line.
export function markedLine(text, pos, endPos) {
  const line = text.split("\n")[pos.line - 1];
  if (line === undefined) return null;
  const points = Array.from(line);
  const start = Math.min(Math.max(0, pos.column), points.length);
  const sameLine = endPos && endPos.line === pos.line;
  let end = sameLine ? Math.min(endPos.column, points.length) : endPos ? points.length : start;
  end = Math.max(end, Math.min(start + 1, points.length)); // Lean points to one place: mark what stands there
  const first = points.length > MAX_LINE ? Math.max(0, start - LEAD) : 0;
  const last = Math.min(points.length, first + MAX_LINE);
  return {
    before: (first > 0 ? "…" : "") + points.slice(first, start).join(""),
    meant: points.slice(start, Math.min(end, last)).join(""),
    after: points.slice(Math.min(end, last), last).join("") + (last < points.length ? "…" : ""),
  };
}

// The range of a text area that a position means, in UTF-16 units; null where the text has no such line.
export function rangeOf(text, pos, endPos) {
  const lines = text.split("\n");
  if (lines[pos.line - 1] === undefined) return null;
  const offset = (place) => {
    const above = lines.slice(0, place.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
    return above + unitAt(lines[place.line - 1], place.column);
  };
  const start = offset(pos);
  return [start, endPos && lines[endPos.line - 1] !== undefined ? Math.max(start, offset(endPos)) : start];
}

// An element with this text. Text from outside becomes a text node and nothing else: no markup is ever made of it.
export function element(name, text, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) append(made, String(text));
  return made;
}

// Append text whose steering characters are shown by their number instead of taking effect.
export function append(to, text) {
  if (!STEERS.test(text)) {
    to.append(text);
    return;
  }
  for (const part of text.split(new RegExp(STEERING, "gu"))) {
    if (part.length === 1 && STEERS.test(part)) {
      const number = part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      const shown = document.createElement("span");
      shown.className = "control";
      shown.append(`⟨U+${number}⟩`);
      to.append(shown);
    } else {
      to.append(part);
    }
  }
}

// Rows of a definition list.
export function facts(list, rows) {
  list.replaceChildren(...rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

export function table(caption, heads, rows) {
  const made = document.createElement("table");
  made.setAttribute("aria-label", caption);
  const head = made.createTHead().insertRow();
  for (const name of heads) {
    const cell = element("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const [text, className] of cells) row.append(element("td", text, className));
  }
  return made;
}
