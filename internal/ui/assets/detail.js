// One watcher, opened: what is behind its tile. Its text stands still so that it can be read and copied; its colour,
// value and duration go on.

import {DOT, NAMES, brief, called, count, flicker, glow, known, lasting, measured, rank, reading, reason} from "./words.js";
import {button, by, make, put} from "./page.js";


// What people call a phase, where it is not its name.
const PHASES = {lookup: "name lookup", tls: "TLS"};

export class Detail {
  constructor(page) {
    this.root = by("detail");
    this.page = page;
    this.id = "";
    this.asking = 0; // which question an answer belongs to
    this.root.addEventListener("click", (event) => {
      if (event.target === this.root) this.close();
    });
  }

  // sheet is an empty one, with its head and body.
  sheet(title) {
    const root = this.root;
    this.asking++;
    this.members = null;
    this.id = "";
    root.textContent = "";
    const sheet = make("div", "sheet", root);
    sheet.setAttribute("role", "dialog");
    sheet.setAttribute("aria-modal", "true");
    sheet.setAttribute("aria-labelledby", "detail-name");
    sheet.tabIndex = -1;
    const head = this.head = make("div", "sheet-head", sheet);
    if (this.page.only) make("a", "whole", head, "the whole board").href = this.page.address("");
    else button("close", head, "\u00d7", () => this.close()).setAttribute("aria-label", "close");
    const name = make("h2", "", head, title);
    name.id = "detail-name";
    name.dir = "auto";
    this.body = make("div", "sheet-body", sheet);
    root.hidden = false;
    return sheet;
  }

  // open shows the tile and asks the dashboard for the rest.
  open(tile) {
    if (!tile) return;
    const now = this.page.now(), sheet = this.sheet(tile.name), head = this.head;
    this.id = tile.id;
    this.live = Boolean(this.page.only);
    this.asked = now;
    this.where = make("p", "where", head, tile.site || "");
    this.where.dir = "auto";
    const number = make("div", "now", head);
    this.value = make("span", "value", number);
    this.value.dir = "auto";
    this.unit = make("span", "unit", number);
    make("i", "mark", number);
    this.since = make("p", "since", head);
    if (tile.of) this.list(tile);
    else this.hold(sheet);
    this.paint(tile, now);
    if (!tile.of) this.fetch();
    sheet.focus();
  }

  // hops shows every hop that the news took to get here, and all notices.
  hops() {
    const sheet = this.sheet(this.page.title);
    this.page.bars.all(this.body);
    sheet.focus();
  }

  // hold adds the row that says since when the text stands still.
  hold(sheet) {
    const foot = make("p", "held", sheet);
    this.held = make("span", "", foot);
    this.resume = button("", foot, "update", () => {
      this.live = !this.live;
      if (this.live) this.fetch();
      else this.stand();
    });
  }

  // list shows what a group is made of: what is not well first, and in this order for as long as it is open.
  list(group) {
    const whole = group.how === "set" || group.how === "stale";
    put(this.where, whole ? count(group.of.length, "watcher") : count(group.of.length, "site"));
    this.members = {};
    const of = group.of.slice().sort((a, b) => rank(a.s) - rank(b.s) || a.i - b.i);
    for (const t of of) {
      const row = this.members[t.id] = button("member", this.body, "", () => this.open(this.page.find(t.id) || t));
      make("i", "mark", row);
      make("span", "who", row, whole ? called(t) : t.site).dir = "auto";
      make("span", "what", row).dir = "auto";
      make("span", "long", row);
    }
    if (group.how === "set") make("a", "", this.body, "this set alone").href = this.page.alone(group.name);
  }

  close() {
    if (this.root.hidden || this.page.only) return;
    this.root.hidden = true;
    this.root.textContent = "";
    this.id = "";
    this.asking++;
    this.page.keys.back();
  }

  // paint keeps the living part up to date.
  paint(tile, now) {
    this.head.dataset.s = tile.s;
    put(this.value, reading(tile));
    put(this.unit, known(tile) ? tile.u : "");
    const why = reason(tile) === NAMES[tile.s] || !measured(tile) || tile.s === "ok" ? "" : reason(tile);
    put(this.since, [NAMES[tile.s], lasting(now - tile.f, false), why].filter(Boolean).join(DOT));
    for (const t of tile.of || []) {
      const row = this.members[t.id];
      if (!row) continue; // it came later
      row.dataset.s = t.s;
      put(row.children[2], measured(t) || reading(t));
      put(row.children[3], glow(t, now) ? flicker(t.k, now, 1) : lasting(now - t.f, true));
    }
    if (this.live && !this.pending && now - this.asked >= 1) this.fetch();
    this.clock = now;
  }

