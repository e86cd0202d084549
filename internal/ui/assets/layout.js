// Where everything stands. Pure arithmetic: numbers in, numbers out. All is decided on a screen of 1080 lines, and then
// scaled: a screen of four times the pixels shows the same picture, and a few pixels more or less change nothing.

// LEVELS say what a tile shows, from all down to its colour and mark: how many rows a name may have, how many heights of
// its letters the value and the rows below take, and the height of letters below which the next level is better.
const LEVELS = [
  {rows: 3, value: 1.3, below: 1.5, least: 24},
  {rows: 2, value: 1.25, below: 0, least: 14},
  {rows: 3, value: 0, below: 0, least: 11.5},
  {rows: 0},
];
export const CELLS = LEVELS.length - 1;

export const LINE = 1.17; // of a row of a name, in heights of its letters
export const SMALLER = 0.84; // than other names is one that is not shown whole otherwise
export const MARK = 1.15; // how wide a mark beside a name is, with the space before it
const LARGE = 40; // what can be read from five metres, on 1080 lines
export const HELD = 17; // and on a telephone
const RICH = 0.7; // of the worth of names that a level with more to show may cost beside a list of problems
const SPARE = 0.6; // and where there is none
const WHOLE = 0.4; // of the names that a tile with names shows whole
const STEP = 48; // to which a screen is rounded before anything is decided
const FINE = 8; // and the room for the tiles on it
const SURE = 1.02; // letters that need no list are so much larger than they must be, for what was rounded

// scale is how large this screen is beside one of 1920x1080.
export function scale(width, height) {
  const short = Math.min(width, height), long = Math.max(width, height);
  return Math.max(0.5, Math.min(short / 1080, long / 1600));
}

// far is the height of letters that are read from five metres: fewer than eight problems have room for larger ones.
export function far(width, height, problems) {
  return (problems < 8 ? LARGE : 32) * Math.max(0.5, Math.min(width, height) / 1080);
}

// fit finds the layout for sets of the given sizes. ask has: width and height of the room, those of the window that it is in,
// sizes and named (one of each for every set), needs (how wide names are on 1, 2 and 3 rows, in order; and the widest of up
// to 40 letters), digits and unit (the widths of "412" and of "ms"), wordy (that of a long last row), dots (tiles have a row
// of them), zoom, list (whether there is one beside the tiles), floor (the least height of letters that the browser draws),
// upright, narrow (it is a telephone).
export function fit(ask) {
  const s = scale(ask.window.width, ask.window.height), list = ask.list ? aside(ask, s) : null;
  // The screen that all is decided on, and how much larger it is than this one.
  const screen = {width: steps(ask.window.width / s, STEP), height: steps(ask.window.height / s, STEP)};
  const large = {width: screen.width / ask.window.width, height: screen.height / ask.window.height};
  ask = Object.assign({}, ask, {far: (ask.narrow ? HELD / s : far(screen.width, screen.height, 1)) * SURE, floor: ask.floor / s * SURE});
  const room = {
    width: ask.width - (list && list.beside ? list.w + list.gap : 0),
    height: ask.height - (list && !list.beside ? list.h + list.gap : 0),
  };
  const width = steps(room.width * large.width, FINE), height = steps(room.height * large.height, FINE);
  const total = ask.sizes.reduce((sum, n) => sum + n, 0);
  if (!total) return null;
  const packs = candidates(ask, {width: width, height: height}, total);
  const found = LEVELS.map(() => null);
  let most = 0;
  for (let l = list ? 1 : 0; l <= CELLS; l++) {
    for (const pack of packs) {
      const type = letter(pack, LEVELS[l], ask);
      if (!type || (l < CELLS && type.whole < WHOLE)) continue;
      // Holes are ugly, a set in a row of its own reads best, and a value that is larger is read from farther away.
      let score = type.worth * Math.pow(1 + type.value / type.name, 0.25) * (1 - 0.2 * (1 - total / pack.cells)) * pack.bonus;
      if (l === CELLS) score = Math.min(pack.w, pack.h) * pack.bonus;
      if (!found[l] || score > found[l].score) found[l] = {score: score, level: l, pack: pack, type: type};
    }
    if (l < CELLS && found[l]) most = Math.max(most, found[l].type.worth);
  }
  const best = found.find((one) => one && (one.level === CELLS || (one.type.alone && one.level < 2) || one.type.worth >= most * (list ? RICH : SPARE)));
  if (!best) return null;
  return finish(best, list, room.width / width, room.height / height);
}

