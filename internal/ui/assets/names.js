// Names on several rows, and what of them is shown where there is no room for all. Widths are in heights of the letters.
// Nothing here touches the page.

const ELLIPSIS = "\u2026";
const LOOKED_AT = 300; // letters of a text that anybody looks at
const SLACK = 1.004; // what is drawn is a little wider than what is measured

// ruler returns a function that says how wide a bold text is in this type. Digits are all as wide as a zero.
export function ruler(family) {
  const g = document.createElement("canvas").getContext("2d");
  g.font = "700 100px " + family;
  let known = new Map();
  return (text) => {
    if (text.length > LOOKED_AT) return text.length;
    let wide = known.get(text);
    if (wide === undefined) {
      wide = g.measureText(text.replace(/[0-9]/g, "0")).width / 100 * SLACK;
      if (known.size > 20000) known = new Map();
      known.set(text, wide);
    }
    return wide;
  };
}

// words are what a text is broken into first, and pieces second: at the signs of addresses.
const words = (text) => text.match(/(\S|\u00a0)*[^\S\u00a0]*/g).filter(Boolean);
const pieces = (text) => text.match(/\/?([^\s\-_.:,\/]|\u00a0)*([\-_.:,]|[^\S\u00a0])*/g).filter(Boolean);

// letters are what a piece may be broken into: signs that combine stay together.
function letters(text) {
  return text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\s\S]/g).reduce((all, c) => {
    const last = all[all.length - 1];
    if (last && (/[\u0300-\u036f\u200d\ufe0f\u0590-\u05c7\u064b-\u065f]/.test(c) || last.charAt(last.length - 1) === "\u200d")) all[all.length - 1] += c;
    else all.push(c);
    return all;
  }, []);
}

// What wrap may break: only between words, also at the signs of addresses, or anywhere.
export const WORDS = 0, SIGNS_TOO = 1, ANYWHERE = 2;

// wrap breaks a text into at most so many lines of this room, the last of which is shorter by tail. It is null where they
// do not hold it. A text that leaves no room for the tail has it on a line of its own. A line keeps the space that it
// ends with. A word is broken only where it is longer than a line.
export function wrap(text, room, most, tail, measure, where) {
  if (measure(text) <= room - tail + 0.01) return [text];
  if (most < 2 || measure(text) > room * most) return null;
  let lines = fill(words(text), room, most, tail, measure);
  if (!lines && where !== WORDS) {
    const longest = words(text).reduce((all, word) => all.concat(measure(word.trim()) > room ? pieces(word) : [word]), []);
    lines = fill(longest, room, most, tail, measure) || fill(pieces(text), room, most, tail, measure);
  }
  if (lines || where !== ANYWHERE) return lines;
  const parts = [];
  for (const piece of pieces(text)) parts.push.apply(parts, measure(piece.trim()) > room - tail ? letters(piece) : [piece]);
  return fill(parts, room, most, tail, measure);
}

// fill puts parts of a text into lines, as many into each as it holds.
function fill(parts, room, most, tail, measure) {
  const lines = [];
  let line = "";
  for (const part of parts) {
    const end = (lines.length === most - 1 ? room - tail : room) + 0.01;
    if (line && measure((line + part).trim()) > end) {
      lines.push(line);
      line = "";
    }
    line += part;
    if (lines.length >= most || measure(line.trim()) > (lines.length === most - 1 ? room - tail : room) + 0.01) return null;
  }
  return lines.concat(lines.length < most - 1 && measure(line.trim()) > room - tail + 0.01 ? [line, ""] : line);
}

// needs are the least rooms in which a text stands on one, two and three rows without a word that is broken: plain, and
// where the last row is shorter by tail.
export function needs(text, tail, measure) {
  const parts = pieces(text.slice(0, LOOKED_AT)), bare = parts.map((part) => measure(part.trim())), full = parts.map(measure);
  const wide = (from, to) => {
    let sum = 0;
    for (let i = from; i < to - 1; i++) sum += full[i];
    return to > from ? sum + bare[to - 1] : 0;
  };
  const all = measure(text), end = parts.length;
  const least = (rows, from, tail) => {
    if (rows === 1) return (from ? wide(from, end) : all) + tail;
    let best = wide(from, end); // where it needs fewer rows, there is none beside the mark
    for (let i = from + 1; i < end; i++) {
      const first = wide(from, i);
      if (first >= best) break;
      best = Math.min(best, Math.max(first, least(rows - 1, i, tail)));
    }
    return best;
  };
  const of = (tail) => [1, 2, 3].map((rows) => least(rows, 0, tail));
  return {plain: of(0), tailed: of(tail)};
}

// cut is as much of a text as fits, with an ellipsis.
function cut(text, fits) {
  const all = letters(text.slice(0, LOOKED_AT));
  let least = 0, most = all.length;
  while (least < most) {
    const n = Math.ceil((least + most) / 2);
    if (fits(all.slice(0, n).join("").trim() + ELLIPSIS)) least = n;
    else most = n - 1;
  }
  return all.slice(0, least).join("").trim() + ELLIPSIS;
}

// shared is how many letters all texts have in common at the beginning, up to the last break and not all of any.
function shared(texts) {
  let n = texts[0].length;
  for (const text of texts) {
    let i = 0;
    while (i < n && i < text.length && text[i] === texts[0][i]) i++;
    n = i;
  }
  while (n > 0 && (texts.some((text) => !text.slice(n).trim()) || !/[\s\-/_.:,]/.test(texts[0][n - 1]))) n--;
  return n;
}

// spread says what is shown of the names of a set, so that no two of them look the same: all of a name that fits; else
// without what all have in common at the beginning; else that much of it as fits. fits returns lines, or null.
export function spread(texts, fits) {
  const shown = texts.map((text) => (fits(text) ? text : ""));
  if (shown.every(Boolean)) return shown.map(fits);
  const show = (i, text) => { shown[i] = fits(text) ? text : cut(text, fits); };
  let base = texts.length > 1 ? shared(texts) : 0;
  if (base < 4) base = 0;
  const begin = base ? ELLIPSIS : "";
  shown.forEach((text, i) => text || show(i, begin + texts[i].slice(base)));
  // Of those that look the same now, what they have in common is left out in the middle.
  for (const head of [4, 7, 2, 0]) {
    const groups = {};
    shown.forEach((text, i) => (groups["=" + text] = groups["=" + text] || []).push(i));
    for (const key of Object.keys(groups)) {
      const of = groups[key], names = of.map((i) => texts[i]);
      if (names.every((name) => name === names[0])) continue;
      const at = Math.max(shared(names) || first(names), base);
      for (const i of of) show(i, begin + (at > base + head ? texts[i].slice(base, base + head) + ELLIPSIS : "") + texts[i].slice(at > base + head ? at : base));
    }
  }
  // Where there is no room for that, there is for a number.
  const seen = {};
  shown.forEach((text, i) => {
    const twin = seen["=" + text];
    if (twin !== undefined && texts[twin] !== texts[i]) shown[i] = ELLIPSIS + (i + 1);
    else seen["=" + text] = i;
  });
  return shown.map((text) => fits(text) || [text]);
}

// first is where texts begin to differ.
function first(texts) {
  let n = 0;
  while (n < texts[0].length && texts.every((text) => text[n] === texts[0][n])) n++;
  return n;
}
