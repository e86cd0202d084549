// The problems list: what is not well, in letters that are read from five metres, where the tiles' own are too small for
// that; then what has recovered.

import {DOT, NAMES, STATES, brief, called, count, flicker, isBad, lasting, measured, reason, said, some, tally} from "./words.js";
import {WORDS} from "./names.js";
import {by, inLines, make, mark, put, rows} from "./page.js";

const MOST = 12; // rows on a telephone, whatever their height
const FEW = 3; // more than so many without data are one row

export class Problems {
  constructor(page) {
    this.page = page;
    this.el = by("problems");
    this.title = this.el.querySelector("h2");
    this.list = this.el.querySelector("ul");
    this.more = this.el.querySelector("p");
    this.box = null;
    this.shape = "";
    this.entries = [];
    this.find(0);
  }

  // find says what there is to show, and whether there is anything.
  find(now) {
    const bad = [], past = [];
    for (const t of this.page.units) {
      if (t && isBad(t)) bad.push(t);
      else if (t && t.s === "ok" && flicker(t.k, now, 0)) past.push(t);
    }
    bad.sort((a, b) => STATES.indexOf(a.s) - STATES.indexOf(b.s) || b.f - a.f || a.i - b.i);
    past.sort((a, b) => b.k.e - a.k.e || a.i - b.i);
    const stale = bad.filter((t) => t.s === "stale");
    if (stale.length > FEW) {
      const all = {i: stale[0].i, id: "stale", name: count(stale.length, "watcher") + " without data", s: "stale", v: "", u: "", m: "", k: null, f: Math.min.apply(null, stale.map((t) => t.f)), of: stale, how: "stale"};
      bad.splice(bad.indexOf(stale[0]), stale.length, all);
    }
    this.bad = bad;
    this.past = past;
    return bad.length + past.length > 0;
  }

  // place gives the list its room, or hides it where the plan has none.
  place(plan) {
    const box = this.box = plan && plan.list;
    this.el.hidden = !box && !(plan && plan.scrolls && this.bad.length);
    this.shape = "";
    const style = this.el.style, flows = !box && !this.el.hidden;
    this.el.classList.toggle("flows", flows);
    style.left = box ? box.x + "px" : "";
    style.top = box ? box.y + "px" : "";
    style.width = box ? box.w + "px" : "";
    style.height = box ? box.h + "px" : "";
    if (flows) this.box = {w: this.el.clientWidth, h: this.page.height * 0.42, flows: true};
  }

  paint(now) {
    if (this.el.hidden || !this.box) return;
    const all = this.bad.concat(this.past);
    const shape = all.slice(0, 40).map((t) => t.id + called(t)).join("\n") + all.length + " " + this.bad.length;
    if (shape !== this.shape) {
      this.shape = shape;
      this.arrange(all);
      rows(this.list, this.entries.length, row);
    }
    this.entries.forEach((e, n) => this.fill(this.list.children[n], all[n], e, now));
    const counts = {};
    for (const t of this.page.units) if (t) counts[t.s] = (counts[t.s] || 0) + 1;
    const left = all.slice(this.entries.length), recovered = left.filter((t) => t.s === "ok").length;
    put(this.title, tally(counts, STATES.filter((s) => s !== "ok" && s !== "waiting"), DOT) || "All " + this.page.units.filter(Boolean).length + " ok again");
    put(this.more, [left.length - recovered ? left.length - recovered + " more" : "", recovered ? recovered + " recovered" : ""].filter(Boolean).join(", "));
  }

