// The page: one object owns what was heard, and when it is painted. Messages change the tiles in memory; one animation
// frame paints what changed; one timer a second moves what depends on time.

import {NAMES, brief, called, some} from "./words.js";
import {HELD, MARK, far, fit, scale, scrolling} from "./layout.js";
import {group, regroup} from "./groups.js";
import {ANYWHERE, needs, ruler, spread, wrap} from "./names.js";
import {Clock, read} from "./options.js";
import {by, mark, meta, put} from "./page.js";
import {Bars} from "./bars.js";
import {Detail} from "./detail.js";
import {Keys} from "./keys.js";
import {obey} from "./orders.js";
import {Problems} from "./problems.js";
import {Sound} from "./sound.js";
import {Stream} from "./stream.js";
import {Tiles} from "./tiles.js";

const root = document.documentElement;
const EMPTY = {s: "waiting", v: "", u: "", m: "", f: 0, k: null, r: false};
const REST = 30; // a page rests for so many times as long as it painted, before it paints mere values again
const MOST_REST = 2000; // milliseconds that it rests at most
const PATIENCE = 5000; // milliseconds in which an answer must come
const STILL = 10000; // milliseconds for which the values of what is well stand, unless a change is large

class Page {
  constructor() {
    this.options = read(meta("view"));
    this.only = meta("watcher"); // the id of the watcher that the page is of, if it is of one
    this.build = meta("build"); // or that of the state that the page carries: it knows of the views, too
    this.clock = new Clock(this.options);
    this.measure = ruler(getComputedStyle(document.body).fontFamily);
    // What was told, the watchers of it, and the tiles that stand on the board: by number.
    this.told = [];
    this.units = [];
    this.faces = [];
    this.sets = [];
    this.hops = {};
    this.title = "Pharos";
    this.plan = null;
    this.pages = [[]]; // of a rotation: the numbers of its sets
    this.turned = 0;
    this.shape = ""; // what the page was built for
    this.due = false; // it is to be built anew, once it is seen
    this.behind = 0; // seconds; the overlay and the footer say the same
    this.news = {};
    this.painter = new Painter(this);
    this.overlay = by("overlay");
    this.tiles = new Tiles(this);
    this.problems = new Problems(this);
    this.bars = new Bars(this);
    this.detail = new Detail(this);
    this.keys = new Keys(this);
    this.sound = new Sound(this.options.sound);
    this.stream = new Stream(this.address("events" + this.asked()), {
      board: (message) => this.hearBoard(message), frame: (message) => this.hearFrame(message), beat: () => this.heard(),
      screen: (message) => obey(this, message), lost: () => this.lost(),
    });
  }

  // address is one beside the board's, without the credentials that the page's may have: fetch refuses those.
  address(path) {
    const url = new URL(meta("root") + path, document.baseURI);
    url.username = url.password = "";
    return url.href;
  }

  // fetch gives up after a while: a browser has six connections to one server, and boards may have them all.
  fetch(path) {
    let timer = 0;
    const answer = fetch(this.address(path), {cache: "no-store", credentials: "same-origin"}), done = () => clearTimeout(timer);
    answer.then(done, done);
    return Promise.race([answer, new Promise((never, fail) => {
      timer = setTimeout(() => fail(new Error("no answer within " + PATIENCE / 1000 + " s; are too many boards open in this browser?")), PATIENCE);
    })]);
  }

  // asked says which part of the board is wanted, and what this screen is.
  asked() {
    const out = new URLSearchParams();
    for (const name of ["set", "site"]) for (const value of this.options.query.getAll(name)) out.append(name, value);
    out.append("shows", this.place().split("?")[0]);
    out.append("build", this.build);
    return "?" + out;
  }

  // place is the page's own address, relative to the board's.
  place() {
    return location.pathname.slice(new URL(meta("root") + "./", location.href).pathname.length) + location.search;
  }

  // lost looks whether one has to sign in first.
  lost() {
    fetch(this.address(this.place()), {cache: "no-store", credentials: "same-origin", redirect: "manual"})
      .then((answer) => answer.type === "opaqueredirect" && location.reload())
      .catch(() => 0);
  }

  now() {
    return this.stream.now();
  }

  find(id) {
    return [this.faces, this.units, this.told].reduce((found, list) => found || list.find((t) => t && t.id === id), null);
  }

  // problem is what a row of the problems list shows.
  problem(id) {
    return this.problems.bad.find((t) => t.id === id) || this.find(id);
  }

