// One soft tone when something becomes critical, another when nothing is any more; at most one in ten seconds.

const GAP = 10; // seconds

export class Sound {
  constructor(wanted) {
    const Context = window.AudioContext || window.webkitAudioContext;
    this.context = wanted && Context ? new Context() : null;
    this.last = -GAP;
    this.wanted = null; // the tones that are to be played next
    // Most browsers are silent until somebody has touched the page.
    if (this.context) document.addEventListener("click", () => this.context.resume());
  }

  worse() {
    this.wanted = [660, 495];
  }

  better() {
    this.wanted = [495, 660];
  }

  // tick plays what is wanted, once the last tone is long enough ago.
  tick() {
    const c = this.context, tones = this.wanted, now = performance.now() / 1000;
    if (!c || !tones || now - this.last < GAP) return;
    this.last = now;
    this.wanted = null;
    tones.forEach((tone, n) => {
      const at = c.currentTime + n * 0.22, source = c.createOscillator(), gain = c.createGain();
      source.frequency.value = tone;
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(0.2, at + 0.03);
      gain.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
      source.connect(gain);
      gain.connect(c.destination);
      source.start(at);
      source.stop(at + 0.55);
    });
  }
}