// steps rounds a length to so many, and at least one.
function steps(length, step) {
  return Math.max(1, Math.round(length / step)) * step;
}

// finish puts a plan into the pixels of this screen.
function finish(best, list, x, y) {
  const less = Math.min(x, y);
  const plan = Object.assign({}, best.type, {level: best.level, list: list, cols: best.pack.cols, sections: []});
  for (const key of ["name", "value", "unit", "high", "line", "reason", "pad", "mark"]) plan[key] *= less;
  plan.w = best.pack.w * x;
  plan.h = best.pack.h * y;
  plan.gap = best.pack.gap * less;
  plan.title = best.pack.title * y;
  plan.room = plan.w - 2 * plan.pad;
  best.pack.sections.forEach((at, k) => {
    plan.sections[k] = {x: at.x * x, y: at.y * y, w: at.w * x, cols: at.cols, titled: at.titled};
  });
  plan.gapX = best.pack.gap * x;
  plan.gapY = best.pack.gap * y;
  plan.bottom = best.pack.bottom * y;
  return plan;
}

// aside takes a share of the board for the problems list: beside the tiles, or below them on an upright screen.
function aside(ask, s) {
  const gap = Math.round(18 * s);
  if (!ask.upright) {
    const w = Math.round(ask.width * 0.38);
    return {beside: true, gap: gap, x: ask.width - w, y: 0, w: w, h: ask.height};
  }
  const h = Math.round(ask.height * 0.46);
  return {beside: false, gap: gap, x: 0, y: ask.height - h, w: ask.width, h: h};
}

// candidates packs the sets in both directions: in rows of sets side by side, and in columns of sets below each other.
function candidates(ask, room, total) {
  const side = Math.sqrt(room.width * room.height / total);
  const gap = Math.max(2, Math.min(12, Math.round(side * 0.045)));
  const title = ask.named.some(Boolean) ? Math.round(Math.max(20, Math.min(34, side * 0.26))) : 0;
  const space = {gap: gap, title: title, apart: Math.round(gap * 1.5)};
  const out = [];
  for (let cols = 1, most = Math.min(total, Math.floor(room.width / 8)); cols <= most; cols++) {
    const w = room.width / cols;
    if (total > 12 && (w > side * 4.5 || w < side * 0.45)) continue;
    const pack = inRows(ask, room, space, cols, title / side);
    if (pack) out.push(pack);
  }
  if (ask.sizes.filter(Boolean).length > 1) {
    const tallest = Math.min(total, Math.floor(room.height / 8));
    for (let rows = 1; rows <= tallest; rows++) {
      const h = room.height / rows;
      if (total > 12 && (h > side * 2.5 || h < side * 0.25)) continue;
      const pack = inColumns(ask, room, space, rows);
      if (pack) out.push(pack);
    }
  }
  return out;
}

// inRows puts the sets side by side into rows, in order, so that there are as few rows of tiles as these columns allow.
function inRows(ask, room, space, cols, title) {
  const sets = [];
  ask.sizes.forEach((n, k) => n && sets.push({k: k, n: n}));
  const best = [{cost: 0}]; // of the sets before the nth
  for (let i = 1; i <= sets.length; i++) {
    best[i] = {cost: Infinity};
    for (let j = i - 1; j >= 0 && i - j <= cols; j--) {
      const rows = deep(sets, j, i, cols, best[i].rows);
      const cost = best[j].cost + rows + title;
      if (cost < best[i].cost) best[i] = {cost: cost, from: j, rows: rows};
    }
  }
  const shelves = [];
  for (let i = sets.length; i > 0; i = best[i].from) shelves.unshift({from: best[i].from, to: i, rows: best[i].rows});
  let rows = 0, most = 1;
  for (const shelf of shelves) {
    rows += shelf.rows;
    most = Math.max(most, shelf.to - shelf.from);
  }
  const pack = {cols: cols, cells: rows * cols, gap: space.gap, title: space.title, bonus: 1, sections: []};
  pack.w = (room.width - (cols - 1) * space.gap - (most - 1) * space.apart) / cols;
  pack.h = (room.height - shelves.length * space.title - (rows - 1) * space.gap) / rows;
  if (pack.w < 5 || pack.h < 5) return null;
  let y = 0;
  for (const shelf of shelves) {
    let x = 0, named = false;
    for (const set of sets.slice(shelf.from, shelf.to)) named = named || ask.named[set.k];
    for (const set of sets.slice(shelf.from, shelf.to)) {
      const wide = Math.ceil(set.n / shelf.rows), w = wide * (pack.w + space.gap) - space.gap;
      pack.sections[set.k] = {x: x, y: y, w: w, cols: wide, titled: named};
      x += w + space.gap + space.apart;
    }
    y += (named ? space.title : 0) + shelf.rows * (pack.h + space.gap);
  }
  pack.bottom = y - space.gap;
  return pack;
}

