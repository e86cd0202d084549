// Keyboard, remote control and mouse.

import {said} from "./words.js";
import {button, by, make} from "./page.js";

const LIST = [["arrows", "move from tile to tile"], ["Tab", "move on: tiles, problems, hops"], ["Enter", "open what has the focus"], ["Escape", "close"], ["f", "full screen"], ["?", "this list"]];
const IDLE = 3000; // milliseconds after which the cursor hides

export class Keys {
  constructor(page) {
    this.page = page;
    this.at = -1;
    this.moved = performance.now();
    this.help = by("keys");
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("mousemove", () => this.awake());
    document.addEventListener("mouseover", (event) => this.over(event.target.closest(".tile")));
    document.addEventListener("click", (event) => this.click(event.target));
    by("ask").addEventListener("click", () => this.list(true));
  }

  awake() {
    this.moved = performance.now();
    document.documentElement.classList.remove("idle");
  }

  // over says all of a tile that a mouse rests on: its whole name and for how long, which it may have no room for.
  over(el) {
    const tile = el && this.page.faces[Number(el.id.slice(5))];
    if (tile) el.title = said(tile, this.page.now());
  }

  tick() {
    if (performance.now() - this.moved > IDLE) document.documentElement.classList.add("idle");
  }

  // settle makes one tile reachable by the Tab key.
  settle() {
    const views = this.page.tiles.views, was = views[this.at];
    if (!seen(was)) {
      if (was) was.el.tabIndex = -1;
      this.at = views.findIndex(seen);
    }
    if (views[this.at]) views[this.at].el.tabIndex = 0;
  }

  go(i) {
    const views = this.page.tiles.views;
    if (!seen(views[i])) return;
    if (views[this.at]) views[this.at].el.tabIndex = -1;
    this.at = i;
    views[i].el.tabIndex = 0;
    views[i].el.focus();
  }

  // back gives the focus to the tile that it came from.
  back() {
    this.go(this.at);
  }

  // click opens what was clicked: a tile, a row of the problems list, the bar below.
  click(target) {
    const el = target.closest(".tile, .row, #hops li, #notices");
    if (el && el.className === "row") {
      this.go(Number(el.dataset.i));
      this.page.detail.open(this.page.problem(el.dataset.id));
    } else if (el && el.id.indexOf("tile-") === 0) {
      const i = Number(el.id.slice(5));
      this.go(i);
      this.page.detail.open(this.page.faces[i]);
    } else if (el) {
      this.page.detail.hops();
    }
  }

  list(open) {
    this.help.hidden = !open;
    this.help.textContent = "";
    if (!open) return this.back();
    const sheet = make("div", "card", this.help);
    sheet.setAttribute("role", "dialog");
    sheet.setAttribute("aria-modal", "true");
    sheet.setAttribute("aria-label", "Keys");
    const keys = make("dl", "", sheet);
    for (const pair of LIST) {
      make("dt", "", keys, pair[0]);
      make("dd", "", keys, pair[1]);
    }
    button("", sheet, "close", () => this.list(false)).focus();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const open = !by("detail").hidden, listed = !this.help.hidden, has = document.activeElement;
    switch (event.key) {
      case "Escape":
      case "Backspace":
        if (listed) this.list(false);
        else if (open) this.page.detail.close();
        else return;
        break;
      case "?":
        this.list(!listed);
        break;
      case "f":
        full();
        break;
      case "Enter":
      case " ":
        if (open || listed || !has.closest(".tile, .row, #hops li, #notices")) return;
        this.click(has);
        break;
      case "ArrowLeft":
      case "ArrowRight":
      case "ArrowUp":
      case "ArrowDown":
        if (open || listed) return;
        this.step(event.key);
        break;
      case "Tab":
        if (listed) break; // there is one button
        if (!open) return;
        this.hold(event);
        return;
      default:
        return;
    }
    event.preventDefault();
  }

  // step goes to the nearest tile in that direction; sideways is three times as far as ahead.
  step(key) {
    const views = this.page.tiles.views;
    const from = views[this.at];
    if (!from) return;
    if (document.activeElement !== from.el) return this.go(this.at);
    const a = from.el.getBoundingClientRect();
    const across = key === "ArrowLeft" || key === "ArrowRight";
    const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    let best = -1, least = Infinity;
    views.forEach((view, i) => {
      if (!view || i === this.at) return;
      const b = view.el.getBoundingClientRect();
      const dx = b.left + b.width / 2 - a.left - a.width / 2, dy = b.top + b.height / 2 - a.top - a.height / 2;
      const ahead = sign * (across ? dx : dy), aside = Math.abs(across ? dy : dx);
      if (ahead < 1 || !b.width) return;
      const far = ahead + aside * 3;
      if (far < least) {
        least = far;
        best = i;
      }
    });
    if (best >= 0) this.go(best);
  }

  // hold keeps the Tab key inside the open detail.
  hold(event) {
    const stops = document.querySelectorAll("#detail .sheet, #detail button, #detail a");
    const last = stops[stops.length - 1], first = stops[0];
    if (event.shiftKey && (document.activeElement === first || document.activeElement === stops[1])) {
      last.focus();
      event.preventDefault();
    } else if (!event.shiftKey && document.activeElement === last) {
      stops[1].focus();
      event.preventDefault();
    }
  }
}

// seen says whether a tile stands on the page whose turn it is.
function seen(view) {
  return view && view.el.getClientRects().length > 0;
}

function full() {
  const el = document.documentElement;
  const enter = el.requestFullscreen || el.webkitRequestFullscreen;
  const leave = document.exitFullscreen || document.webkitExitFullscreen;
  if (document.fullscreenElement || document.webkitFullscreenElement) leave.call(document);
  else if (enter) {
    const done = enter.call(el);
    if (done && done.catch) done.catch(() => 0); // not every screen allows it
  }
}
