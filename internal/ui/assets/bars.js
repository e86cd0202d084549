// The bar above the board: title, counts and clock. The bar below: every hop that the news took to get here.

import {SIGNS, NAMES, STATES, behind, brief, clock, count} from "./words.js";
import {by, item, make, put, rows} from "./page.js";

export class Bars {
  constructor() {
    this.title = by("title");
    this.tagline = document.querySelector("#tagline span");
    this.pills = by("pills");
    this.clock = by("clock");
    this.notices = by("notices");
    this.hops = document.querySelector("#hops ul");
    this.pulse = by("pulse");
    this.icon = by("icon");
    this.shown = "";
  }

  name(title, tagline) {
    put(this.title, title);
    put(this.tagline, tagline);
  }

  // states shows how many tiles are in each state: in the pills, in the tab's title and in its icon.
  states(counts, contact) {
    const there = STATES.filter((s) => counts[s]);
    const key = contact + there.map((s) => s + counts[s]).join() + this.title.textContent;
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
      pill.setAttribute("data-s", s);
      put(pill.children[1], String(counts[s]));
      put(pill.children[2], " " + NAMES[s]);
    });
    const worst = contact ? there[0] : "stale";
    const sign = contact ? (worst ? SIGNS[worst] + " " + counts[worst] : "") : "? no contact";
    document.title = (sign ? sign + " \u00b7 " : "") + this.title.textContent;
    this.icon.href = icon(worst || "waiting");
  }

  tick() {
    put(this.clock, clock(new Date()));
  }

  // below shows the hops. It says whether its own height may have changed.
  below(hops, now, late, silent, page) {
    let list = [];
    list.push(silent ? ["bad", "this screen: no contact for " + brief(silent)] : ["up", "dashboard"]);
    const nats = hops.nats;
    if (nats) {
      if (!nats.up) list.push(["bad", "NATS away for " + brief(now - nats.f) + (nats.error ? " \u00b7 " + nats.error : "")]);
      else list.push(nats.error ? ["odd", "NATS \u00b7 " + nats.error] : ["up", nats.store === false ? "NATS without memory" : "NATS"]);
    }
    const probers = hops.probers || [];
    const sites = {};
    for (const p of probers) sites[p.site] = (sites[p.site] || 0) + 1;
    for (const p of probers) {
      const name = sites[p.site] > 1 ? p.site + "/" + p.name : p.site;
      if (p.up) list.push([p.missed ? "odd" : "up", name + (p.missed ? " \u00b7 " + p.missed + " runs missed" : "")]);
      else list.push([p.left ? "odd" : "bad", name + (p.left ? " left " + brief(now - p.f) + " ago" : " silent for " + brief(now - p.f)) + " \u00b7 " + count(p.watchers, "watcher")]);
    }
    if (!probers.length) list.push(["odd", "no prober yet"]);
    // What is broken comes first, so that it is the last to be cut off.
    list = list.filter((hop) => hop[0] === "bad").concat(list.filter((hop) => hop[0] !== "bad"));
    rows(this.hops, list.length, item);
    list.forEach((hop, n) => {
      const li = this.hops.children[n];
      if (li.className !== hop[0]) li.className = hop[0];
      put(li, hop[1]);
    });
    put(this.pulse, page + (silent ? "not live" : late < 0 ? "connecting" : "live \u00b7 " + behind(late) + " behind"));
    const notices = hops.notices || [];
    const some = notices.length > 3 ? notices.slice(0, 2).concat("and " + (notices.length - 2) + " more notices") : notices;
    const before = this.notices.children.length;
    rows(this.notices, some.length, item);
    some.forEach((text, n) => put(this.notices.children[n], text));
    this.notices.hidden = !some.length;
    return before !== some.length;
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
