// What the address asks for, and the view that it names.

export function read(text) {
  const query = new URLSearchParams(text);
  const rotation = query.get("rotate") || "";
  const lower = (name) => query.getAll(name).map((value) => value.toLowerCase());
  const night = /^(\d\d?):(\d\d)-(\d\d?):(\d\d)$/.exec(query.get("night") || "");
  return {
    query: query,
    zoom: Math.max(0.5, Math.min(3, parseFloat(query.get("zoom")) || 1)),
    turn: Math.max(0, parseFloat(rotation) || 0) * ({m: 60, h: 3600}[rotation.slice(-1)] || 1), // seconds
    merge: query.get("merge"),
    folds: lower("collapse"),
    shift: query.get("shift") === "1",
    sound: query.get("sound") === "1",
    theme: query.get("theme") || "",
    title: query.get("title") || "",
    logo: query.get("logo") || "",
    night: night && [night[1] * 60 + Number(night[2]), night[3] * 60 + Number(night[4])], // minutes of the day
    zone: zone(query.get("tz")),
    twelve: query.get("clock") === "12h",
  };
}

// zone is a time zone that the browser knows, or nothing.
function zone(name) {
  try {
    return name ? new Intl.DateTimeFormat("en", {timeZone: name}).resolvedOptions().timeZone : undefined;
  } catch (e) {
    return undefined;
  }
}

// Clock says times of the day in the zone that was asked for.
export class Clock {
  constructor(options) {
    const make = (more) => new Intl.DateTimeFormat("en-GB", Object.assign({timeZone: options.zone}, more));
    const time = {hour: options.twelve ? "numeric" : "2-digit", minute: "2-digit", hour12: options.twelve};
    this.seconds = make(Object.assign({second: "2-digit"}, time));
    this.minutes = make(time);
    this.parts = make({hour: "numeric", minute: "numeric", hour12: false});
    this.day = make({year: "numeric", month: "numeric", day: "numeric"});
    this.week = make({weekday: "long"});
    this.date = make({day: "numeric", month: "long"});
    this.night = options.night;
  }

  // full is the time with its seconds.
  full(date) {
    return this.seconds.format(date).replace(/^24/, "00");
  }

  // ago is the time to the minute, or to the second, with the day where that is not today's.
  ago(date, now, exact) {
    const time = exact ? this.full(date) : this.minutes.format(date).replace(/^24/, "00");
    if (this.day.format(date) === this.day.format(now)) return time;
    return (now - date < 6 * 86400000 ? this.week : this.date).format(date) + " " + time;
  }

  // dark says whether it is night.
  dark(date) {
    if (!this.night) return false;
    const parts = this.parts.format(date).split(":"), at = (parts[0] % 24) * 60 + Number(parts[1]);
    const from = this.night[0], to = this.night[1];
    return from < to ? at >= from && at < to : at >= from || at < to;
  }
}