  // setOf is the name of a tile's set, where there are several.
  setOf(t) {
    if (this.told.named < 2) return "";
    return (t.of ? t.of[0] : t).set || "";
  }

  // alone is the address of one set, with all of its tiles.
  alone(set) {
    const out = new URLSearchParams(this.options.query.toString());
    out.set("set", set);
    out.set("collapse", "");
    return "?" + out;
  }

  // far is how high letters are that are read from five metres on this screen.
  far(problems) {
    return this.narrow ? HELD : far(this.width, this.height, problems);
  }

  // fitting returns a function that breaks a text into rows, in heights of their letters; null where they do not hold it.
  fitting(room, most, tail, where) {
    return (text) => wrap(text, room, most, tail, this.measure, where === undefined ? ANYWHERE : where);
  }

  // cut is as much of a text as so many rows hold.
  cut(text, room, most) {
    return spread([text], this.fitting(room, most, 0))[0];
  }

  // boot shows what came with the page, and then listens for more.
  boot(state) {
    look(this.options);
    this.size();
    if (state.textContent) {
      const sent = performance.timing.responseStart - performance.timing.navigationStart, carried = JSON.parse(state.textContent);
      state.textContent = "";
      this.build = carried.build;
      this.stream.seed(carried.clock, sent / 1000 - state.dataset.now);
      this.hearBoard(carried);
    }
    root.classList.remove("still");
    this.painter.show();
    this.live();
    this.stream.share(this.address(meta("worker")));
    this.stream.connect();
    this.tick();
  }

