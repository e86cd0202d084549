// The tiles: one fixed piece of page each, touched only where what it shows has changed.

import {called, glow, isBad, known, line, rank, reading, reason, said} from "./words.js";
import {CELLS, LINE, SMALLER} from "./layout.js";
import {ANYWHERE, SIGNS_TOO, spread} from "./names.js";
import {by, inLines, make, mark} from "./page.js";

// STEPS are the sizes of a value beside the usual one.
const STEPS = [1, 0.87, 0.75, 0.62, 0.5, 0.4, 0.32, 0.25];

const LEAP = 4; // times as much, or as little: such a change of a value is shown at once
const LEAST = 0.4; // of a value's usual size that it has beside a long name
const LEAST_NAME = 0.75; // of the size of other names has one before a word of it is broken
const LEGIBLE = 10; // the height of the smallest letters of a name, on 1080 lines
const STAND = 5; // seconds for which it stands then at least

export class Tiles {
  constructor(page) {
    this.page = page;
    this.board = by("board");
    this.views = []; // by the tile's number
    this.sections = [];
  }

  // build makes the sections of the board.
  build() {
    const page = this.page;
    this.views = [];
    this.sections = [];
    this.board.textContent = "";
    for (const set of page.sets) {
      const section = make("section", "set", this.board);
      const title = make("h2", "set-name", section, set.name);
      title.dir = "auto";
      title.hidden = !set.name;
      const list = make("ul", "tiles", section);
      if (set.name) list.setAttribute("aria-label", set.name);
      for (const i of set.tiles) {
        if (page.faces[i]) this.views[i] = view(list, page.faces[i]);
      }
      this.sections.push({el: section, list: list});
    }
  }

  // place gives all tiles their places, and their names the rows that they have there.
  place(plan) {
    const page = this.page, measure = page.measure, board = this.board, style = board.style;
    for (const key of ["w", "h", "gapX", "gapY", "name", "value", "unit", "line", "reason", "pad", "mark", "title"]) style.setProperty("--" + key, round(plan[key]) + "px");
    board.dataset.level = plan.level;
    board.dataset.rows = Math.min(2, plan.rows);
    board.dataset.note = plan.note;
    style.width = plan.list && plan.list.beside ? plan.list.x - plan.list.gap + "px" : "";
    style.height = plan.scrolls ? plan.bottom + "px" : plan.list && !plan.list.beside ? plan.list.y - plan.list.gap + "px" : "";
    this.sections.forEach((section, k) => {
      const at = plan.sections[k];
      section.el.hidden = !at;
      if (!at) return;
      const s = section.el.style;
      s.left = round(at.x) + "px";
      s.top = round(at.y) + "px";
      s.width = round(at.w) + "px";
      section.el.classList.toggle("titled", at.titled);
      section.list.style.gridTemplateColumns = "repeat(" + at.cols + ", minmax(0, 1fr))";
      if (plan.level === CELLS) return;
      const of = page.sets[k].tiles.filter((i) => this.views[i]);
      const shown = spread(of.map((i) => called(page.faces[i])), this.fitting(plan));
      of.forEach((i, n) => {
        const v = this.views[i], size = shown[n].size || 1;
        inLines(v.name, shown[n]);
        v.most = shown[n].length > plan.rows ? plan.more : 1;
        v.rows = shown[n].length * size;
        v.el.style.setProperty("--most", String(v.most));
        v.el.style.setProperty("--less", String(size));
      });
    });
    this.views.forEach((v) => { v.shown = {}; });
  }

  // fitting returns a function that breaks a name into the rows that a tile has. A long name has a row more, at the cost of
  // its value, or else smaller letters; and only then is a word of it broken.
  fitting(plan) {
    const page = this.page, ways = [];
    for (const where of [SIGNS_TOO, ANYWHERE]) {
      for (const size of where === ANYWHERE ? [1, SMALLER] : [1, SMALLER, LEAST_NAME]) {
        if (size < 1 && plan.name * size < Math.max(page.floor, LEGIBLE * page.scale)) continue;
        for (const rows of plan.more < LEAST || plan.value * plan.more < page.floor ? [0] : [0, 1]) ways.push({size: size, fits: page.fitting(plan.room / plan.name / size, plan.rows + rows, plan.tail / size, where)});
      }
    }
    return (text) => {
      for (const way of ways) {
        const lines = way.fits(text);
        if (lines) return Object.assign(lines, {size: way.size});
      }
      return null;
    };
  }

  // due says whether a tile whose value has changed is to be painted soon: it is not worth a look where all is well.
  due(i) {
    const v = this.views[i], t = this.page.faces[i];
    if (!v || !this.page.plan || this.page.plan.level > 1) return false;
    if (t.s !== "ok" || !known(t)) return true;
    if (performance.now() / 1000 - v.since < STAND) return false;
    const was = Math.abs(parseFloat(v.shown.value)), is = Math.abs(parseFloat(t.v));
    return v.shown.own !== t.u || (v.shown.value !== t.v && !(is < was * LEAP && was < is * LEAP));
  }

