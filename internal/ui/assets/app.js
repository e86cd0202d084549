// The page: what was heard, and when it is painted. Messages change the tiles in memory; one animation frame paints what
// changed; one timer a second moves what depends on time.

import {brief, said} from "./words.js";
import {fit, scale} from "./layout.js";
import {group, tally} from "./groups.js";
import {build, paint, ruler, settle} from "./tiles.js";
import {by} from "./page.js";
import {Bars} from "./bars.js";
import {Rail} from "./rail.js";
import {Detail} from "./detail.js";
import {Keys} from "./keys.js";
import {Stream} from "./stream.js";

const meta = (name) => document.querySelector("meta[name=pharos-" + name + "]").content;
const query = new URLSearchParams(meta("view")); // what the address says, and the view that it names
const root = document.documentElement;
const wall = by("wall");
const board = by("board");
const veil = by("veil");
const announcer = by("announce");

const zoom = Math.max(0.5, Math.min(3, parseFloat(query.get("zoom")) || 1));
const rotation = query.get("rotate") || "";
const turn = Math.max(0, parseFloat(rotation) || 0) * ({m: 60, h: 3600}[rotation.slice(-1)] || 1);

const folds = query.getAll("collapse").map((name) => name.toLowerCase());

// What was told, the watchers of it, and the tiles that stand on the board: by number.
let told = [], units = [], tiles = [];
let sets = [], hops = {};
let views = [], sections = [], plan = null, letters = 8;
let shape = ""; // what the page was built for
let due = false; // it is to be built anew, once it is seen
let dirty = new Set(), urgent = new Set(), asked = false, waiting = 0, rest = 0;
let pages = [[]], page = 0, turned = 0;

const measure = ruler(getComputedStyle(document.body).fontFamily);
const bars = new Bars();
const rail = new Rail();
const detail = new Detail({closed: () => keys.back(), find: find, alone: alone, now: () => stream.now()});
const keys = new Keys({
  views: () => views,
  open: (i, listed) => detail.open((listed ? units : tiles)[i]),
  close: () => detail.close(),
});

const address = "events" + passed(["set", "site"]);
const stream = new Stream(address, {board: hearBoard, frame: hearFrame, beat: () => 0});

function passed(names) {
  const out = new URLSearchParams();
  for (const name of names) for (const value of query.getAll(name)) out.append(name, value);
  const text = out.toString();
  return text ? "?" + text : "";
}

function find(id) {
  return [tiles, units, told].reduce((found, list) => found || list.find((t) => t && t.id === id), null);
}

// alone is the address of one set, with all of its tiles.
function alone(set) {
  const out = new URLSearchParams(query.toString());
  out.set("set", set);
  out.set("collapse", "");
  return "?" + out;
}

// boot shows what came with the page.
function boot(state) {
  if (!state.textContent) return;
  const sent = performance.timing.responseStart - performance.timing.navigationStart;
  stream.seed(sent / 1000 - state.dataset.now);
  const carried = JSON.parse(state.textContent);
  own = carried.build;
  hearBoard(carried);
  state.textContent = "";
}

const EMPTY = {s: "waiting", v: "", u: "", m: "", f: 0, k: null, r: false};

function hearBoard(message) {
  const before = units;
  told = [];
  for (const t of message.tiles) told[t.i] = Object.assign({}, EMPTY, t);
  const made = group(message.sets, told, query.get("merge"), (name) => folds.indexOf(name.toLowerCase()) >= 0);
  sets = made.sets;
  units = made.units;
  tiles = made.faces;
  hops = message.hops || {};
  bars.name(message.title || "Pharos", message.tagline || "");
  const now = JSON.stringify([message.sets, message.tiles.map((t) => [t.i, t.id, t.name, t.site])]);
  if (now !== shape) {
    shape = now;
    due = true;
    if (!document.hidden) rebuild();
  } else {
    units.forEach((t, i) => {
      if (before[i].s !== t.s) announce(t);
    });
    tiles.forEach((t, i) => touch(i, true));
  }
  if (document.hidden) status(); // for the tab's title
  veiled();
  refresh(message.build);
}

function hearFrame(message) {
  for (const u of message.u || []) {
    let tile = told[u.i];
    if (!tile) return stream.fail(); // a tile that we were never told of: ask for the whole board
    const urgent = u.s !== undefined || u.k !== undefined;
    let was = tile.s;
    Object.assign(tile, u);
    for (;;) {
      if (tile.s !== was && units[tile.i] === tile) announce(tile);
      if (!tile.up) break;
      tile = tile.up;
      was = tile.s;
      tally(tile);
    }
    touch(tile.i, urgent);
  }
  if (message.hops) hops = message.hops;
  if (document.hidden) status();
  else if (message.hops) below();
  veiled();
}

