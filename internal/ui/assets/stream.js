// The line to the dashboard: one EventSource at a time, made anew for ever, and the board's clock as heard over it.

const SILENCE = 3; // seconds without a byte after which the board is no longer to be believed
const GIVE_UP = 6; // seconds without a byte after which the connection is thrown away
const LONGEST = 5; // seconds between two attempts, at most
const MEMORY = 600; // seconds after which a smallest delay is forgotten, as the two clocks drift apart

function monotonic() {
  return performance.now() / 1000;
}

export class Stream {
  // on has a function for each kind of event: board, frame and beat. Each gets the parsed message.
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.source = null;
    this.again = 0; // when to connect next; 0: connected or connecting
    this.failures = 0;
    this.began = monotonic();
    this.heard = 0; // when the last event came; 0: never
    this.smallest = [Infinity, Infinity]; // of the present and of the past stretch of MEMORY seconds
    this.turned = 0;
    this.late = -1; // seconds that the newest event was slower than the fastest; -1: none came
    this.connect();
  }

  connect() {
    this.close();
    this.again = 0;
    this.opened = monotonic();
    const source = new EventSource(this.address);
    this.source = source;
    for (const kind of ["board", "frame", "beat"]) {
      source.addEventListener(kind, (event) => this.hear(kind, event.data));
    }
    // The browser's own way to reconnect differs from one to the next, and some give up: ours is the only one.
    source.onerror = () => this.fail();
  }

  close() {
    if (this.source) {
      this.source.onerror = null;
      this.source.close();
      this.source = null;
    }
  }

  fail() {
    this.close();
    const wait = Math.min(LONGEST, 0.25 * Math.pow(2, this.failures));
    this.failures++;
    this.again = monotonic() + wait * (0.5 + Math.random() / 2);
    setTimeout(() => this.tend(), (this.again - monotonic()) * 1000 + 1);
  }

  // tend is called every second, and connects again when it is time to.
  tend() {
    const now = monotonic();
    if (this.again && now >= this.again) this.connect();
    else if (this.source && now - Math.max(this.heard, this.opened) > GIVE_UP) this.fail();
  }

  hear(kind, data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch (e) {
      return; // not ours: silence will tell
    }
    const now = monotonic();
    this.heard = now;
    this.failures = 0;
    const delta = now - message.t;
    if (kind === "board") {
      this.smallest = [delta, Infinity];
      this.turned = now;
    } else if (now - this.turned > MEMORY) {
      this.smallest = [delta, this.smallest[0]];
      this.turned = now;
    } else if (delta < this.smallest[0]) {
      this.smallest[0] = delta;
    }
    this.late = delta - Math.min(this.smallest[0], this.smallest[1]);
    this.on[kind](message);
  }

  // seed is told by how much our clock is ahead of the board's, until that is heard from the board.
  seed(delta) {
    this.smallest[0] = delta;
  }

  // now is the time on the board's clock.
  now() {
    return monotonic() - Math.min(this.smallest[0], this.smallest[1]);
  }

  // silence is how long nothing was heard, in seconds; 0 while all is well.
  silence() {
    const quiet = monotonic() - (this.heard || this.began);
    return quiet > SILENCE ? quiet : 0;
  }
}
