// The rail: what is not well, large, where the tiles themselves are too small to carry a name; then what flickered.

import {STATES, count, flicker, line} from "./words.js";
import {by, item, make, put, rows} from "./page.js";

export class Rail {
  constructor() {
    this.el = by("rail");
    this.title = this.el.querySelector("h2");
    this.list = this.el.querySelector("ul");
    this.more = this.el.querySelector("p");
  }

  // place gives the rail its room, or hides it where the plan has none.
  place(plan, unit) {
    const box = plan && plan.rail;
    this.el.hidden = !box;
    if (!box) return;
    const style = this.el.style;
    style.left = box.x + "px";
    style.top = box.y + "px";
    style.width = box.w + "px";
    style.height = box.h + "px";
    const title = 44 * unit, more = 36 * unit, gap = 8 * unit;
    this.high = 84 * unit;
    this.cols = box.beside ? 1 : Math.max(1, Math.min(3, Math.floor(box.w / (420 * unit))));
    this.room = this.cols * Math.max(1, Math.floor((box.h - title - more + gap) / (this.high + gap)));
    this.list.style.gridTemplateColumns = "repeat(" + this.cols + ", minmax(0, 1fr))";
  }

  paint(tiles, now) {
    if (this.el.hidden) return;
    const bad = [];
    for (const s of STATES) {
      if (s !== "ok") for (const t of tiles) if (t && t.s === s) bad.push(t);
    }
    const past = tiles.filter((t) => t && t.s === "ok" && flicker(t.k, now, 2));
    past.sort((a, b) => b.k.e - a.k.e || a.i - b.i);
    const all = bad.concat(past);
    const show = all.slice(0, this.room);
    rows(this.list, show.length, row);
    show.forEach((t, n) => fill(this.list.children[n], t, now));
    this.el.classList.toggle("calm", !all.length);
    put(this.title, bad.length ? count(bad.length, "watcher") + " not well" : past.length ? "All is well again" : "All is well");
    put(this.more, all.length > show.length ? "and " + (all.length - show.length) + " more" : "");
  }
}

function row() {
  const li = item();
  make("i", "mark", li);
  for (const part of ["name", "value", "line"]) make("span", part, li).dir = "auto";
  return li;
}

function fill(li, t, now) {
  li.dataset.s = t.s;
  if (t.s === "ok") li.dataset.was = t.k.s;
  else li.removeAttribute("data-was");
  li.dataset.i = t.i;
  put(li.children[1], t.name + (t.site ? " \u00b7 " + t.site : ""));
  put(li.children[2], t.v === "" ? "" : t.v + (t.u ? " " + t.u : ""));
  put(li.children[3], line(t, now, 2, true));
}