  hearBoard(message) {
    const before = this.units, folds = this.options.folds;
    this.told = [];
    for (const t of message.tiles) this.told[t.i] = Object.assign({}, EMPTY, t);
    for (const set of message.sets) for (const i of set.tiles) if (this.told[i]) this.told[i].set = set.name;
    this.told.named = message.sets.filter((set) => set.name).length;
    const only = this.told.find((t) => t && t.id === this.only);
    const made = this.only ? group(only ? [{name: "", tiles: [only.i]}] : [], this.told, "", () => false)
      : group(message.sets, this.told, this.options.merge, (name) => folds.indexOf(name.toLowerCase()) >= 0);
    this.sets = made.sets;
    this.units = made.units;
    this.faces = made.faces;
    this.hops = message.hops || {};
    this.title = only ? called(only) : this.options.title || message.title || "Pharos";
    this.bars.name(this.title, message.tagline || "");
    const shape = JSON.stringify([message.sets, message.tiles.map((t) => [t.i, t.id, t.name, t.site])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.due = true;
      if (!document.hidden) this.rebuild();
    } else {
      this.units.forEach((t, i) => this.tell(t, before[i].s));
      this.faces.forEach((t, i) => this.painter.touch(i, true));
    }
    if (only && this.detail.id !== only.id) this.detail.open(only);
    this.heard();
    this.refresh(message.build);
  }

  hearFrame(message) {
    for (const u of message.u || []) {
      let tile = this.told[u.i];
      if (!tile) return this.stream.fail(); // a tile that we were never told of: ask for the whole board
      const urgent = u.s !== undefined || u.k !== undefined;
      let was = tile.s;
      Object.assign(tile, u);
      for (;;) {
        if (this.units[tile.i] === tile) this.tell(tile, was);
        if (!tile.up) break;
        tile = tile.up;
        was = tile.s;
        regroup(tile);
      }
      this.painter.touch(tile.i, urgent);
    }
    if (message.hops) this.hops = message.hops;
    this.heard(message.hops);
  }

  // heard is told that something came.
  heard(hops) {
    if (document.hidden) this.status();
    else if (hops) this.bars.below();
    this.live();
  }

  // tell keeps what has changed until it is announced.
  tell(tile, was) {
    if (tile.s === was || was === undefined) return;
    const kind = tile.s === "critical" || tile.s === "warning" ? tile.s : tile.s === "ok" && was !== "waiting" ? "ok" : "";
    if (!kind) return;
    (this.news[kind] = this.news[kind] || []).push(called(tile).replace(" \u00b7 ", ", "));
  }

  announce() {
    const parts = ["critical", "warning", "ok"].filter((s) => this.news[s]).map((s) => (s === "ok" ? "ok again" : NAMES[s]) + ": " + some(this.news[s], 5));
    if (parts.length) put(by("announce"), parts.join("; "));
    if (this.news.critical) this.sound.worse();
    else if (this.news.ok && !this.units.some((t) => t && t.s === "critical")) this.sound.better();
    this.sound.tick();
    this.news = {};
  }

  status() {
    const counts = {};
    for (const t of this.units) if (t) counts[t.s] = (counts[t.s] || 0) + 1;
    this.bars.states(counts, !this.behind);
  }

  // follow keeps the open detail up to date.
  follow(now) {
    if (!this.detail.id) return;
    const tile = this.problem(this.detail.id);
    if (tile) this.detail.paint(tile, now);
    else this.detail.gone();
  }

  rebuild() {
    this.due = false;
    const held = this.tiles.board.contains(document.activeElement);
    this.tiles.build();
    this.needs = widths(this.faces.filter(Boolean).map(called), this.measure);
    this.arrange();
    if (held) this.keys.back();
  }

  // size measures the window.
  size() {
    const width = this.width = window.innerWidth, height = this.height = window.innerHeight;
    this.narrow = width < 600;
    this.scale = scale(width, height);
    // How large a letter of the bars is, and no larger than leaves room for all that stands in the upper one.
    this.unit = this.narrow ? 0.7 * this.options.zoom : Math.min(this.scale * this.options.zoom, width / 1040);
    root.style.fontSize = 20 * this.unit + "px";
    root.classList.toggle("narrow", this.narrow);
    this.upright = !this.narrow && width < height;
    root.classList.toggle("upright", this.upright);
    root.classList.toggle("one", Boolean(this.only));
    this.floor = smallest();
  }

  // arrange gives everything its place.
  arrange() {
    if (this.due) return this.rebuild();
    this.size();
    this.nothing();
    this.bars.below();
    const scrolled = window.pageYOffset, board = this.tiles.board;
    root.classList.remove("scrolls"); // so that the room is measured, and not what filled it
    board.style.width = board.style.height = "";
    const middle = by("middle");
    this.room = middle.clientHeight;
    const ask = {
      width: middle.clientWidth, height: middle.clientHeight, window: {width: this.width, height: this.height}, zoom: this.options.zoom, upright: this.width < this.height,
      sizes: this.sets.map((s) => s.tiles.length), named: this.sets.map((s) => Boolean(s.name)), needs: this.needs,
      digits: this.measure("412"), wordy: this.measure("was critical 59 s, 1 minute ago"), dots: this.faces.some((t) => t && t.of && t.how !== "set"), unit: this.measure("ms"), floor: this.floor, narrow: this.narrow, list: false,
    };
    this.pages = [this.sets.map((s, k) => k)];
    const problems = this.problems.find(this.now());
    const plan = (this.narrow && this.scrolling(ask)) || fit(ask);
    this.listed = Boolean(plan && !plan.scrolls && !plan.alone && problems);
    this.large = Boolean(plan && (plan.scrolls || plan.alone));
    this.plan = this.listed ? fit(Object.assign({}, ask, {list: true})) : plan;
    if (this.options.turn && plan && plan.level > 0 && this.sets.length > 1) this.rotate(Object.assign({}, ask, {list: true}));
    this.problems.place(this.plan);
    if (!this.plan) return this.status();
    root.classList.toggle("scrolls", Boolean(this.plan.scrolls));
    this.tiles.place(this.plan);
    if (this.plan.scrolls) window.scrollTo(0, scrolled);
    this.faces.forEach((t, i) => this.painter.touch(i, true));
    this.keys.settle();
    this.bars.below();
  }

  // scrolling is the layout of a telephone, where not all fits.
  scrolling(ask) {
    const plan = scrolling(ask);
    return plan && plan.bottom > ask.height ? plan : null;
  }

  // nothing says why there is no tile.
  nothing() {
    const wanted = this.options.query.getAll("set"), empty = by("empty");
    empty.hidden = !this.shape || this.sets.some((s) => s.tiles.length);
    if (empty.hidden) return;
    const there = this.hops.sets || [];
    put(empty, this.only ? "no watcher \u201c" + this.only + "\u201d" : wanted.length ? "no set " + wanted.map((name) => "\u201c" + name + "\u201d").join(", ") + (there.length ? ": there are " + some(there, 8) : "") : this.options.query.get("site") ? "no watchers of site " + this.options.query.getAll("site").join(", ") : "no watchers yet");
  }

  // rotate deals the sets to pages, each as full as its letters stay large, and lays out the page whose turn it is.
  rotate(ask) {
    const large = 22 * this.scale * Math.sqrt(this.options.zoom);
    this.listed = true;
    this.pages = [];
    let at = [];
    const only = (ks) => Object.assign({}, ask, {sizes: ask.sizes.map((n, k) => (ks.indexOf(k) < 0 ? 0 : n))});
    for (let k = 0; k < this.sets.length; k++) {
      const more = at.concat(k), p = fit(only(more));
      if (at.length && (!p || p.name < large)) {
        this.pages.push(at);
        at = [k];
      } else {
        at = more;
      }
    }
    this.pages.push(at);
    this.turned = this.turned % this.pages.length;
    this.plan = fit(only(this.pages[this.turned]));
  }

  // relist gives the problems list its room as soon as there is a problem, and takes it back once all is well.
  relist(now) {
    const there = this.problems.find(now), moves = !this.large && this.plan && this.pages.length < 2 && there !== this.listed;
    const flows = this.plan && this.plan.scrolls && this.problems.el.hidden === this.problems.bad.length > 0;
    if (!moves && !flows) return;
    this.arrange();
    if (moves && !this.listed) calm(this.tiles.board);
    this.painter.show();
  }

  // live says whether what is shown is of now, and covers it otherwise.
  live() {
    const behind = this.behind = this.stream.behind(), silent = this.stream.silent();
    const blind = behind > 0 || !this.shape;
    if (blind !== root.classList.contains("blind")) {
      root.classList.toggle("blind", blind);
      this.overlay.hidden = !blind;
      if (this.shape) {
        if (blind) this.stopped = new Date(Date.now() - behind * 1000);
        if (by("announce").textContent || blind) put(by("announce"), blind ? "no contact with the dashboard" : "in contact with the dashboard again");
        this.status();
        this.bars.below();
      }
    }
    if (!blind) return;
    const lines = this.overlay.firstElementChild.children;
    put(lines[0], !behind ? "connecting to the dashboard" : !silent ? "this screen is " + brief(behind) + " behind: its line is too slow"
      : this.stream.ever ? "no contact with the dashboard for " + brief(behind) : "no dashboard for " + brief(behind) + ", still trying");
    put(lines[1], this.shape ? "the board is as it was at " + this.clock.ago(this.stopped, new Date(), true) : "");
    lines[1].hidden = !this.shape;
  }

  // tick comes once a second, on the second. While blind, nothing that it says about the tiles would be known to be true.
  tick() {
    setTimeout(() => this.tick(), 1000 - (Date.now() % 1000));
    this.stream.tend();
    this.live();
    if (document.hidden) return this.status();
    const date = new Date();
    this.bars.tick();
    this.keys.tick();
    this.shift();
    root.classList.toggle("night", this.clock.dark(date));
    this.bars.below();
    if (this.behind) return;
    this.announce();
    if (!this.plan) return;
    if (this.narrow && !this.plan.scrolls && by("middle").clientHeight !== this.room) this.arrange(); // the bar below has grown
    this.painter.tick();
    if (this.pages.length > 1 && performance.now() / 1000 - (this.since || 0) >= this.options.turn) {
      this.since = performance.now() / 1000;
      this.turned = (this.turned + 1) % this.pages.length;
      this.arrange();
    }
  }

  // shift moves everything by a few pixels each minute, for screens that burn in.
  shift() {
    if (!this.options.shift) return;
    const n = Math.floor(Date.now() / 60000) % 16;
    by("wall").style.transform = "translate(" + [0, 1, 2, 3, 4, 3, 2, 1, 0, -1, -2, -3, -4, -3, -2, -1][n] + "px," + [0, 2, 4, 2, 0, -2, -4, -2][n % 8] + "px)";
  }

  // refresh reloads the page once the dashboard is newer than it, but only after the new one and its script were seen to be there.
  refresh(wanted) {
    if (!wanted || wanted === this.build || this.reloading) return;
    this.reloading = true;
    // Not at once: a thousand screens would come together, and two dashboards of different age must not make us spin.
    setTimeout(() => {
      this.fetch("")
        .then((answer) => answer.text())
        .then((text) => text.indexOf(wanted) >= 0 && this.fetch(text.split('type="module" src="')[1].split('"')[0]))
        .catch(() => 0)
        .then((answer) => {
          if (answer && answer.ok) location.reload();
          else this.reloading = false;
        });
    }, Math.max(0, 5000 - performance.now()) + Math.random() * 1000);
  }

  // seen is told that the tab was hidden, or is seen again.
  seen() {
    awake();
    this.stream.tend();
    this.live();
    if (document.hidden) return;
    if (this.due) this.rebuild();
    this.bars.below();
    this.painter.soon();
  }
}

// Painter decides when what has changed is painted: what is urgent in the next animation frame, values once the page has
// rested, so that they take a thirtieth of a screen's time, however slow it is.
class Painter {
  constructor(page) {
    this.page = page;
    this.urgent = new Set();
    this.dirty = new Set();
    this.calm = new Set(); // values that may stand for a while: they are painted together
    this.stood = 0;
    this.asked = false;
    this.waiting = 0;
    this.rest = 0;
  }