// deep is how many rows sets side by side need in so many columns. More than most is of no interest.
function deep(sets, from, to, cols) {
  let total = 0;
  for (let i = from; i < to; i++) total += sets[i].n;
  for (let rows = Math.ceil(total / cols); ; rows++) {
    let wide = 0;
    for (let i = from; i < to; i++) wide += Math.ceil(sets[i].n / rows);
    if (wide <= cols) return rows;
  }
}

// inColumns puts the sets below each other into columns, in order, so that there are as few columns of tiles as the height
// allows that so many rows of tiles leave for each.
function inColumns(ask, room, space, rows) {
  const sets = [];
  ask.sizes.forEach((n, k) => n && sets.push({k: k, n: n}));
  const h = (room.height - space.title - (rows - 1) * space.gap) / rows;
  if (h < 5) return null;
  const most = Math.max.apply(null, ask.sizes);
  const best = [{cost: 0}];
  for (let i = 1; i <= sets.length; i++) best[i] = {cost: Infinity};
  for (let i = 0; i < sets.length; i++) {
    if (best[i].cost === Infinity) continue;
    for (let wide = 1; wide <= most; wide++) {
      let high = 0, j = i;
      for (; j < sets.length; j++) {
        high += space.title + Math.ceil(sets[j].n / wide) * (h + space.gap);
        if (high - space.gap > room.height + 0.5) break;
        const cost = best[i].cost + wide;
        if (cost < best[j + 1].cost) best[j + 1] = {cost: cost, from: i, wide: wide};
      }
      if (j === sets.length) break; // wider is of no use
    }
  }
  if (best[sets.length].cost === Infinity) return null;
  const strips = [];
  for (let i = sets.length; i > 0; i = best[i].from) strips.unshift({from: best[i].from, to: i, wide: best[i].wide});
  const cols = best[sets.length].cost;
  const pack = {cols: cols, cells: rows * cols, gap: space.gap, title: space.title, bonus: 0.97, sections: [], h: h};
  pack.w = (room.width - (cols - 1) * space.gap - (strips.length - 1) * space.apart) / cols;
  if (pack.w < 5) return null;
  let x = 0;
  for (const strip of strips) {
    const w = strip.wide * (pack.w + space.gap) - space.gap;
    let y = 0;
    for (const set of sets.slice(strip.from, strip.to)) {
      pack.sections[set.k] = {x: x, y: y, w: w, cols: strip.wide, titled: space.title > 0};
      y += space.title + Math.ceil(set.n / strip.wide) * (h + space.gap);
    }
    x += w + space.gap + space.apart;
  }
  pack.bottom = room.height;
  return pack;
}

