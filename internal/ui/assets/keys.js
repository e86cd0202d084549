// Keyboard, remote control and mouse.

import {by, make} from "./page.js";

const LIST = [["arrows", "move from tile to tile"], ["Enter", "open the tile"], ["Escape", "close"], ["f", "full screen"], ["?", "this list"]];
const IDLE = 3000; // milliseconds after which the cursor hides

export class Keys {
  // board has functions: views gives the views of the tiles; open and close open and close the detail
  // of one, which may be one that is listed in the rail.
  constructor(board) {
    this.board = board;
    this.at = -1;
    this.moved = performance.now();
    this.help = by("keys");
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("mousemove", () => this.awake());
    this.help.addEventListener("click", () => this.list(false));
  }

  awake() {
    this.moved = performance.now();
    document.documentElement.classList.remove("idle");
  }

  tick() {
    if (performance.now() - this.moved > IDLE) document.documentElement.classList.add("idle");
  }

  // settle makes one tile reachable by the Tab key.
  settle() {
    const views = this.board.views(), was = views[this.at];
    if (!seen(was)) {
      if (was) was.el.tabIndex = -1;
      this.at = views.findIndex(seen);
    }
    if (views[this.at]) views[this.at].el.tabIndex = 0;
  }

  go(i) {
    const views = this.board.views();
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

  click(event) {
    const el = event.target.closest(".tile, #rail li");
    if (!el) return;
    const listed = el.dataset.i; // in the rail
    const i = Number(listed || el.id.slice(5));
    this.go(i);
    this.board.open(i, listed);
  }

  list(open) {
    this.help.hidden = !open;
    this.help.textContent = "";
    if (!open) return;
    const sheet = make("dl", "", this.help);
    for (const pair of LIST) {
      make("dt", "", sheet, pair[0]);
      make("dd", "", sheet, pair[1]);
    }
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const open = !by("detail").hidden;
    switch (event.key) {
      case "Escape":
      case "Backspace":
        if (!this.help.hidden) this.list(false);
        else if (open) this.board.close();
        else return;
        break;
      case "?":
        this.list(this.help.hidden);
        break;
      case "f":
        full();
        break;
      case "Enter":
      case " ":
        if (open || document.activeElement !== (this.board.views()[this.at] || {}).el) return;
        this.board.open(this.at);
        break;
      case "ArrowLeft":
      case "ArrowRight":
      case "ArrowUp":
      case "ArrowDown":
        if (open) return;
        this.step(event.key);
        break;
      case "Tab":
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
    const views = this.board.views();
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
