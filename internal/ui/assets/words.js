// The words and signs of the board. Nothing here touches the page.

// Worst first: the order of the pills and of the rail.
export const STATES = ["critical", "warning", "unknown", "stale", "waiting", "ok"];

export const SIGNS = {critical: "\u2715", warning: "!", unknown: "?", stale: "?", waiting: "\u2026", ok: "\u2713"};

export const NAMES = {critical: "critical", warning: "warning", unknown: "unknown", stale: "no data", waiting: "waiting", ok: "ok"};

// How a state is remembered once it is over.
const MEMORIES = {critical: "red", warning: "yellow", unknown: "unknown", stale: "silent"};

// GLOW is how long a flicker is remembered on its tile, in seconds.
export const GLOW = 300;

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

// spoken says a duration in seconds as "12 seconds" or "1 minute", and as "a moment" below five seconds.
export function spoken(seconds) {
  if (seconds < 5) return "a moment";
  const parts = split(seconds);
  return parts[0] + " " + parts[1][1] + (parts[0] === 1 ? "" : "s");
}

// flicker says what a tile went through, or "" once it is forgotten. Wordy is 2 for all of it, 1 for less, 0 for the least.
export function flicker(k, now, wordy) {
  if (!k || now - k.e >= GLOW) return "";
  const was = "was " + (MEMORIES[k.s] || k.s);
  if (!wordy) return was;
  const lasted = was + " " + (k.l < 1 ? "under 1 s" : brief(k.l));
  if (wordy < 2) return lasted;
  const ago = now - k.e;
  return lasted + ", " + (ago < 5 ? "just now" : (ago >= 60 && ago < 120 ? "1 minute" : brief(ago)) + " ago");
}

// glow is how bright the afterglow of a flicker still is: from 1 down to 0.
export function glow(k, now) {
  if (!k) return 0;
  const left = 1 - Math.max(0, now - k.e) / GLOW;
  return left <= 0 ? 0 : Math.ceil(left * 20) / 20;
}

// line is the last row of a tile: for how long, or what it went through, and why where nothing else says so.
export function line(tile, now, wordy, why) {
  if (tile.s === "ok" && tile.r && tile.m) return tile.m;
  const past = tile.s === "ok" ? flicker(tile.k, now, wordy) : "";
  if (past) return past;
  const since = now - tile.f;
  const text = wordy === 2 ? "for " + spoken(since) : brief(since);
  if (tile.s === "stale") return "no data " + text;
  if (tile.s === "waiting" && wordy === 2) return "waiting " + text;
  return why && tile.s !== "ok" ? text + " \u00b7 " + reason(tile) : text;
}

// reason is what is not well, in words; at least the word for the state.
export function reason(tile) {
  return tile.m || NAMES[tile.s];
}

// reading is what stands where the value belongs: the value; without one, the reason or the word for the state.
export function reading(tile) {
  if (tile.v !== "") return tile.v;
  return tile.s === "ok" ? NAMES.ok : reason(tile);
}

// said is the name of a tile for those who hear the board.
export function said(tile) {
  return tile.name + (tile.site ? ", " + tile.site : "") + ", " + NAMES[tile.s];
}

// behind says how late the news are, calmly: one digit is enough.
export function behind(seconds) {
  const ms = seconds * 1000;
  if (ms >= 1000) return (ms / 1000).toFixed(1) + " s";
  const step = ms >= 100 ? 100 : ms >= 10 ? 10 : 1;
  return Math.max(1, Math.round(ms / step) * step) + " ms";
}

// count says "1 watcher" or "14 watchers".
export function count(n, noun) {
  return n + " " + noun + (n === 1 ? "" : "s");
}

export function clock(date) {
  const two = (n) => (n < 10 ? "0" : "") + n;
  return two(date.getHours()) + ":" + two(date.getMinutes()) + ":" + two(date.getSeconds());
}