// letter is the type that fits a tile; null where none does.
function letter(pack, level, ask) {
  const w = pack.w, h = pack.h;
  if (!level.rows) {
    const cell = Math.min(w, h);
    return {name: 0, value: 0, unit: 0, line: 0, reason: 0, rows: 0, more: 0, high: 0, pad: 0, mark: cell * 0.62, note: 0, tail: 0, alone: false};
  }
  const pad = Math.max(3, Math.min(20, Math.min(w, h) * 0.08));
  const inner = w - 2 * pad, high = h - 1.7 * pad;
  const floor = ask.floor, below = level.below && level.below + (ask.dots ? 0.73 : 0);
  const tail = level.value ? 0 : MARK, needs = tail ? ask.needs.tailed : ask.needs.plain;
  // Letters are as large as the height allows, or smaller, where that lets more names be shown whole.
  let name = 0, rows = 1, most = 0;
  const least = level.least * Math.sqrt(ask.zoom);
  for (let n = 1; n <= level.rows; n++) {
    const high1 = Math.min(high / (n * LINE + level.value * 1.12 + below), 92 * Math.max(1, ask.zoom));
    for (const part of [0.5, 0.7, 0.8, 0.9, 0.95, 1]) {
      const size = Math.min(high1, Math.max(least, inner / quantile(needs[n - 1], part))), now = worth(size, wholes(needs[n - 1], inner / size), ask);
      if (now > most * (n > 2 ? 1.12 : 1.02)) {
        most = now;
        name = size;
        rows = n;
      }
    }
  }
  if (name < Math.max(floor, least)) return null;
  // Where there is room for another row of a name, long names have it.
  while (rows < level.rows && high >= name * ((rows + 1) * LINE + level.value * 1.12 + below)) rows++;
  // A little smaller, where no list is needed then.
  const all = inner / needs[rows - 1].widest;
  if (name > all && all >= ask.far) name = all;
  const whole = wholes(needs[rows - 1], inner / name);
  // The last row is a little smaller, where that lets a whole "was critical 3 s, 1 minute ago" stand on it.
  const line = level.below ? Math.max(Math.min(name * 0.54, 36, Math.max(name * 0.3, 15, inner / ask.wordy)), floor, Math.min(13, name)) : 0;
  let room = high - rows * name * LINE - line * (ask.dots ? 3 : 2) * 1.3;
  const note = line > 0 && room >= name * level.value * 0.9;
  if (!note) room += line * 1.3;
  const mark = 0.62; // in heights of the value; a tile that is well has the room for it, too
  const wide = ask.digits + mark * 1.2 + 0.11;
  let value = 0;
  if (level.value) value = Math.min(room / 1.12, inner / (wide + ask.unit * 0.5), Math.max(name * 2.2, 34), 300);
  // A name that needs one row more takes it from its value.
  const more = level.value ? Math.max(0, Math.min(1, (room - name * LINE) / (value * 1.12))) : 0;
  // The reason has one row, or two of letters as large as there is room for.
  const spare = room - value * 1.12, notes = note ? (spare >= line * 1.3 ? 2 : 1) : 0;
  const reason = notes > 1 ? Math.max(line, Math.min((spare + line * 1.3) / 2.7, name * 0.6)) : line;
  return {
    name: name, rows: rows, more: more, value: value, unit: Math.max(value * 0.45, Math.min(name * 0.62, value)),
    high: high, line: line, reason: reason, pad: pad, note: notes, mark: level.value ? value * mark : name * 0.95, tail: tail, alone: name >= ask.far && name * needs[rows - 1].widest <= inner,
    whole: whole, worth: worth(name, whole, ask),
  };
}

// worth is what names are worth, of that size, that part of which is whole. What is read from afar need not be larger; and
// beside a list, that is for those who come near.
function worth(name, whole, ask) {
  return Math.min(name, ask.list ? 24 : LARGE * 1.1) * (0.15 + 0.85 * whole);
}

// wholes is what part of the names is whole in this room: as they are, or else in letters that are a little smaller.
function wholes(need, room) {
  return 0.25 * share(need, room) + 0.75 * share(need, room / SMALLER);
}

// quantile is how wide that part of the names is at most; share is which part is no wider than that.
function quantile(need, part) {
  return need.list[Math.min(need.list.length - 1, Math.floor(need.list.length * part))];
}

function share(need, room) {
  let least = 0, most = need.list.length;
  while (least < most) {
    const n = (least + most) >> 1;
    if (need.list[n] <= room + 0.01) least = n + 1;
    else most = n;
  }
  return least / need.list.length;
}

// scrolling is the layout of a telephone: two columns of tiles large enough for a thumb, as long as it takes.
export function scrolling(ask) {
  const total = ask.sizes.reduce((sum, n) => sum + n, 0);
  if (!total) return null;
  const cols = Math.min(2, total), zoom = Math.min(2, ask.zoom);
  const space = {gap: 7, title: ask.named.some(Boolean) ? 28 : 0};
  const w = (ask.width - (cols - 1) * space.gap) / cols, h = 104 * zoom;
  const pack = {cols: cols, w: w, h: h, gap: space.gap, title: space.title, sections: []};
  let y = 0;
  ask.sizes.forEach((n, k) => {
    if (!n) return;
    pack.sections[k] = {x: 0, y: y, w: ask.width, cols: cols, titled: space.title > 0};
    y += space.title + Math.ceil(n / cols) * (h + space.gap);
  });
  pack.bottom = y - space.gap;
  const type = letter(pack, Object.assign({}, LEVELS[0], {rows: 2, least: 13}), ask);
  if (!type) return null;
  return Object.assign(finish({type: type, pack: pack, level: 0}, null, 1, 1), {scrolls: true});
}
