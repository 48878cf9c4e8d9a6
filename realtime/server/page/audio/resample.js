// Sound at another rate, as it comes: a polyphase filter of windowed sines. Exact for any ratio of whole
// numbers, and without a seam between pieces.

const CROSSINGS = 16; // Zero crossings of the sine on each side: how sharp the filter is.

const gcd = (a, b) => (b ? gcd(b, a % b) : a);
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

export class Resampler {
  #up;
  #down;
  #reach;
  #kernels;
  #held; // The newest input samples, which later output still needs.
  #next; // Where the next output sample lies in `held`, in steps of 1/up of an input sample.

  constructor(from, to) {
    const common = gcd(from, to);
    this.#up = to / common;
    this.#down = from / common;
    const band = Math.min(1, to / from) * 0.95;
    this.#reach = Math.ceil(CROSSINGS / band);
    this.#kernels = Array.from({ length: this.#up }, (_, phase) => this.#kernel(phase / this.#up, band));
    this.#held = new Float32Array(this.#reach);
    this.#next = this.#reach * this.#up;
  }

  /** The samples that can be told now; the last few wait for what comes after them. */
  add(input) {
    const sound = new Float32Array(this.#held.length + input.length);
    sound.set(this.#held);
    sound.set(input, this.#held.length);
    const last = (sound.length - this.#reach) * this.#up;
    const out = new Float32Array(Math.max(0, Math.ceil((last - this.#next) / this.#down)));
    for (let i = 0; i < out.length; i += 1, this.#next += this.#down) {
      const kernel = this.#kernels[this.#next % this.#up];
      const first = Math.floor(this.#next / this.#up) - this.#reach + 1;
      let sum = 0;
      for (let tap = 0; tap < kernel.length; tap += 1) sum += kernel[tap] * sound[first + tap];
      out[i] = sum;
    }
    const done = Math.max(0, Math.floor(this.#next / this.#up) - this.#reach);
    this.#held = sound.slice(done);
    this.#next -= done * this.#up;
    return out;
  }

  /** The rest; the sound is over. */
  flush() {
    return this.add(new Float32Array(this.#reach));
  }

  #kernel(offset, band) {
    const taps = new Float64Array(2 * this.#reach);
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap += 1) {
      const x = tap - this.#reach + 1 - offset;
      const window = Math.abs(x) < this.#reach ? 0.5 + 0.5 * Math.cos((Math.PI * x) / this.#reach) : 0;
      taps[tap] = band * sinc(x * band) * window;
      sum += taps[tap];
    }
    // Every phase passes a constant unchanged: without this, the phases' differences would be heard.
    return taps.map((tap) => tap / sum);
  }
}

/** A whole sound at another rate. */
export function resample(sound, from, to) {
  if (from === to) return sound;
  const resampler = new Resampler(from, to);
  const [body, rest] = [resampler.add(sound), resampler.flush()];
  const out = new Float32Array(Math.round((sound.length * to) / from));
  out.set(body.subarray(0, out.length));
  if (body.length < out.length) out.set(rest.subarray(0, out.length - body.length), body.length);
  return out;
}
