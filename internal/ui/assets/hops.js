// The hops that the news took to get here, in words: each is made once, and the bar below, the banner and the list of all of
// them show it. Nothing here touches the page.

import {DOT, brief, count, some} from "./words.js";


// describe returns a list of hops: what is broken first. Each has a state (bad, odd or up), a kind, a text for the bar,
// short for a list of its kind, and how many watchers are behind it.
export function describe(hops, now, behind, silent) {
  const list = [];
  const add = (state, kind, text, n, short, title) => list.push({state: state, kind: kind, text: text, n: n, short: short, title: title || ""});
  if (!behind) add("up", "dashboard", "dashboard");
  else add("bad", "screen", silent ? "this screen: no contact for " + brief(behind) : "this screen: " + brief(behind) + " behind");
  const nats = hops.nats || {up: true}, why = nats.error ? DOT + nats.error : "";
  const down = brief(now - nats.f);
  if (!nats.up) add("bad", "nats", "NATS down for " + down + why, 0, "NATS down for " + down);
  else if (hops.nats) add(nats.error || nats.store === false ? "odd" : "up", "nats", (nats.store === false ? "NATS keeps no last values" : "NATS") + why);
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
    const amiss = (p.missed ? ": too slow: " + count(p.missed, "check") + " skipped in 10 min" : "") + (p.offset ? DOT + "clock " + brief(Math.abs(p.offset)) + (p.offset > 0 ? " ahead" : " behind") : "");
    const tell = (state, kind, more, short) => {
      add(state, kind, name + more + tail, p.watchers, name + short, p.version);
      list[list.length - 1].name = name;
      list[list.length - 1].age = now - p.f;
    };
    if (p.up) tell(amiss ? "odd" : "up", amiss ? "amiss" : "up", amiss, amiss + version);
    else if (p.left) tell("odd", "left", " was shut down " + age + " ago", " " + age + " ago");
    else if (!nats.up) tell("odd", "unheard", ": not known while NATS is down", ""); // whose fault that is, nobody knows
    else tell("bad", "silent", ": no contact for " + age, " " + age);
  }
  if (!probers.length) add("odd", "none", "no prober yet");
  return list.filter((hop) => hop.state === "bad").concat(list.filter((hop) => hop.state !== "bad"));
}

const KINDS = {up: ["prober", ""], unheard: ["prober", " not known while NATS is down"], left: ["prober", " shut down"], amiss: ["prober", " with a fault"], silent: ["prober", ": no contact"]};

// together tells hops of a kind as one where there is no room for each: first those that are well. full says whether a
// list takes too much room.
export function together(list, full) {
  for (const kind of ["up", "unheard", "left", "amiss", "silent"]) {
    const of = list.filter((hop) => hop.kind === kind);
    if (of.length < 2 || !full(list)) continue;
    const one = Object.assign({}, of[0], {title: "", wide: true});
    one.text = count(of.length, KINDS[kind][0]) + KINDS[kind][1] + DOT + count(of.reduce((sum, hop) => sum + hop.n, 0), "watcher") + ": " + of.map((hop) => hop.short).join(", ");
    list = list.filter((hop) => hop.kind !== kind || hop === of[0]).map((hop) => (hop === of[0] ? one : hop));
  }
  return list;
}

// banner says what is broken, in as many words as there may be: a list, the longest first; empty while nothing is. The
// first two name all that there are few of.
export function banner(list) {
  const nats = list.find((hop) => hop.kind === "nats" && hop.state === "bad");
  if (nats) return [nats.short + ": nothing on this board is known to be true", nats.short];
  const silent = list.filter((hop) => hop.kind === "silent"), names = silent.map((hop) => hop.name);
  if (!silent.length) return [];
  const behind = ", " + count(silent.reduce((sum, hop) => sum + hop.n, 0), "watcher");
  const age = ": no contact for " + brief(Math.max.apply(null, silent.map((hop) => hop.age)));
  const many = silent.length > 1 ? count(silent.length, "prober") : names[0];
  return [some(names, 4) + age + behind, some(names, 4) + age, some(names, 2) + age + behind, many + age + behind, many + age];
}
