// The words and signs of the board. Nothing here touches the page.

// Worst first: the order of the counts and of the problems list.
export const STATES = ["critical", "warning", "unknown", "stale", "waiting", "ok"];

export const SIGNS = {critical: "\u2715", warning: "!", unknown: "?", stale: "?", waiting: "\u2026", ok: "\u2713"};

export const NAMES = {critical: "critical", warning: "warning", unknown: "unknown", stale: "no data", waiting: "waiting", ok: "ok"};

// A watcher that is waiting has not been checked yet: that is no problem.
export const isBad = (t) => t.s !== "ok" && t.s !== "waiting";

export const rank = (s) => STATES.indexOf(s);

// GLOW is how long a flicker is remembered on its tile, in seconds.
export const GLOW = 300;

export const DOT = " \u00b7 ";
const UNITS = [[86400, "day", "d"], [3600, "hour", "h"], [60, "minute", "min"], [1, "second", "s"]];

function split(seconds) {
  for (let i = 0; i < UNITS.length - 1; i++) {
    if (seconds >= UNITS[i][0]) return [Math.floor(seconds / UNITS[i][0]), UNITS[i]];
  }
  return [Math.max(0, Math.floor(seconds)), UNITS[UNITS.length - 1]];
}

// brief says a duration in seconds as "12 s", "5 min", "3 h" or "2 d".
export function brief(seconds) {
  const parts = split(seconds);
  return parts[0] + " " + parts[1][2];
}

// spoken says a duration in seconds as "12 seconds" or "1 minute".
function spoken(seconds) {
  const parts = split(seconds);
  return count(parts[0], parts[1][1]);
}

// lasting says for how long something is as it is: "for 12 seconds", in short "12 s", and "just now" below five seconds.
export function lasting(seconds, short) {
  if (seconds < 5) return "just now";
  return short ? brief(seconds) : "for " + spoken(seconds);
}

// flicker says what a tile went through, or "" once it is forgotten. Wordy is 2 for all of it, 1 for less, 0 for the least.
export function flicker(k, now, wordy) {
  if (!k || now - k.e >= GLOW) return "";
  const was = "was " + NAMES[k.s];
  if (!wordy) return was;
  const lasted = was + " " + (k.l < 1 ? "under 1 s" : brief(k.l));
  if (wordy < 2) return lasted;
  const ago = now - k.e;
  return lasted + ", " + (ago < 5 ? "just now" : (ago >= 60 && ago < 120 ? "1 minute" : brief(ago)) + " ago");
}

// glow is the step in which the afterglow of a flicker is: 3, 2 or 1, and 0 once it is forgotten.
export function glow(tile, now) {
  if (!tile.k || tile.s !== "ok") return 0;
  return Math.max(0, Math.min(3, Math.ceil(3 - (now - tile.k.e) / GLOW * 3)));
}

// line is the last row of a tile: for how long, or what it went through, and why where nothing else says so. A tile that has
// been well for an hour has nothing to say.
export function line(tile, now, wordy, why) {
  if (tile.s === "ok" && tile.r && tile.m) return tile.m;
  const past = tile.s === "ok" ? flicker(tile.k, now, wordy) : "";
  const since = now - tile.f;
  if (past || tile.s === "waiting" || (tile.s === "ok" && since >= 3600)) return past;
  const text = lasting(since, wordy < 2);
  return why && tile.s !== "ok" ? text + DOT + reason(tile) : text;
}

// reason is what is not well, in words; at least the word for the state.
export function reason(tile) {
  if (tile.s === "waiting") return "first check running";
  if (tile.s === "stale") return NAMES.stale;
  return tile.m || NAMES[tile.s];
}

// known says whether a tile's value is of now.
export function known(tile) {
  return tile.v !== "" && (tile.how === "set" || (tile.s !== "stale" && tile.s !== "waiting"));
}

// reading is what stands where the value belongs: the value; without one, the reason or the word for the state.
export function reading(tile) {
  if (known(tile)) return tile.v;
  return tile.s === "ok" ? NAMES.ok : reason(tile);
}

// measured is a value with its unit, or "".
export function measured(tile) {
  return known(tile) ? tile.v + (tile.u ? " " + tile.u : "") : "";
}

// called is a tile's name, and its site where that matters.
export function called(tile) {
  return tile.name + (tile.site ? DOT + tile.site : "");
}

// said is the name of a tile for those who hear the board.
export function said(tile, now) {
  const parts = [tile.name, tile.site, NAMES[tile.s], measured(tile)];
  if (tile.s !== "ok" && reason(tile) !== NAMES[tile.s]) parts.push(reason(tile));
  // To the minute, so that it does not change each second.
  const since = now - tile.f;
  parts.push(tile.s === "waiting" ? "" : since < 60 ? "for less than a minute" : lasting(since, false));
  return parts.concat(flicker(tile.s === "ok" ? tile.k : null, now, 1)).filter(Boolean).join(", ");
}

// tally says how many there are of each state: "5 critical, 2 warning".
export function tally(counts, states, between) {
  return states.filter((s) => counts[s]).map((s) => counts[s] + "\u00a0" + NAMES[s]).join(between);
}

// count says "1 watcher" or "14 watchers".
export function count(n, noun) {
  return n + " " + noun + (n === 1 ? "" : "s");
}

// some names the first of a list: "a, b and 2 more".
export function some(list, most) {
  if (list.length <= most) return list.length < 2 ? list.join("") : list.slice(0, -1).join(", ") + " and " + list[list.length - 1];
  return list.slice(0, most - 1).join(", ") + " and " + (list.length - most + 1) + " more";
}
