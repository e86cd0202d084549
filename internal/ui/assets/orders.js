// What those who run the dashboard tell this screen to do.

import {make, put} from "./page.js";

const LONG = 10000; // milliseconds for which a screen shows its name

let shown = null, timer = 0;

export function obey(page, order) {
  if (order.identify) return identify(order.identify);
  const place = page.place(), to = order.show || place;
  // Never to a dead server.
  page.fetch(to).then((answer) => {
    if (!answer.ok) return;
    if (to === place) location.reload();
    else location.href = page.address(to);
  }).catch(() => 0);
}

function identify(name) {
  shown = shown || make("div", "", document.body);
  shown.id = "identify";
  shown.dir = "auto";
  shown.style.fontSize = Math.min(innerHeight * 0.4, innerWidth * 1.4 / name.length) + "px";
  put(shown, name);
  clearTimeout(timer);
  timer = setTimeout(() => {
    shown.remove();
    shown = null;
  }, LONG);
}
