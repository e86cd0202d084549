// A page whose modules did not load has no other way out: it is loaded anew once the dashboard answers again.

window.addEventListener("load", function again() {
  if (!document.documentElement.classList.contains("still")) return;
  setTimeout(() => fetch(location.href, {cache: "no-store"}).then((answer) => (answer.ok ? location.reload() : again()), again), 5000 + Math.random() * 4000);
});