  // gone is told when the watcher is no longer on the board.
  gone() {
    put(this.since, "no longer on the board");
  }

  fetch() {
    const turn = ++this.asking;
    this.pending = true;
    this.asked = this.clock;
    if (!this.live) put(this.held, "asking the dashboard");
    this.page.fetch("api/v1/watchers/" + this.id.split("/").map(encodeURIComponent).join("/"))
      .then((answer) => {
        if (!answer.ok) throw new Error("the dashboard answered " + answer.status);
        return answer.json();
      })
      .then((facts) => {
        if (turn !== this.asking) return;
        this.pending = false;
        this.fill(facts);
        this.stand();
      })
      .catch((error) => {
        if (turn !== this.asking) return;
        this.pending = false;
        this.live = false;
        put(this.held, "no detail: " + error.message);
        put(this.resume, "try again");
      });
  }

  stand() {
    put(this.held, this.live ? "following" : "paused at " + this.page.clock.full(new Date()));
    put(this.resume, this.live ? "pause" : "update");
  }

  fill(d) {
    const body = this.body;
    body.textContent = "";
    put(this.where, [d.set, d.site].filter(Boolean).join(DOT));
    if (d.description) make("p", "about", body, d.description).dir = "auto";
    if (d.target) make("p", "address", body, d.target);
    if (/^https?:\/\//.test(d.link || "")) {
      const link = make("a", "", make("p", "", body), d.link);
      link.href = d.link;
      link.rel = "noopener noreferrer";
      link.target = "_blank";
    }
    if (d.summary && this.since.textContent.indexOf(d.summary) < 0) make("p", "summary", body, d.summary).dir = "auto";
    phases(d.phases, body);
    const list = make("dl", "facts", body);
    const fact = (name, text) => {
      if (text === "" || text === undefined || text === null) return;
      make("dt", "", list, name);
      make("dd", "", list, String(text)).dir = "auto";
    };
    for (const f of d.facts || []) fact(f.name, f.value);
    fact("checked at", d.at ? moment(d.at, this.page.clock) : "");
    if (typeof d.age === "number") fact("last result", d.age < 5 ? "just now" : brief(d.age) + " ago");
    fact("prober", [d.site, d.prober].filter(Boolean).join("/"));
    if (d.interval) fact("every", d.interval + " s" + (d.running ? ", running now" : ""));
    if (d.missed) fact("too slow", count(d.missed, "check") + " skipped");
    if (d.lag > 0.05) fact("started late by", d.lag.toFixed(2) + " s");
    const flickers = d.flickers || [];
    if (flickers.length) {
      make("h3", "", body, "Flickers");
      const ul = make("ul", "flickers", body);
      for (const f of flickers) {
        const li = make("li", "", ul, NAMES[f.status] + " for " + (f.lasted < 1 ? "under 1 s" : brief(f.lasted)) + ", " + brief(f.ago) + " ago");
        li.dataset.s = f.status;
      }
    }
    if (d.detail) {
      make("h3", "", body, "Output");
      make("pre", "", body, d.detail).dir = "auto";
    }
    fact("id", d.id);
    if (!this.page.only) make("a", "", body, "a page of this watcher alone").href = this.page.address("w/" + encodeURIComponent(d.id));
  }
}

// phases draws the parts of the time beside each other, as long as they took.
function phases(parts, body) {
  const total = (parts || []).reduce((sum, p) => sum + p.took, 0);
  if (!total) return;
  const bar = make("div", "bar", body);
  bar.setAttribute("aria-hidden", "true");
  const list = make("ul", "phases", body);
  for (const part of parts) {
    const took = part.took;
    make("i", "", bar).style.flexGrow = String(Math.max(took / total, 0.005));
    const li = make("li", "", list);
    make("i", "", li);
    make("span", "", li, PHASES[part.name] || part.name.split("_").join(" "));
    make("b", "", li, took < 1 ? Math.round(took * 1000) + " ms" : took.toFixed(2) + " s");
  }
}

function moment(at, clock) {
  const date = new Date(at);
  return isNaN(date) ? at : clock.full(date);
}
