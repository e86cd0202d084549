// The line to the dashboard: one stream of events at a time, made anew for ever, and the board's clock as heard over it. The
// stream is shared with the browser's other tabs where it has workers for that.

const SILENCE = 3; // seconds without a byte, or behind, after which the board is no longer to be believed
const GIVE_UP = 6; // seconds without a byte after which the connection is thrown away
const APART = 5; // seconds between two attempts, at most
const MEMORY = 600; // seconds after which a smallest delay is forgotten, as the two clocks drift apart

function monotonic() {
  return performance.now() / 1000;
}

export class Stream {
  // on has a function for each kind of event: board, frame, beat and screen. Each gets the parsed message. lost is called now and then
  // while there is no connection.
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.port = null; // to the worker that has the stream
    this.n = 0; // which of its connections is ours
    this.source = null; // or else a stream of our own
    this.open = false; // connected or connecting
    this.again = 0; // when to connect next; 0: connected or connecting
    this.failures = 0;
    this.heard = monotonic(); // when the last event came, or the page
    this.ever = false; // whether one came
    this.clock = ""; // which board's clock the times are of
    this.smallest = [Infinity, Infinity]; // what an event takes at least, of the present and of the past stretch of MEMORY seconds
    this.turned = 0;
    this.late = 0; // seconds that the newest event was slower than the fastest
    this.slow = 0; // since when it has been more than SILENCE
    this.looked = [monotonic(), Date.now() / 1000];
  }

  // share has the stream come by a worker, if the browser has such; its script is at this address.
  share(script) {
    if (!window.SharedWorker) return;
    try {
      const worker = new SharedWorker(script);
      worker.onerror = () => this.alone();
      this.port = worker.port;
    } catch (e) {
      return;
    }
    this.port.onmessage = (event) => this.told(event.data);
    window.addEventListener("pagehide", () => this.say("bye"));
    window.addEventListener("pageshow", (event) => event.persisted && this.connect());
  }

  say(kind) {
    if (this.port) this.port.postMessage({kind: kind, address: this.address, after: this.n});
  }

  // told is what the worker says. A connection that it has made for another tab is one for us, too.
  told(message) {
    if (!this.port || message.n < this.n) return;
    this.n = message.n;
    if (message.kind === "fail") return this.open && this.fail();
    if (!this.open) {
      this.open = true;
      this.again = 0;
      this.opened = monotonic();
    }
    this.hear(message.kind, message.data);
  }

  // alone does without a worker: there is none that answers.
  alone() {
    if (!this.port || this.n) return;
    this.port = null;
    this.connect();
  }

  connect() {
    this.close();
    this.again = 0;
    this.opened = monotonic();
    this.open = true;
    this.fresh = false; // an event came over this connection
    if (this.port) return this.say("open");
    const source = new EventSource(this.address);
    this.source = source;
    for (const kind of ["board", "frame", "beat", "screen"]) {
      source.addEventListener(kind, (event) => source === this.source && this.hear(kind, event.data));
    }
    // The browser's own way to reconnect differs from one to the next, and some give up: ours is the only one.
    source.onerror = () => this.fail();
  }

  close() {
    this.open = false;
    if (this.source) {
      this.source.onerror = null;
      this.source.close();
      this.source = null;
    }
  }

  fail() {
    this.close();
    if (this.port && !this.n) return this.alone();
    const wait = Math.min(APART, 0.25 * Math.pow(2, this.failures));
    this.failures++;
    if (this.failures % 3 === 2) this.on.lost();
    this.again = monotonic() + wait * (0.5 + Math.random() / 2);
    setTimeout(() => this.tend(), (this.again - monotonic()) * 1000 + 1);
  }

  // slept notices that the machine or the page did not run for a while. What arrives then was sent before.
  slept() {
    const before = this.looked, now = monotonic(), wall = Date.now() / 1000;
    this.looked = [now, wall];
    const away = Math.max(now - before[0], wall - before[1]);
    if (away < SILENCE) return false;
    // Not all clocks go on meanwhile.
    this.heard = Math.min(this.heard, now - away);
    this.failures = 0;
    this.connect();
    return true;
  }

  // tend is called every second, and connects again when it is time to.
  tend() {
    this.say("here");
    if (this.slept()) return;
    const now = monotonic();
    // A board that has not come whole yet may take longer, the more often it did not.
    const patience = this.fresh ? GIVE_UP : GIVE_UP * Math.min(4, this.failures + 1);
    if (this.again && now >= this.again) this.connect();
    else if (this.open && now - Math.max(this.fresh ? this.heard : 0, this.opened) > patience) this.fail();
  }

  hear(kind, data) {
    if (this.slept()) return;
    let message;
    try {
      message = JSON.parse(data);
    } catch (e) {
      return; // not ours: silence will tell
    }
    if (kind === "screen") return this.on.screen(message); // it is out of time
    const now = monotonic(), delta = now - message.t;
    if (kind === "board") this.seed(message.clock, delta);
    if (now - this.turned > MEMORY) {
      this.smallest = [delta, this.smallest[0]];
      this.turned = now;
    } else if (delta < this.smallest[0]) {
      this.smallest[0] = delta;
    }
    this.heard = now;
    this.late = delta - Math.min(this.smallest[0], this.smallest[1]);
    this.slow = this.late > SILENCE ? this.slow || now : 0;
    this.ever = this.fresh = true;
    if (!this.slow) this.failures = 0;
    this.on[kind](message);
    // What is queued on a slow line is not waited for: a new connection begins with all as it is.
    if (this.slow && now - this.slow > SILENCE && kind !== "board") {
      this.slow = now;
      this.fail();
    }
  }

  // seed is told by how much our clock is ahead of a board's.
  seed(clock, delta) {
    if (clock && clock === this.clock) return;
    this.clock = clock;
    this.smallest = [delta, Infinity];
    this.turned = monotonic();
  }

  // now is the time on the board's clock.
  now() {
    return monotonic() - Math.min(this.smallest[0], this.smallest[1]);
  }

  // behind is how old what is shown is, in seconds: since nothing came, or because it comes late. 0 while it is live.
  behind() {
    const old = monotonic() - this.heard + this.late;
    return old > SILENCE ? old : 0;
  }

  // silent says whether that is for want of news: what comes is not late.
  silent() {
    return this.late <= SILENCE;
  }
}