  touch(i, now) {
    if (!now && !this.page.tiles.due(i)) {
      this.calm.add(i);
      return;
    }
    (now ? this.urgent : this.dirty).add(i);
    const wait = now ? 0 : Math.min(MOST_REST, this.rest - performance.now());
    if (wait <= 0) this.soon();
    else if (!this.waiting) this.waiting = setTimeout(() => this.soon(), wait);
  }

  soon() {
    clearTimeout(this.waiting);
    this.waiting = 0;
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { // which may not come while the tab is hidden
      this.asked = false;
      if (!document.hidden) this.show();
    });
  }

  // tick lets all go on that depends on time.
  tick() {
    const page = this.page, now = page.now();
    page.relist(now);
    page.faces.forEach((t, i) => {
      if (t && (t.s !== "ok" || t.k || now - t.f < 3700)) this.urgent.add(i);
    });
    if (performance.now() - this.stood >= STILL) {
      this.stood = performance.now();
      this.calm.forEach((i) => this.urgent.add(i));
      this.calm.clear();
    }
    this.show();
  }

  show() {
    const page = this.page, began = performance.now(), now = page.now();
    const rested = began >= this.rest;
    if (rested) {
      this.dirty.forEach((i) => this.urgent.add(i));
      this.dirty.clear();
    }
    const some = Array.from(this.urgent);
    this.urgent.clear();
    some.forEach((i) => page.tiles.paint(i, now));
    if (this.dirty.size && !this.waiting) this.waiting = setTimeout(() => this.soon(), Math.min(MOST_REST, this.rest - began));
    page.status();
    page.relist(now);
    page.problems.paint(now);
    page.follow(now);
    if (!rested || !some.length) return;
    setTimeout(() => {
      const done = performance.now();
      this.rest = done + Math.min(MOST_REST, (done - began) * REST);
    }, 0);
  }
}

