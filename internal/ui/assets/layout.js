// Where everything stands. Pure arithmetic: numbers in, numbers out, all in CSS pixels.

// LEVELS say what a tile shows, from all down to its colour and mark. Each gives the height of a tile and the width
// beside the name, both in name heights, and how much larger than the name the value is at least.
export const LEVELS = [
  {name: "full", high: 5.3, wide: 1.1, value: 1.9, longest: 12},
  {name: "noline", high: 3.7, wide: 1, value: 1.6, longest: 9},
  {name: "nounit", high: 3.4, wide: 0.8, value: 1.5, longest: 7},
  {name: "name", high: 1.7, wide: 0.8, value: 0, longest: 6},
  {name: "cell", high: 0, wide: 0, value: 0, longest: 0},
];

const SMALLEST = 10; // pixels below which letters are mush, whatever the screen

// scale is how large this screen is beside one of 1920x1080, so that a screen of four times the pixels shows the same picture.
export function scale(width, height) {
  const short = Math.min(width, height), long = Math.max(width, height);
  return Math.max(0.6, Math.min(short / 1080, long / 1600));
}

// fit finds the layout for sets of the given sizes. ask has: width and height of the board, sizes and named (one of each
// for every set), scale, zoom, letters (the width of a usual name in name heights), wordy (that of a long last row), digits and unit (those of "412" and of "ms"), held (a
// plan whose columns are kept), and scrolls (may be taller than height).
export function fit(ask) {
  const unit = ask.scale * ask.zoom;
  if (ask.scrolls) {
    const roomy = scrolling(ask);
    if (roomy) return roomy;
  }
  const smallest = Math.max(SMALLEST, 11 * ask.scale) * ask.zoom;
  let best = null;
  for (let l = ask.held ? ask.held.level : 0; l < LEVELS.length; l++) {
    const level = LEVELS[l];
    const rail = l >= 3 || ask.rail ? rails(ask, unit) : null;
    const area = {width: ask.width - (rail && rail.beside ? rail.w + rail.gap : 0), height: ask.height - (rail && !rail.beside ? rail.h + rail.gap : 0)};
    const found = search(ask, area, level);
    if (!found) continue;
    best = found;
    best.level = l;
    best.rail = rail;
    if (ask.held || l === LEVELS.length - 1 || found.name >= smallest) break;
  }
  return best;
}

// rails takes a share of the board for what is not well: beside the tiles, or below them on an upright screen.
function rails(ask, unit) {
  const gap = Math.round(16 * ask.scale);
  if (ask.width >= ask.height) {
    const w = Math.round(Math.min(ask.width * 0.4, Math.max(ask.width * 0.25, 400 * unit)));
    return {beside: true, gap: gap, x: ask.width - w, y: 0, w: w, h: ask.height};
  }
  const h = Math.round(ask.height * 0.28);
  return {beside: false, gap: gap, x: 0, y: ask.height - h, w: ask.width, h: h};
}

// search tries every number of columns, and every depth to which a set is folded so that small sets share a row.
function search(ask, area, level) {
  let total = 0, most = 0, named = false;
  for (let k = 0; k < ask.sizes.length; k++) {
    total += ask.sizes[k];
    most = Math.max(most, ask.sizes[k]);
    named = named || ask.named[k];
  }
  if (!total || area.width <= 0 || area.height <= 0) return null;
  const side = Math.sqrt(area.width * area.height / total);
  const gap = Math.max(2, Math.min(12 * ask.scale, Math.round(side * 0.045)));
  const title = named ? Math.round(Math.max(18, 24 * ask.scale, Math.min(32 * ask.scale, side * 0.24))) : 0;
  let best = null;
  const columns = Math.min(total, Math.floor(area.width / 6));
  const deepest = ask.sizes.length === 1 ? 1 : Math.min(most, 40);
  for (let cols = 1; cols <= columns; cols++) {
    for (let deep = 1; deep <= deepest; deep++) {
      if (ask.held && (ask.held.cols !== cols || ask.held.deep !== deep)) continue;
      const shelves = shelve(ask, cols, deep);
      const g = measure(shelves, area, cols, gap, title);
      if (g.w < 4 || g.h < 4) continue;
      const type = letter(g.w, g.h, level, ask);
      let score = Math.sqrt(type.name * (type.value || type.name));
      score *= 1 - 0.2 * (1 - total / (shelves.rows * cols)); // holes in the board are ugly
      if (deep > 1) score *= 0.97; // and a set in a row of its own reads best
      if (!best || score > best.score) {
        best = {score: score, cols: cols, deep: deep, gap: gap, title: title, shelves: shelves, w: g.w, h: g.h};
        Object.assign(best, type);
      }
    }
  }
  if (best) place(best);
  return best;
}

