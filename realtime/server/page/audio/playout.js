// What is played, sample by sample: a queue with a small jitter buffer. Knows no browser, only samples.

const FADE = 120; // 5 ms at 24 kHz: sound that is cut off clicks.
const GROWTH = 1.5;

/**
 * Sound of several items, played one after the other.
 *
 * The first piece waits for `cushion` samples' time, so that any later one may be as late and none is missed;
 * for less where that much more is there already, or the item has ended. Where the queue runs dry before its
 * item has ended, that is a gap: what comes next waits for a larger cushion, so that a poor line costs one
 * gap and not a stutter.
 */
export class Playout {
  /** @param {{cushion: number, longest: number}} samples  cushion at first, and at most. */
  constructor({ cushion, longest }) {
    this.cushion = cushion;
    this.longest = longest;
    this.gaps = 0;
    this.queue = []; // {item, samples, at}: what waits, the first of it played up to `at`.
    this.played = new Map(); // item → samples that went out.
    this.ended = new Set();
    this.waiting = true;
    this.waited = 0; // Samples' time since the first piece came that is waiting.
    this.fading = null;
  }

  /** Samples that wait. */
  get queued() {
    return this.queue.reduce((sum, piece) => sum + piece.samples.length - piece.at, 0);
  }

  /** The item that is being played; null in silence. */
  get current() {
    return this.waiting ? null : (this.queue[0]?.item ?? null);
  }

  add(item, samples) {
    if (!this.played.has(item)) this.played.set(item, 0);
    if (samples.length) this.queue.push({ item, samples, at: 0 });
  }

  /** No more will come of this item. */
  end(item) {
    this.ended.add(item);
  }

  /** Silence, now. Returns how many samples were played of each item that had not come to its end. */
  stop() {
    const cut = new Map();
    for (const [item, played] of this.played) cut.set(item, played);
    this.fading = this.waiting ? null : this.#take(FADE);
    this.queue = [];
    this.played.clear();
    this.ended.clear();
    this.waiting = true;
    this.waited = 0;
    return cut;
  }

  /** Fill `out` (Float32Array), with silence where there is nothing to play. Returns what happened. */
  fill(out) {
    out.fill(0);
    if (this.fading) return this.#fade(out);
    if (this.waiting && !this.#ready()) {
      if (this.queue.length) this.waited += out.length;
      return { started: [], finished: this.#finished() };
    }
    this.waiting = false;
    this.waited = 0;
    const started = [];
    let at = 0;
    while (at < out.length && this.queue.length) {
      const piece = this.queue[0];
      const count = Math.min(out.length - at, piece.samples.length - piece.at);
      out.set(piece.samples.subarray(piece.at, piece.at + count), at);
      const before = this.played.get(piece.item);
      if (before === 0) started.push({ item: piece.item, at });
      this.played.set(piece.item, before + count);
      at += count;
      piece.at += count;
      if (piece.at === piece.samples.length) this.queue.shift();
    }
    if (!this.queue.length) this.#ranDry();
    return { started, finished: this.#finished() };
  }

  #ready() {
    if (!this.queue.length) return false;
    const [{ item, samples }] = this.queue;
    return this.waited >= this.cushion || this.queued >= samples.length + this.cushion || this.ended.has(item);
  }

  #ranDry() {
    this.waiting = true;
    const open = [...this.played.keys()].some((item) => !this.ended.has(item));
    if (!open) return;
    this.gaps += 1;
    this.cushion = Math.min(this.longest, Math.round(this.cushion * GROWTH));
  }

  /** Items that have ended and were played to their end; they are forgotten. */
  #finished() {
    const waiting = new Set(this.queue.map((piece) => piece.item));
    const done = [...this.ended].filter((item) => !waiting.has(item));
    const finished = done.map((item) => ({ item, played: this.played.get(item) ?? 0 }));
    for (const item of done) {
      this.ended.delete(item);
      this.played.delete(item);
    }
    return finished;
  }

  #take(count) {
    const taken = new Float32Array(count);
    let at = 0;
    for (const piece of this.queue) {
      const part = piece.samples.subarray(piece.at, piece.at + count - at);
      taken.set(part, at);
      at += part.length;
      if (at === count) break;
    }
    return taken.subarray(0, at);
  }

  #fade(out) {
    const tail = this.fading;
    const count = Math.min(out.length, tail.length);
    for (let i = 0; i < count; i += 1) out[i] = tail[i] * (1 - i / tail.length);
    this.fading = null;
    return { started: [], finished: [] };
  }
}
