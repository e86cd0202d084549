// The table of the screens is kept up to date, but not under the hands of who uses it.

setInterval(() => {
  const table = document.getElementById("fresh");
  if (document.hidden || table.contains(document.activeElement) || table.matches(":hover")) return;
  fetch(location.href, {cache: "no-store", credentials: "same-origin"})
    .then((answer) => answer.text())
    .then((text) => {
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("fresh");
      if (fresh) table.replaceWith(document.importNode(fresh, true));
      else location.reload();
    })
    .catch(() => 0); // it is tried again
}, 2000);