// widths are how wide the names are, on one, two and three rows, in order, and the widest of up to 40 letters.
function widths(names, measure) {
  const all = names.map((name) => needs(name, MARK, measure)), short = names.map((name) => needs(name.slice(0, 40), MARK, measure));
  const list = (kind) => [0, 1, 2].map((rows) => ({
    list: all.map((one) => one[kind][rows]).sort((a, b) => a - b), widest: short.reduce((most, one) => Math.max(most, one[kind][rows]), 0),
  }));
  return {plain: list("plain"), tailed: list("tailed")};
}

// smallest is the least height of letters that this browser draws: people set that.
function smallest() {
  const probe = document.createElement("span");
  probe.style.cssText = "position:absolute;visibility:hidden;white-space:nowrap;font-size:100px";
  probe.textContent = "mmmmmmmm";
  document.body.appendChild(probe);
  const large = probe.offsetWidth / 100;
  probe.style.fontSize = "2px";
  const least = probe.offsetWidth / large;
  document.body.removeChild(probe);
  return least > 4 ? least : 0;
}

// calm lets the tiles move into the room that the problems list gave back.
function calm(board) {
  board.classList.remove("calm");
  void board.offsetWidth;
  board.classList.add("calm");
}

// look chooses the colours: what the address asks for, or else what the system wants.
function look(options) {
  const wants = (what) => window.matchMedia && matchMedia(what);
  const more = wants("(prefers-contrast: more)"), light = wants("(prefers-color-scheme: light)");
  const choose = () => {
    let theme = options.theme || "dark";
    if (theme === "auto") theme = light && light.matches ? "light" : "dark";
    if (more && more.matches && (!options.theme || options.theme === "auto")) theme = "contrast";
    mark(root, "data-theme", theme);
  };
  for (const list of [more, light]) if (list && list.addListener) list.addListener(choose);
  choose();
}

function awake() {
  if (navigator.wakeLock && !document.hidden) navigator.wakeLock.request("screen").catch(() => 0);
}

const page = new Page();
window.addEventListener("resize", () => {
  page.arrange();
  page.painter.show();
});
document.addEventListener("visibilitychange", () => page.seen());
awake();
page.boot(by("state"));
