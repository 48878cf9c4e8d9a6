// What the microphone hears, on its way to the server, and when it was said: the server tells moments as
// milliseconds of the sound that it was sent.

import { encoder, RATE, toBase64 } from "../audio/formats.js";

const REMEMBERED = 1500; // Pieces of 40 ms: a minute.
const LOUD = 0.25; // Of a turn's peak: what is softer is not speech any more.

export class Hearing {
  #send;
  #encode = null;
  #ms = 0;
  #pieces = []; // {end, at, peak}: up to which ms a piece goes, when it was heard, how loud.

  constructor(send) {
    this.#send = send;
  }

  /** A new session, or another format: its clock begins with the first sound. */
  begin(format, { anew }) {
    this.#encode = encoder(format);
    if (anew) [this.#ms, this.#pieces] = [0, []];
  }

  /** Milliseconds sent so far. */
  get sent() {
    return this.#ms;
  }

  /** Send a piece that was heard just now. */
  append(samples) {
    this.#ms += (samples.length * 1000) / RATE;
    this.#pieces.push({ end: this.#ms, at: performance.now(), peak: peakOf(samples) });
    if (this.#pieces.length > REMEMBERED) this.#pieces.shift();
    this.#send({ type: "input_audio_buffer.append", audio: toBase64(this.#encode(samples)) });
  }

  /** When the `ms`-th millisecond was heard, in performance.now(). */
  timeOf(ms) {
    const piece = this.#pieces.find((one) => one.end >= ms) ?? this.#pieces.at(-1);
    return piece ? piece.at - Math.max(0, piece.end - ms) : performance.now();
  }

  /** When the last loud piece before `ms` ended: the end of speech, where nobody says how long the silence
   * after it was. */
  lastLoud(ms) {
    const before = this.#pieces.filter((one) => one.end <= ms);
    const peak = Math.max(...before.slice(-250).map((one) => one.peak));
    return before.findLast((one) => one.peak >= peak * LOUD)?.at ?? this.timeOf(ms);
  }
}

export const peakOf = (samples) => samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
