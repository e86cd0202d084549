// Groups: one tile for a watcher that several sites report, and one for a whole set. A group is a tile like any other,
// but made of its members. Nothing here touches the page.

import {NAMES, STATES, rank, tally} from "./words.js";

// group makes of the sets and tiles that the dashboard sent what is shown: units are the watchers, each once, faces are
// what stands on the board. Both are listed by number; a group has the number of its first member. merge is "worst" or
// "majority", or anything else to leave the sites apart; folded says of a set's name whether the set is one tile.
export function group(sent, tiles, merge, folded) {
  const out = {sets: [], units: [], faces: []};
  const merging = merge === "worst" || merge === "majority";
  let folds = null; // the set without a name in which folded ones stand side by side
  for (const set of sent) {
    const sites = new Map();
    for (const i of set.tiles) {
      const t = tiles[i];
      if (!t) continue;
      const key = merging ? t.id.slice(t.id.indexOf(".") + 1) : i; // an id is site.set.watcher
      if (sites.has(key)) sites.get(key).push(t);
      else sites.set(key, [t]);
    }
    let units = [];
    sites.forEach((of) => units.push(of.length > 1 ? join(of, of[0].name, merge) : of[0]));
    for (const unit of units) out.units[unit.i] = unit;
    if (!folded(set.name) || !units.length) folds = null;
    else {
      units = [join(units, set.name, "set")];
      if (folds) folds.tiles.push(units[0].i);
      else out.sets.push(folds = {name: "", tiles: [units[0].i]});
    }
    for (const unit of units) out.faces[unit.i] = unit;
    if (!folds) out.sets.push({name: set.name, tiles: units.map((unit) => unit.i)});
  }
  return out;
}

function join(of, name, how) {
  const all = {i: of[0].i, id: how + " " + of[0].id, name: name, of: of, how: how};
  for (const t of of) t.up = all;
  regroup(all);
  return all;
}

// regroup brings a group up to date with its members. Of the sites of one watcher, those that are silent have no say
// while another has one; in a set, one that is silent is one that is not known to be well.
export function regroup(all) {
  const of = all.of;
  const counts = {};
  for (const t of of) counts[t.s] = (counts[t.s] || 0) + 1;
  const there = STATES.filter((s) => counts[s]);
  const heard = there.filter((s) => s !== "stale");
  let s = there[0];
  if (all.how !== "set" && heard.length) {
    s = heard[0];
    if (all.how === "majority") for (const other of heard) if (counts[other] > counts[s]) s = other;
  }
  const those = of.filter((t) => t.s === s);
  const one = those[0];
  all.s = s;
  all.k = null;
  for (const t of of) if (t.k && (!all.k || t.k.e > all.k.e)) all.k = t.k;
  // It began when the first of them did, but not before what was worse had ended; all is well since the last of them is.
  const begins = those.map((t) => t.f);
  const ends = of.filter((t) => t.k && rank(t.k.s) < rank(s)).map((t) => t.k.e);
  all.f = s === "ok" ? Math.max.apply(null, begins) : Math.max.apply(null, ends.concat(Math.min.apply(null, begins)));
  if (all.how === "set") {
    all.v = tally(counts, STATES, ", ");
    all.u = "";
    all.r = false;
    all.m = of.filter((t) => t.s !== "ok").sort((a, b) => rank(a.s) - rank(b.s) || a.i - b.i).map((t) => t.name).join(", ");
  } else {
    all.v = one.v;
    all.u = one.u;
    all.r = one.r;
    all.m = s === "ok" || those.length === of.length ? one.m : those.map((t) => t.site).join(", ") + ": " + (one.m || NAMES[s]);
  }
}
