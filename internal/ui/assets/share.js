// A worker that all tabs of a browser share. It has one stream of events for all those that show the same: a browser has six
// connections to a server, and with a stream for each tab the seventh would never load.

const GONE = 150000; // milliseconds after which a tab that says nothing is taken for closed; a hidden one speaks each minute
const streams = {}; // by address

class Shared {
  constructor(address) {
    this.address = address;
    this.ports = new Map(); // to when they last spoke
    this.n = 0; // which connection it is
    this.source = null;
    this.told = false; // the whole board has come over this connection
  }

  // ask is told that a tab wants to be told all, as what it had has failed: the connection after; 0: it has had none.
  ask(port, after) {
    this.heard(port);
    if (this.source && (after ? this.n > after : !this.told)) return; // what comes next is for it, too
    this.close();
    this.n++;
    this.told = false;
    const source = this.source = new EventSource(this.address);
    for (const kind of ["board", "frame", "beat", "screen"]) {
      source.addEventListener(kind, (event) => {
        if (kind === "board") this.told = true;
        if (source === this.source) this.tell(kind, event.data);
      });
    }
    source.onerror = () => {
      if (source !== this.source) return;
      this.close();
      this.tell("fail", "");
    };
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  tell(kind, data) {
    this.ports.forEach((at, port) => port.postMessage({n: this.n, kind: kind, data: data}));
  }

  heard(port) {
    this.ports.set(port, performance.now());
  }

  // leave forgets a tab, and those that have said nothing for long.
  leave(gone) {
    const now = performance.now();
    this.ports.forEach((at, port) => {
      if (port === gone || now - at > GONE) this.ports.delete(port);
    });
    if (!this.ports.size) this.close();
  }
}

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = (message) => {
    const ask = message.data, address = ask.address;
    const stream = streams[address] = streams[address] || new Shared(address);
    if (ask.kind === "open") stream.ask(port, ask.after);
    else if (ask.kind === "here" && stream.ports.has(port)) stream.heard(port);
    stream.leave(ask.kind === "bye" ? port : null);
  };
};
