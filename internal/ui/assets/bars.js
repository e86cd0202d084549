// The bar above the board: title, counts and clock; and over it, while a hop is broken, the banner. The bar below: every
// hop that the news took to get here, and what else is to be known.

import {DOT, NAMES, SIGNS, STATES} from "./words.js";
import {banner, describe, together} from "./hops.js";
import {button, by, item, keep, kept, make, meta, put, rows} from "./page.js";


export class Bars {
  constructor(page) {
    this.page = page;
    this.top = by("top");
    this.title = by("title");
    this.tagline = document.querySelector("#tagline span");
    this.banner = by("banner");
    this.pills = by("pills");
    this.clock = by("clock");
    this.notices = by("notices");
    this.hops = document.querySelector("#hops ul");
    this.pulse = by("pulse");
    this.icon = by("icon");
    this.shown = "";
    this.list = []; // all hops, in words
    this.hint(by("hint"));
    const logo = by("logo");
    if (page.options.logo) {
      logo.src = page.address("logo/" + page.options.logo);
      logo.hidden = false;
    }
  }

  // hint tells newcomers where to begin, until they have closed it.
  hint(el) {
    if (!meta("sample") || kept("hint") === "closed") return;
    el.hidden = false;
    button("close", el, "\u00d7", () => {
      el.hidden = true;
      keep("hint", "closed");
      this.page.arrange();
      this.page.painter.show();
    }).setAttribute("aria-label", "close this line");
  }

  name(title, tagline) {
    put(this.title, title);
    put(this.tagline, tagline);
  }

  // states shows how many watchers are in each state: in the pills, in the tab's title and in its icon.
  states(counts, live) {
    const page = this.page, there = STATES.filter((s) => counts[s]);
    const well = there.length === 1 && there[0] === "ok";
    const since = well ? Math.max.apply(null, page.units.filter(Boolean).map((t) => t.f)) : 0;
    const key = live + there.map((s) => s + counts[s]).join() + this.title.textContent + Math.round(since) + page.clock.day.format(new Date());
    if (key === this.shown) return;
    this.shown = key;
    rows(this.pills, there.length, () => {
      const pill = make("li");
      make("i", "mark", pill);
      make("b", "", pill);
      make("span", "said", pill);
      return pill;
    });
    there.forEach((s, n) => {
      const pill = this.pills.children[n];
      pill.dataset.s = s;
      put(pill.children[1], well ? (counts[s] > 1 ? "All " : "") + counts[s] + " ok since " + page.clock.ago(new Date(Date.now() - (page.now() - since) * 1000), new Date()) : String(counts[s]));
      put(pill.children[2], well ? "" : " " + NAMES[s]);
    });
    const worst = live ? there[0] : "stale";
    const sign = live ? (worst ? SIGNS[worst] + " " + counts[worst] : "") : "? no contact";
    document.title = (sign ? sign + DOT : "") + this.title.textContent;
    this.icon.href = icon(worst || "waiting");
  }

  tick() {
    put(this.clock, this.page.clock.full(new Date()));
  }

  // below shows the hops, in one row: those of a kind as one where there is no room for each.
  below() {
    const page = this.page, behind = page.behind, late = page.stream.late;
    const turn = page.pages.length > 1 ? "page " + (page.turned + 1) + " of " + page.pages.length + DOT : "";
    put(this.pulse, turn + (behind ? "not live" : !page.stream.ever ? "connecting" : late < 1 ? "live" : "live" + DOT + late.toFixed(1) + " s behind"));
    this.list = describe(page.hops, page.now() - behind, behind, page.stream.silent());
    this.alarm();
    const notices = page.hops.notices || [];
    put(this.notices, notices.length > 1 ? notices[0] + DOT + (notices.length - 1) + " more" : notices.join(""));
    this.notices.hidden = !notices.length;
    const wide = page.width / (page.narrow ? 11 : 19 * page.unit);
    const room = wide - page.measure(this.pulse.textContent) - 12 - (notices.length ? Math.min(wide * 0.5, page.measure(this.notices.textContent)) : 0);
    const list = page.narrow ? this.list : together(this.list, (hops) => hops.reduce((sum, hop) => sum + (hop.wide && hop.state !== "bad" ? 8 : page.measure(hop.text) * (hop.state === "bad" ? 1 : 0.9)) + 2.2, 0) > room);
    rows(this.hops, list.length, () => {
      const li = item();
      li.tabIndex = 0;
      return li;
    });
    list.forEach((hop, n) => {
      const li = this.hops.children[n];
      if (li.className !== hop.state) li.className = hop.state;
      const shrink = hop.wide && hop.state !== "bad" ? "1" : "0";
      if (li.style.flexShrink !== shrink) li.style.flexShrink = shrink;
      if (li.title !== hop.title) li.title = hop.title;
      put(li, hop.text);
    });
  }

  // alarm shows what is broken in letters that are read from afar: beside the counts and the clock, or in place of the
  // counts where more of the names can be told so.
  alarm() {
    const page = this.page, u = page.unit, list = this.top.classList, texts = banner(this.list);
    list.toggle("alarm", texts.length > 0);
    list.remove("tight");
    if (!texts.length) return put(this.banner, "");
    const rows = page.narrow || page.upright, least = Math.min(page.far(1), 50 * u);
    const all = rows ? page.width - 48 * u : page.width - this.clock.offsetWidth - 80 * u, beside = rows ? all : all - this.pills.offsetWidth;
    const fitting = (room) => {
      const n = texts.findIndex((text) => page.narrow || page.measure(text) * least <= room);
      return n < 0 ? texts.length - 1 : n;
    };
    const first = fitting(beside), second = fitting(all), tight = first > 1 && second < first;
    list.toggle("tight", tight);
    const text = texts[tight ? second : first];
    put(this.banner, text);
    this.banner.style.fontSize = Math.max(least, Math.min(46 * u, (tight ? all : beside) / page.measure(text))) + "px";
  }

  // all shows every hop and every notice.
  all(body) {
    make("h3", "", body, "How the news gets here");
    const list = make("ul", "every", body);
    for (const hop of this.list) make("li", hop.state, list, hop.text + (hop.title ? DOT + hop.title : "")).dir = "auto";
    const notices = this.page.hops.notices || [];
    if (!notices.length) return;
    make("h3", "", body, "Notices");
    const more = make("ul", "every", body);
    for (const text of notices) make("li", "odd", more, text).dir = "auto";
  }
}

// icon draws the worst state as a picture for the tab: older browsers take no SVG there.
function icon(state) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const g = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  g.fillStyle = style.getPropertyValue("--" + state + "-icon").trim() || "#888";
  g.beginPath();
  g.arc(16, 16, 16, 0, 7);
  g.fill();
  g.fillStyle = g.strokeStyle = state === "warning" ? "#000" : "#fff";
  g.lineWidth = 4;
  g.font = "bold 24px sans-serif";
  g.textAlign = "center";
  g.textBaseline = "middle";
  if (state === "critical") {
    g.moveTo(10, 10);
    g.lineTo(22, 22);
    g.moveTo(22, 10);
    g.lineTo(10, 22);
    g.stroke();
  } else if (state !== "ok") {
    g.fillText(SIGNS[state], 16, 18);
  }
  return canvas.toDataURL();
}
