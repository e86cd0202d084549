// The tiles: one fixed piece of page each, touched only where what it shows has changed.

import {STATES, glow, line, reading, reason, said} from "./words.js";
import {make} from "./page.js";

// STEPS are the sizes of a value beside the usual one.
const STEPS = [1, 0.87, 0.75, 0.62, 0.5, 0.4, 0.32, 0.25];

// build makes the sections of a board and returns the views of its tiles, by tile number.
export function build(board, sets, tiles) {
  const views = [];
  const sections = [];
  board.textContent = "";
  for (const set of sets) {
    const section = make("section", "set", board);
    const title = make("h2", "set-name", section, set.name);
    title.dir = "auto";
    title.hidden = !set.name;
    const list = make("ul", "tiles", section);
    if (set.name) list.setAttribute("aria-label", set.name);
    for (const i of set.tiles) {
      if (tiles[i]) views[i] = view(list, tiles[i]);
    }
    sections.push({el: section, list: list});
  }
  return {views: views, sections: sections};
}

// view makes one tile. board.css knows this shape, and page.go makes the same.
function view(list, tile) {
  const el = make("div", "tile", make("li", "", list));
  el.id = "tile-" + tile.i;
  el.dataset.s = tile.s; // at once, so that its colour does not fade in
  el.tabIndex = -1;
  el.setAttribute("role", "button");
  el.setAttribute("aria-haspopup", "dialog");
  const head = make("div", "head", el);
  head.dir = "auto";
  make("span", "name", head, tile.name);
  const site = tile.site ? make("span", "site", head, tile.site) : null;
  const body = make("div", "reading", el);
  const view = {el: el, site: site, dots: [], value: make("span", "value", body), unit: make("span", "unit", body), mark: make("i", "mark", body)};
  view.value.dir = "auto";
  view.note = make("div", "note", el);
  view.note.dir = "auto";
  view.line = make("div", "line", el);
  view.line.dir = "auto";
  view.shown = {};
  if (tile.of && tile.how !== "set") {
    const dots = make("div", "dots", head), n = tile.of.length, most = n > 6 ? 5 : n;
    view.dots = tile.of.slice(0, most).map(() => make("i", "dot", dots));
    for (const dot of view.dots) make("i", "mark", dot);
    if (n > most) make("span", "", dots, "+" + (n - most));
  }
  return view;
}

// settle is told of a new plan. A site that does not fit beside the name moves to the last row, or beside the value.
export function settle(view, tile, plan) {
  view.shown = {};
  view.el.classList.remove("plain");
  const fits = (text) => plan.measure(text) * plan.name <= plan.room * 1.001;
  const whole = fits(tile.name + (tile.site ? " \u00b7 " + tile.site : ""));
  if (view.site) view.site.hidden = plan.level < 3 && !whole;
  view.tail = view.site && view.site.hidden ? " \u00b7 " + tile.site : "";
  view.fits = (whole || (view.tail && fits(tile.name))) && !(view.dots.length && plan.level === 0);
}

// paint brings one tile up to date. Only what differs from what is shown touches the page.
export function paint(view, tile, now, plan) {
  const shown = view.shown;
  if (shown.s !== tile.s) {
    shown.s = tile.s;
    view.el.dataset.s = tile.s;
    view.el.setAttribute("aria-label", said(tile));
  }
  const edge = tile.s === "ok" ? glow(tile.k, now) : 0;
  if (shown.edge !== edge || (edge && shown.ks !== tile.k.s)) {
    shown.edge = edge;
    shown.ks = edge ? tile.k.s : "";
    if (edge) {
      view.el.dataset.was = tile.k.s;
      view.el.style.setProperty("--glow", String(edge));
    } else {
      view.el.removeAttribute("data-was");
    }
  }
  const of = !tile.of || tile.of.length < 7 ? tile.of : tile.of.slice().sort((a, b) => STATES.indexOf(a.s) - STATES.indexOf(b.s));
  view.dots.forEach((dot, n) => {
    const s = of[n].s;
    if (shown["dot" + n] !== s) dot.dataset.s = shown["dot" + n] = s;
  });
  if (plan.level > 2) return;
  const value = reading(tile);
  const own = plan.level < 2 && tile.v !== "" ? tile.u : "";
  let unit, fit;
  for (unit of [(plan.level && tile.v !== "" && view.tail.slice(3)) || own, own, ""]) {
    fit = fitting(tile, value, unit, plan);
    if (fit > 0.6 || (fit < 0 && unit === own)) break; // the number matters more
  }
  write(view.value, shown, "value", value);
  write(view.unit, shown, "unit", unit);
  const plain = view.fits && fit === 1 && tile.s === "ok";
  if (shown.fit !== fit || shown.plain !== plain) {
    shown.fit = fit;
    shown.plain = plain;
    view.el.classList.toggle("plain", plain);
    view.el.classList.toggle("words", fit < 0);
    view.el.style.setProperty("--fit", Math.abs(fit));
  }
  if (plan.level > 0) return;
  // The reason has a row of its own, follows the duration, or stands where the value would.
  const worded = tile.s === "ok" || tile.v === "";
  write(view.note, shown, "note", plan.note && !worded ? (tile.s === "stale" || tile.s === "waiting" ? tile.m : reason(tile)) : "");
  let text, wordy = 3;
  do text = line(tile, now, --wordy, !plan.note && !worded) + view.tail;
  while (wordy && plan.measure(text) * plan.line > plan.room * (edge ? 1 : 1.05));
  write(view.line, shown, "line", text);
}

function write(node, shown, key, text) {
  if (shown[key] === text) return;
  shown[key] = text;
  if (text && node.firstChild) node.firstChild.data = text; // cheaper than a new piece of text
  else node.textContent = text;
}

// fitting is by how much the value must shrink beside the others' to be read whole; below 0 it is words, which may take
// several rows. Reasons and texts may be cut, but not what a set consists of, nor a number.
function fitting(tile, value, unit, plan) {
  const room = plan.room - (tile.s === "ok" ? 0 : plan.mark * 1.2);
  const own = unit ? plan.measure(unit) * plan.unit + plan.value * 0.1 : 0;
  const need = plan.measure(value) * plan.value;
  const wraps = tile.v === "" || tile.how === "set";
  for (const step of STEPS) {
    if (wraps && plan.value * step < plan.words) {
      return tile.how === "set" ? -STEPS.find((small) => rows(value, room / plan.words / small, plan.measure) <= plan.lines || small < 0.5) : -1;
    }
    if (need * step + own <= room || (value.indexOf(" ") > 0 && plan.value * step < plan.words)) return step;
  }
  return STEPS[STEPS.length - 1];
}

// rows is how many rows a text takes up, where room is in heights of its letters.
function rows(text, room, measure) {
  let n = 1, at = 0;
  for (const word of text.split(" ")) {
    at += measure(word + "i"); // the "i" is for a space
    if (at > room && at > measure(word + "i")) {
      n++;
      at = measure(word + "i");
    }
  }
  return n;
}

// ruler returns a function that says how wide a bold text is in this type, in heights of it.
export function ruler(family) {
  const g = document.createElement("canvas").getContext("2d");
  g.font = "700 100px " + family;
  const known = new Map();
  return (text) => {
    let wide = 0;
    for (const c of text) {
      let one = known.get(c);
      if (one === undefined) {
        one = g.measureText(c >= "0" && c <= "9" ? "0" : c).width / 100;
        if (known.size < 1000) known.set(c, one);
      }
      wide += one;
    }
    return wide;
  };
}
