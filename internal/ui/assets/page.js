// How the page is touched: text goes in as text, and only where it differs.

// by finds an element by its id.
export function by(id) {
  return document.getElementById(id);
}

// meta is what the dashboard says in the page's head.
export function meta(name) {
  return document.querySelector("meta[name=pharos-" + name + "]").content;
}

// keep has the browser remember a word, where it is allowed to; kept is that word.
export function keep(name, word) {
  try {
    localStorage.setItem("pharos-" + name, word);
  } catch (e) {
    return;
  }
}

export function kept(name) {
  try {
    return localStorage.getItem("pharos-" + name);
  } catch (e) {
    return null;
  }
}

// make adds an element to parent.
export function make(kind, name, parent, text) {
  const el = document.createElement(kind);
  if (name) el.className = name;
  if (text) el.textContent = text;
  if (parent) parent.appendChild(el);
  return el;
}

export function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

// mark sets an attribute, or takes it away.
export function mark(el, name, value) {
  if (!value) el.removeAttribute(name);
  else if (el.getAttribute(name) !== value) el.setAttribute(name, value);
}

// rows makes a list exactly as long as wanted, and keeps what is there.
export function rows(list, n, create) {
  while (list.children.length > n) list.removeChild(list.lastChild);
  while (list.children.length < n) list.appendChild(create());
}

// item is a row of text in whatever direction.
export function item() {
  const li = make("li");
  li.dir = "auto";
  return li;
}

// button is one that is no form's.
export function button(name, parent, text, does) {
  const el = make("button", name, parent, text);
  el.type = "button";
  el.addEventListener("click", does);
  return el;
}

// inLines shows lines of text, one element each. They are the same text as before, with breaks.
export function inLines(el, lines) {
  rows(el, lines.length, () => make("span"));
  lines.forEach((text, n) => put(el.children[n], text));
}
