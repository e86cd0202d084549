// The bar above the board: title, counts and clock. The bar below: every hop that the news took to get here.

import {SIGNS, NAMES, STATES, behind, brief, clock, count} from "./words.js";
import {by, item, make, put, rows} from "./page.js";

const DOT = " \u00b7 ";

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
    this.high = 0;
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
      pill.dataset.s = s;
      put(pill.children[1], String(counts[s]));
      put(pill.children[2], " " + NAMES[s]);
    });
    const worst = contact ? there[0] : "stale";
    const sign = contact ? (worst ? SIGNS[worst] + " " + counts[worst] : "") : "? no contact";
    document.title = (sign ? sign + DOT : "") + this.title.textContent;
    this.icon.href = icon(worst || "waiting");
  }

  tick() {
    put(this.clock, clock(new Date()));
  }

  // below shows the hops, in one row if they fit into that many heights of their letters. It says whether its own height
  // has changed.
  below(hops, now, late, silent, page, room, measure) {
    const pulse = page + (silent ? "not live" : late < 0 ? "connecting" : "live" + DOT + behind(late) + " behind");
    let list = [];
    const add = (state, text, kind, n, short, title) => list.push({state: state, text: text, kind: kind, n: n, short: short, title: title || ""});
    if (silent) add("bad", "this screen: no contact for " + brief(silent));
    else add("up", "dashboard");
    const nats = hops.nats || {up: true};
    if (!nats.up) add("bad", "NATS away for " + brief(now - nats.f) + (nats.error ? DOT + nats.error : ""));
    else if (hops.nats) add(nats.error ? "odd" : "up", (nats.store === false ? "NATS without memory" : "NATS") + (nats.error ? DOT + nats.error : ""));
    const probers = hops.probers || [];
    const sites = {}, versions = {};
    for (const p of probers) {
      sites[p.site] = (sites[p.site] || 0) + 1;
      versions[p.version] = 1;
    }
    const mixed = Object.keys(versions).length > 1;
    for (const p of probers) {
      const name = sites[p.site] > 1 ? p.site + "/" + p.name : p.site, age = brief(now - p.f);
      const version = mixed && p.version ? DOT + p.version : "", tail = DOT + count(p.watchers, "watcher") + version;
      const amiss = (p.missed ? DOT + p.missed + (p.missed === 1 ? " run missed" : " runs missed") : "") + (p.offset ? DOT + "clock " + brief(Math.abs(p.offset)) + (p.offset > 0 ? " ahead" : " behind") : "");
      const tell = (state, kind, more, short) => add(state, name + more + tail, kind, p.watchers, name + short, p.version);
      if (p.up) tell(amiss ? "odd" : "up", amiss ? "amiss" : "up", amiss, amiss + version);
      else if (p.left) tell("odd", "left", " left " + age + " ago", " " + age);
      else if (!nats.up) tell("odd", "unheard", " unheard", ""); // whose fault that is, nobody knows
      else tell("bad", "silent", " silent for " + age, " " + age);
    }
    if (!probers.length) add("odd", "no prober yet");
    // Probers of a kind are told as one where there is no room for each: first those that are well.
    const full = () => list.reduce((sum, hop) => sum + (hop.wide || measure(hop.text) * (hop.state === "bad" ? 1 : 0.9)) + 2.4, measure(pulse) + 4) > room;
    for (const kind of ["up", "unheard", "left", "amiss", "silent"]) {
      const of = list.filter((hop) => hop.kind === kind);
      if (of.length < 2 || !full()) continue;
      list = list.filter((hop) => hop.kind !== kind || hop === of[0]);
      of[0].text = of.length + " " + kind + DOT + count(of.reduce((sum, hop) => sum + hop.n, 0), "watcher") + ": " + of.map((hop) => hop.short).join(", ");
      of[0].title = "";
      of[0].wide = kind === "silent" ? 0 : 12; // more of it may be cut off
    }
    const tall = full(), box = this.hops.parentNode;
    box.classList.toggle("tall", tall);
    // What is broken comes first.
    list = list.filter((hop) => hop.state === "bad").concat(list.filter((hop) => hop.state !== "bad"));
    rows(this.hops, list.length, item);
    list.forEach((hop, n) => {
      const li = this.hops.children[n];
      if (li.className !== hop.state) li.className = hop.state;
      li.style.flexShrink = hop.wide ? 1 : 0;
      if (li.title !== hop.title) li.title = hop.title;
      put(li, hop.text);
    });
    put(this.pulse, pulse);
    const notices = hops.notices || [];
    const some = notices.length > 3 ? notices.slice(0, 2).concat("and " + (notices.length - 2) + " more notices") : notices;
    rows(this.notices, some.length, item);
    some.forEach((text, n) => put(this.notices.children[n], text));
    this.notices.hidden = !some.length;
    const was = this.high;
    this.high = some.length + (tall ? box.offsetHeight : 0);
    return this.high !== was;
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
