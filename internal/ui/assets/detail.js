// One watcher, opened: what is behind its tile. Its text stands still so that it can be read and copied; its colour,
// value and duration go on.

import {NAMES, STATES, brief, clock, count, line, reading, spoken} from "./words.js";
import {by, make, put} from "./page.js";

// What people call a phase, where it is not its name.
const PHASES = {lookup: "name lookup", tls: "TLS"};

export class Detail {
  // board has functions: closed is called when the detail is; find gives a tile by its id, alone the address of a set,
  // and now the time.
  constructor(board) {
    this.root = by("detail");
    this.board = board;
    this.id = "";
    this.asking = 0; // which question an answer belongs to
    this.root.addEventListener("click", (event) => {
      if (event.target === this.root) this.close();
    });
  }

  // open shows the tile and asks the dashboard for the rest.
  open(tile) {
    const now = this.board.now();
    this.id = tile.id;
    this.asking++;
    this.members = null;
    this.live = false;
    this.asked = now;
    const root = this.root;
    root.textContent = "";
    const sheet = this.sheet = make("div", "sheet", root);
    sheet.setAttribute("role", "dialog");
    sheet.setAttribute("aria-modal", "true");
    sheet.setAttribute("aria-labelledby", "detail-name");
    sheet.tabIndex = -1;
    const head = make("div", "sheet-head", sheet);
    this.head = head;
    const close = make("button", "close", head, "\u00d7");
    close.type = "button";
    close.setAttribute("aria-label", "close");
    close.addEventListener("click", () => this.close());
    const name = make("h2", "", head, tile.name);
    name.id = "detail-name";
    name.dir = "auto";
    this.where = make("p", "where", head, tile.site || "");
    this.where.dir = "auto";
    const number = make("div", "now", head);
    this.value = make("span", "value", number);
    this.value.dir = "auto";
    this.unit = make("span", "unit", number);
    make("i", "mark", number);
    this.since = make("p", "since", head);
    this.body = make("div", "sheet-body", sheet);
    root.hidden = false;
    if (tile.of) this.list(tile);
    else this.hold(sheet);
    this.paint(tile, now);
    if (!tile.of) this.fetch();
    sheet.focus();
  }

  // hold adds the row that says since when the text stands still.
  hold(sheet) {
    const foot = make("p", "held", sheet);
    this.held = make("span", "", foot);
    this.resume = make("button", "", foot, "resume");
    this.resume.type = "button";
    this.resume.addEventListener("click", () => {
      this.live = !this.live;
      if (this.live) this.fetch();
      else this.stand();
    });
  }

  // list shows what a group is made of: what is not well first, and in this order for as long as it is open.
  list(group) {
    put(this.where, group.how === "set" ? count(group.of.length, "watcher") : count(group.of.length, "site"));
    this.members = {};
    const of = group.of.slice().sort((a, b) => STATES.indexOf(a.s) - STATES.indexOf(b.s) || a.i - b.i);
    for (const t of of) {
      const row = this.members[t.id] = make("button", "member", this.body);
      row.type = "button";
      make("i", "mark", row);
      make("span", "who", row, group.how === "set" ? t.name + (t.site ? " \u00b7 " + t.site : "") : t.site).dir = "auto";
      make("span", "what", row).dir = "auto";
      make("span", "long", row);
      row.addEventListener("click", () => this.open(this.board.find(t.id) || t));
    }
    if (group.how === "set") make("a", "", this.body, "this set alone").href = this.board.alone(group.name);
  }

  close() {
    if (this.root.hidden) return;
    this.root.hidden = true;
    this.root.textContent = "";
    this.id = "";
    this.asking++;
    this.board.closed();
  }

  // paint keeps the living part up to date.
  paint(tile, now) {
    this.head.dataset.s = tile.s;
    put(this.value, reading(tile));
    put(this.unit, tile.v === "" ? "" : tile.u);
    put(this.since, NAMES[tile.s] + " \u00b7 " + (tile.s === "stale" ? line(tile, now, 2, false) : "for " + spoken(now - tile.f)) + (tile.s !== "ok" && tile.m && tile.v !== "" ? " \u00b7 " + tile.m : ""));
    for (const t of tile.of || []) {
      const row = this.members[t.id];
      if (!row) continue; // it came later
      row.dataset.s = t.s;
      put(row.children[2], reading(t) + (t.v === "" || !t.u ? "" : " " + t.u));
      put(row.children[3], line(t, now, 0, false));
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
    fetch("api/v1/watchers/" + this.id.split("/").map(encodeURIComponent).join("/"), {cache: "no-store"})
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
    put(this.held, this.live ? "following" : "held since " + clock(new Date()));
    put(this.resume, this.live ? "hold" : "resume");
  }

  fill(d) {
    const body = this.body;
    body.textContent = "";
    put(this.where, [d.set, d.site].filter(Boolean).join(" \u00b7 "));
    if (d.target) make("p", "address", body, d.target);
    if (d.summary && this.since.textContent.indexOf(d.summary) < 0) make("p", "summary", body, d.summary).dir = "auto";
    phases(d.phases, body);
    const list = make("dl", "facts", body);
    const fact = (name, text) => {
      if (text === "" || text === undefined || text === null) return;
      make("dt", "", list, name);
      make("dd", "", list, String(text)).dir = "auto";
    };
    for (const f of d.facts || []) fact(f.name, f.value);
    fact("ran at", d.at ? moment(d.at) : "");
    if (typeof d.age === "number") fact("heard of", d.age < 1 ? "less than 1 s ago" : brief(d.age) + " ago");
    fact("prober", [d.site, d.prober].filter(Boolean).join("/"));
    if (d.interval) fact("every", d.interval + " s" + (d.running ? ", running now" : ""));
    if (d.missed) fact("missed", count(d.missed, "run"));
    if (d.lag > 0.05) fact("began late by", d.lag.toFixed(2) + " s");
    if (d.self > 0.05) fact("prober's own delay", d.self.toFixed(2) + " s");
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

function moment(at) {
  const date = new Date(at);
  return isNaN(date) ? at : clock(date);
}