// touch asks for a tile to be painted: in the next animation frame if that is urgent, and else once the page has rested.
function touch(i, now) {
  (now ? urgent : dirty).add(i);
  const wait = now ? 0 : Math.min(2000, rest - performance.now());
  if (wait <= 0) soon();
  else if (!waiting) waiting = setTimeout(soon, wait);
}

function soon() {
  clearTimeout(waiting);
  waiting = 0;
  if (asked) return;
  asked = true;
  requestAnimationFrame(show); // which does not come while the tab is hidden
}

// show paints what was touched. What it cost says how long the page rests before mere values are painted again, so that
// they take a thirtieth of a screen's time, however slow it is, as long as none has to wait for more than two seconds.
function show() {
  asked = false;
  const began = performance.now(), now = stream.now();
  const rested = began >= rest;
  if (rested) {
    dirty.forEach((i) => urgent.add(i));
    dirty.clear();
  }
  for (const i of urgent) if (plan && views[i]) paint(views[i], tiles[i], now, plan);
  urgent.clear();
  if (dirty.size && !waiting) waiting = setTimeout(soon, Math.min(2000, rest - began));
  status();
  rail.paint(units, now);
  follow(now);
  if (!rested) return;
  setTimeout(() => {
    const done = performance.now();
    rest = done + Math.min(2000, (done - began) * 30);
  }, 0);
}

function status() {
  const counts = {};
  for (const t of units) if (t) counts[t.s] = (counts[t.s] || 0) + 1;
  bars.states(counts, !stream.silence());
}

function follow(now) {
  if (!detail.id) return;
  const tile = find(detail.id);
  if (tile) detail.paint(tile, now);
  else detail.gone();
}

// announce tells those who hear the board of what became red.
let news = [];
function announce(tile) {
  if (tile.s === "critical" && news.length < 100) news.push(said(tile));
}

function rebuild() {
  due = false;
  const held = board.contains(document.activeElement);
  const made = build(board, sets, tiles);
  views = made.views;
  sections = made.sections;
  letters = usual();
  below();
  arrange();
  if (held) keys.back();
}

// usual is how wide a name is here, in heights of its letters: nine of ten are no wider.
function usual() {
  const wide = [];
  for (const t of tiles) if (t) wide.push(measure(t.name + (t.site ? " \u00b7 " + t.site : "")) + (t.of && t.how !== "set" ? Math.min(6, t.of.length) * 0.95 + 0.3 : 0));
  wide.sort((a, b) => a - b);
  return Math.max(4.5, wide[Math.floor(wide.length * 0.9)] || 8);
}

// size is how large a letter of the bars is, and no larger than leaves room for all that stands in the upper one.
function size(width, height) {
  return width < 600 ? 0.7 * zoom : Math.min(scale(width, height) * zoom, width / 1040);
}

// arrange measures the window and gives everything its place.
function arrange(held) {
  if (due) return rebuild();
  const width = window.innerWidth, height = window.innerHeight;
  const narrow = width < 600;
  const unit = size(width, height);
  root.style.fontSize = 20 * unit + "px";
  root.classList.toggle("narrow", narrow);
  by("empty").hidden = !shape || sets.some((s) => s.tiles.length);
  const scrolled = window.pageYOffset;
  root.classList.remove("scrolls"); // so that the room is measured, and not what filled it
  board.style.height = "";
  const ask = {
    width: board.clientWidth, height: board.clientHeight, scale: scale(width, height), zoom: zoom,
    sizes: sets.map((s) => s.tiles.length), named: sets.map((s) => Boolean(s.name)), letters: letters, held: held, wordy: measure("was yellow 59 s, 59 min ago"), digits: measure("412"), unit: measure("ms"), scrolls: narrow, rail: false,
  };
  plan = fit(ask) || (held && fit(Object.assign(ask, {held: 0})));
  if (!plan) {
    rail.place(null, unit);
    return status();
  }
  pages = [sets.map((s, k) => k)];
  if (turn && plan.level > 0 && sets.length > 1) rotate(ask);
  plan.measure = measure;
  const style = board.style;
  for (const name of ["w", "h", "gap", "name", "value", "unit", "words", "line", "pad", "mark", "title"]) style.setProperty("--" + name, round(plan[name]) + "px");
  style.setProperty("--lines", String(plan.lines));
  board.dataset.level = plan.level;
  board.dataset.note = plan.note ? "1" : "0";
  root.classList.toggle("scrolls", Boolean(plan.scrolls));
  style.height = plan.scrolls ? plan.bottom + "px" : "";
  if (plan.scrolls) window.scrollTo(0, scrolled);
  sections.forEach((section, k) => {
    const at = plan.sections[k];
    section.el.hidden = !at;
    if (!at) return;
    const s = section.el.style;
    s.left = round(at.x) + "px";
    s.top = round(at.y) + "px";
    s.width = round(at.w) + "px";
    section.el.classList.toggle("titled", at.titled);
    section.list.style.gridTemplateColumns = "repeat(" + at.cols + ", minmax(0, 1fr))";
  });
  rail.place(plan, unit);
  tiles.forEach((t, i) => {
    if (!views[i]) return;
    settle(views[i], t, plan);
    touch(i, true);
  });
  keys.settle();
}