  // arrange finds the largest letters in which all rows fit, down to those that are still read from afar: then fewer rows.
  arrange(all) {
    const page = this.page, u = page.unit, box = this.box;
    const gap = 6 * u, head = 36 * u, below = 32 * u, pad = 7 * u, inset = 12 * u, mark = 1.25;
    const least = page.far(this.bad.length);
    const small = (f) => Math.min(Math.max(f * 0.56, 20 * u), 36 * u, f), high = (f) => small(f) * 1.3; // of the row below a name
    const rowsOf = (t, f, most, where) => page.fitting((box.w - inset * 2) / f - mark, most, 0, where)(called(t));
    const whole = (t, f) => rowsOf(t, f, 2, WORDS) || (f <= least ? rowsOf(t, f, 2) || rowsOf(t, f, 3) : null);
    const size = (f, lines) => lines.length * f * 1.15 + high(f) * (this.deep ? 2 : 1) + pad;
    const fits = (f) => {
      let total = head - gap;
      for (const t of all) {
        const lines = whole(t, f);
        if (!lines || (total += size(f, lines) + gap) > box.h) return false;
      }
      return true;
    };
    // Where the names are large enough all the same, there is a second row below each.
    const largest = box.flows ? least * 1.5 : Math.min(112 * u, box.h / 5);
    let f = least;
    for (const deep of box.flows || all.length > 12 ? [false] : [true, false]) {
      this.deep = deep;
      f = least;
      if (all.length < 30) for (let larger = least; larger <= largest && fits(larger); larger *= 1.04) f = larger;
      if (f > least * 1.1) break;
    }
    const room = box.h - head - (fits(f) ? 0 : below);
    let used = -gap;
    this.entries = [];
    for (const t of all) {
      const lines = whole(t, f) || rowsOf(t, f, 1) || page.cut(called(t), (box.w - inset * 2) / f - mark, 2);
      const h = size(f, lines);
      if (used + h + gap > room && this.entries.length && !(box.flows && isBad(t) && this.entries.length < MOST)) break;
      used += h + gap;
      this.entries.push({lines: lines, h: h});
    }
    // What room is left goes to the rows, up to half of the list for one.
    let spare = box.flows || !all.length ? 0 : (room - used) / this.entries.length;
    if (!this.deep && spare >= high(f)) this.deep = true;
    spare = Math.max(0, Math.min(spare, 0.5 * box.h - (this.entries[0] || {h: 0}).h, 3 * f));
    for (const e of this.entries) e.h += spare;
    this.room = (box.w - inset * 2 - mark * f) / small(f);
    const style = this.el.style;
    style.setProperty("--name", f + "px");
    style.setProperty("--below", small(f) + "px");
    style.setProperty("--inset", inset + "px");
    style.setProperty("--gap", gap + "px");
    style.setProperty("--head", head + "px");
  }

  fill(li, t, e, now) {
    const el = li.firstChild;
    mark(el, "data-s", t.s);
    mark(el, "data-was", t.s === "ok" && t.k ? t.k.s : "");
    el.dataset.i = t.i;
    el.dataset.id = t.id;
    li.style.height = e.h + "px";
    inLines(el.children[1], e.lines);
    const long = t.s === "ok" ? (now - t.k.e < 5 ? "just now" : brief(now - t.k.e) + " ago") : lasting(now - t.f, true);
    const why = this.why(t, now), where = t.how === "stale" ? sites(t.of) : this.page.setOf(t);
    const all = [why, where].filter(Boolean).join(DOT), room = this.room - this.page.measure(long) - 1.1;
    const beside = this.deep ? where : this.page.measure(all) <= room ? all : (t.how === "stale" && where) || why || where;
    put(el.children[2], this.deep ? why : "");
    put(el.children[3].children[0], beside);
    put(el.children[3].children[1], long);
    mark(el, "aria-label", t.how === "stale" ? t.name : said(t, now));
  }

  // why is what a problem's value and its reason say, or what has been.
  why(t, now) {
    if (t.how === "stale") return some(t.of.map(called), 6);
    if (t.s === "ok") return flicker(t.k, now, 1);
    const value = measured(t), text = t.s === "stale" && !t.m ? "" : reason(t);
    return [value, value && text === NAMES[t.s] ? "" : text].filter(Boolean).join(DOT);
  }
}

// sites are those of tiles, in order.
function sites(tiles) {
  const names = tiles.map((t) => t.site).filter(Boolean);
  return some(names.filter((name, n) => names.indexOf(name) === n), 4);
}

function row() {
  const li = make("li"), el = make("div", "row", li);
  el.tabIndex = 0;
  el.setAttribute("role", "button");
  make("i", "mark", el);
  make("div", "name", el).dir = "auto";
  make("div", "what", el).dir = "auto";
  const more = make("div", "more", el);
  make("span", "what", more).dir = "auto";
  make("span", "long", more);
  return li;
}