// shelve puts the sets side by side onto shelves, in order. A set is as many columns wide as makes it deep rows high.
function shelve(ask, cols, deep) {
  const list = [];
  list.rows = 0;
  list.titles = 0;
  let shelf = null;
  for (let k = 0; k < ask.sizes.length; k++) {
    const n = ask.sizes[k];
    if (!n) continue;
    const wide = Math.min(cols, Math.ceil(n / deep));
    if (!shelf || shelf.used + wide > cols) {
      shelf = {used: 0, rows: 0, named: false, sets: []};
      list.push(shelf);
    }
    shelf.sets.push({set: k, col: shelf.used, cols: wide, rows: Math.ceil(n / wide)});
    shelf.used += wide;
    shelf.rows = Math.max(shelf.rows, Math.ceil(n / wide));
    shelf.named = shelf.named || ask.named[k];
  }
  for (const s of list) {
    list.rows += s.rows;
    list.titles += s.named ? 1 : 0;
  }
  return list;
}

// measure is the size of one tile. Sets that share a shelf stand a little further apart than tiles do.
function measure(shelves, area, cols, gap, title) {
  let most = 1;
  for (const s of shelves) most = Math.max(most, s.sets.length);
  const between = shelves.length - 1;
  return {
    w: (area.width - (cols - 1) * gap - (most - 1) * gap * 2) / cols,
    h: (area.height - shelves.titles * title - (shelves.rows - 1 - between) * gap - between * gap) / shelves.rows,
  };
}

// letter is the type that fits a tile of w by h.
function letter(w, h, level, ask) {
  if (!level.high) {
    const cell = Math.min(w, h);
    return {name: cell, value: 0, unit: 0, words: 0, lines: 1, line: 0, pad: 0, note: false, mark: cell * 0.62};
  }
  const s = ask.scale * ask.zoom;
  const letters = Math.min(level.longest, ask.letters) / (ask.zoom > 1 ? ask.zoom : 1);
  // Where there is room to spare, it goes to the value.
  const name = Math.min(h / level.high, w / (letters + level.wide), Math.max(22 * s, h / 7), 84 * s);
  const pad = name * level.wide / 2;
  const inner = w - 2 * pad;
  let line = 0;
  if (level.name === "full") {
    // A little smaller, where that lets a whole "was red 3 s, 1 minute ago" stand on the row.
    line = Math.min(name * 0.8, 42 * s);
    const less = inner / ask.wordy;
    if (less < line && less > Math.max(line * 0.6, 11 * s)) line = less;
    line = Math.max(line, Math.min(name, SMALLEST));
  }
  if (!level.value) return {name: name, value: 0, unit: 0, words: 0, lines: 1, line: 0, pad: pad, note: false, mark: name * 1.05};
  let room = h - 2 * pad - name * 1.3 - line * 1.4;
  const note = line > 0 && room - line * 1.4 > name * level.value * 1.3;
  if (note) room -= line * 1.4;
  const mark = line > 0 ? 0.62 : 0.55; // in heights of the value; a tile that is well has the room for it, too
  const wide = ask.digits + mark * 1.2 + 0.11;
  const value = Math.min(room / 1.15, inner / (wide + ask.unit * 0.4), (inner - ask.unit * name * 0.62) / wide, name * 3.4, 420 * s);
  const words = Math.max(value * 0.42, Math.min(name * 0.9, value * 0.8));
  return {name: name, value: value, unit: Math.max(value * 0.4, name * 0.62), words: words, lines: Math.max(1, Math.min(3, Math.floor(room / (words * 1.2)))), line: line, pad: pad, note: note, mark: value * mark};
}

function place(plan) {
  plan.room = plan.w - 2 * plan.pad;
  plan.sections = [];
  let y = 0;
  for (const shelf of plan.shelves) {
    const last = shelf.sets[shelf.sets.length - 1];
    let x = 0;
    for (const set of shelf.sets) {
      const w = set.cols * plan.w + (set.cols - 1) * plan.gap;
      plan.sections[set.set] = {x: x, y: y, w: w, cols: set.cols, rows: set.rows, titled: shelf.named};
      x += w + plan.gap * (set === last ? 1 : 3);
    }
    y += (shelf.named ? plan.title : 0) + shelf.rows * (plan.h + plan.gap);
  }
  plan.bottom = y - plan.gap;
}

// scrolling is the layout of a telephone: two columns of tiles large enough for a thumb, as long as it takes. It is null where all fits.
function scrolling(ask) {
  let total = 0;
  for (const n of ask.sizes) total += n;
  const cols = Math.min(2, total);
  const rows = Math.ceil(total / cols);
  const high = 92;
  if (rows * (high + 6) + ask.sizes.length * 26 <= ask.height) return null;
  const plan = {cols: cols, gap: 6, title: 26, shelves: shelve(ask, cols, 1), w: (ask.width - (cols - 1) * 6) / cols, h: high * ask.zoom, level: 0, rail: null, scrolls: true};
  const type = letter(plan.w, plan.h, LEVELS[0], Object.assign({}, ask, {scale: 1, letters: 8}));
  Object.assign(plan, type);
  place(plan);
  return plan;
}