// rotate deals the sets to pages, each as full as its type stays large, and lays out the page whose turn it is.
function rotate(ask) {
  ask.rail = true;
  ask.held = 0;
  pages = [];
  let at = [];
  const only = (ks) => Object.assign({}, ask, {sizes: ask.sizes.map((n, k) => (ks.indexOf(k) < 0 ? 0 : n))});
  for (let k = 0; k < sets.length; k++) {
    const more = at.concat(k);
    const p = fit(only(more));
    if (at.length && (!p || p.level > 0)) {
      pages.push(at);
      at = [k];
    } else {
      at = more;
    }
  }
  pages.push(at);
  page = page % pages.length;
  plan = fit(only(pages[page]));
}

function round(n) {
  return Math.round(n * 100) / 100;
}

function below() {
  const where = pages.length > 1 ? "page " + (page + 1) + " of " + pages.length + " \u00b7 " : "";
  const width = window.innerWidth, room = width / (width < 600 ? 12 : 19 * size(width, window.innerHeight));
  if (bars.below(hops, stream.now(), stream.late, stream.silence(), where, room, measure) && plan) arrange(plan.deep && plan); // the tiles keep their places
}

function veiled() {
  const quiet = stream.silence();
  const blind = quiet > 0 || !shape;
  if (blind !== root.classList.contains("blind")) {
    root.classList.toggle("blind", blind);
    veil.hidden = !blind;
    if (shape) {
      if (announcer.textContent || blind) announcer.textContent = blind ? "no contact with the dashboard" : "in contact with the dashboard again";
      status();
      below();
    }
  }
  if (blind) {
    const text = quiet ? (stream.heard ? "no contact with the dashboard for " + brief(quiet) : "no dashboard for " + brief(quiet) + ", still trying") : "connecting to the dashboard";
    if (veil.firstElementChild.textContent !== text) veil.firstElementChild.textContent = text;
  }
}

// tick comes once a second, on the second. While blind, nothing that it says about the tiles would be known to be true.
function tick() {
  setTimeout(tick, 1000 - (Date.now() % 1000));
  stream.tend();
  veiled();
  if (document.hidden) return status();
  bars.tick();
  keys.tick();
  shift();
  if (stream.silence()) return;
  below();
  if (!plan) return;
  tiles.forEach((t, i) => dirty.add(i));
  if (tiles.length < 100) rest = 0; // few enough to move on the second, whatever it costs
  show();
  if (news.length) {
    announcer.textContent = news.slice(0, 5).join("; ") + (news.length > 5 ? " and " + (news.length - 5) + " more" : "");
    news = [];
  }
  if (pages.length > 1 && performance.now() / 1000 - turned >= turn) {
    turned = performance.now() / 1000;
    page = (page + 1) % pages.length;
    arrange();
    below();
  }
}

// shift moves everything by a few pixels each minute, for screens that burn in.
function shift() {
  if (query.get("shift") !== "1") return;
  const n = Math.floor(Date.now() / 60000) % 16;
  wall.style.transform = "translate(" + [0, 1, 2, 3, 4, 3, 2, 1, 0, -1, -2, -3, -4, -3, -2, -1][n] + "px," + [0, 2, 4, 2, 0, -2, -4, -2][n % 8] + "px)";
}

// refresh reloads the page once the dashboard is newer than it, but only after the new one and its script were seen to be there.
let own = meta("build"); // or that of the state that the page carries: it knows of the views, too
let reloading = false;
function refresh(wanted) {
  if (!wanted || wanted === own || reloading) return;
  reloading = true;
  // Not at once: a thousand screens would come together, and two dashboards of different age must not make us spin.
  setTimeout(() => {
    fetch(location.href, {cache: "no-store"})
      .then((answer) => answer.text())
      .then((text) => text.indexOf(wanted) >= 0 && fetch(text.split('type="module" src="')[1].split('"')[0]))
      .catch(() => 0)
      .then((answer) => {
        if (answer && answer.ok) location.reload();
        else reloading = false;
      });
  }, Math.max(0, 5000 - performance.now()) + Math.random() * 1000);
}

function awake() {
  if (navigator.wakeLock && !document.hidden) navigator.wakeLock.request("screen").catch(() => 0);
}

window.addEventListener("resize", () => {
  arrange();
  below();
});
document.addEventListener("visibilitychange", () => {
  awake();
  veiled();
  if (document.hidden) return;
  if (due) rebuild();
  below();
});
board.addEventListener("click", (event) => keys.click(event));
rail.el.addEventListener("click", (event) => keys.click(event));
awake();
root.classList.remove("still");
boot(by("state"));
arrange();
veiled();
tick();