  // paint brings one tile up to date. Only what differs from what is shown touches the page.
  paint(i, now) {
    const page = this.page, v = this.views[i], tile = page.faces[i], plan = page.plan;
    if (!v || !plan) return;
    const shown = v.shown;
    if (v.s !== tile.s) {
      if (v.s && isBad(tile) && rank(tile.s) < rank(v.s)) ring(v.el);
      v.s = tile.s;
      v.el.dataset.s = tile.s;
    }
    const edge = glow(tile, now);
    if (shown.edge !== edge || (edge && shown.ks !== tile.k.s)) {
      shown.edge = edge;
      shown.ks = edge ? tile.k.s : "";
      mark(v.el, "data-was", shown.ks);
      mark(v.el, "data-glow", String(edge || ""));
    }
    const label = said(tile, now);
    if (shown.label !== label) v.el.setAttribute("aria-label", shown.label = label);
    const of = !tile.of || tile.of.length < 7 ? tile.of : tile.of.slice().sort((a, b) => rank(a.s) - rank(b.s));
    v.dots.forEach((dot, n) => {
      const s = of[n].s;
      if (shown["dot" + n] !== s) dot.dataset.s = shown["dot" + n] = s;
    });
    if (plan.level > 1) return;
    this.value(v, tile, plan);
    if (plan.level > 0) return;
    // The reason has a row of its own, follows the duration, or stands where the value would.
    const why = tile.s !== "ok" && known(tile);
    const note = plan.note && why ? reason(tile) : tile.s === "stale" ? tile.m : "";
    if (shown.note !== note) v.el.classList.toggle("wordy", this.noted(note, plan).size < plan.reason);
    write(v.note, shown, "note", note);
    const room = plan.room / plan.line;
    let text, wordy = 3;
    do text = line(tile, now, --wordy, !plan.note && why);
    while (wordy && page.measure(text) > room);
    write(v.line, shown, "line", text);
  }

  // noted is how large a reason's letters are, and how many rows it has.
  noted(text, plan) {
    const long = this.page.measure(text), size = long * plan.reason > plan.room * 1.8 ? plan.line : plan.reason;
    return {size: size, rows: Math.min(plan.note, long * size > plan.room ? 2 : 1)};
  }

  value(v, tile, plan) {
    const shown = v.shown, value = reading(tile), unit = known(tile) ? tile.u : "";
    if (shown.value === value && shown.own === unit && shown.state === tile.s) return;
    shown.state = tile.s;
    v.since = performance.now() / 1000;
    write(v.value, shown, "value", value);
    write(v.unit, shown, "own", unit);
    const fit = this.size(v, tile, value, unit, plan), words = !fit;
    if (words) this.words(v, tile, value, plan);
    if (shown.fit === fit) return;
    shown.fit = fit;
    v.el.classList.toggle("words", words);
    v.el.style.setProperty("--fit", String(fit || 1));
  }

  // size is by how much the value must shrink beside the others' to be read whole; 0 if it is words, which take several rows.
  size(v, tile, value, unit, plan) {
    const measure = this.page.measure;
    const room = plan.room - (tile.s === "ok" ? 0 : plan.mark * 1.2);
    const own = unit ? measure(unit) * Math.max(plan.unit, this.page.floor) + plan.value * 0.1 : 0;
    const need = measure(value) * plan.value, wraps = !known(tile) || tile.how === "set";
    for (const step of STEPS) {
      if (step > v.most) continue;
      if (wraps && step < 0.8) return 0;
      if (need * step + own <= room || (value.indexOf(" ") > 0 && step < 0.45)) return step;
    }
    return STEPS[STEPS.length - 1];
  }

  // words finds the largest letters in which words fit into what room the name leaves; those that do not are cut.
  words(v, tile, value, plan) {
    const noted = this.noted(reason(tile), plan), below = 1.3 * (plan.line * (v.dots.length ? 2 : 1) + (tile.how === "set" ? plan.note * plan.reason : 0));
    const high = plan.high - v.rows * plan.name * LINE - below, wide = plan.room - (tile.s === "ok" ? 0 : plan.mark * v.most * 1.2);
    const least = Math.max(plan.line, plan.name * 0.5), fits = (where) => this.page.fitting(wide / size, rows, 0, where)(value);
    let size = Math.min(plan.name * 0.9, plan.value * 0.8, high / 1.2), rows;
    for (; ; size *= 0.93) {
      rows = Math.max(1, Math.floor(high / (size * 1.2)));
      if (size <= least || fits(SIGNS_TOO) || (size <= least * 1.2 && fits(ANYWHERE))) break;
    }
    v.el.style.setProperty("--words", round(size) + "px");
    v.el.style.setProperty("--lines", String(rows));
  }
}

// view makes one tile. board.css knows this shape.
function view(list, tile) {
  const el = make("div", "tile", make("li", "", list));
  el.id = "tile-" + tile.i;
  el.tabIndex = -1;
  el.setAttribute("role", "button");
  el.setAttribute("aria-haspopup", "dialog");
  const name = make("div", "name", el);
  name.dir = "auto";
  const body = make("div", "reading", el);
  const view = {el: el, s: "", since: 0, most: 1, rows: 1, name: name, dots: [], value: make("span", "value", body), unit: make("span", "unit", body)};
  make("i", "mark", body);
  view.value.dir = "auto";
  view.note = make("div", "note", el);
  view.note.dir = "auto";
  view.line = make("div", "line", el);
  view.line.dir = "auto";
  view.shown = {};
  if (tile.of && tile.how !== "set") {
    const dots = make("div", "dots", el), n = tile.of.length, most = n > 6 ? 5 : n;
    view.dots = tile.of.slice(0, most).map(() => make("i", "dot", dots));
    for (const dot of view.dots) make("i", "mark", dot);
    if (n > most) make("span", "", dots, "+" + (n - most));
  }
  return view;
}

// ring draws the eye, once, to what has become worse.
function ring(el) {
  el.classList.remove("worse");
  void el.offsetWidth; // so that it begins anew
  el.classList.add("worse");
}

function write(node, shown, key, text) {
  if (shown[key] === text) return;
  shown[key] = text;
  if (text && node.firstChild) node.firstChild.data = text; // cheaper than a new piece of text
  else node.textContent = text;
}

function round(n) {
  return Math.round(n * 100) / 100;
}
