// The audio thread's side of the microphone: mono pieces of 40 ms at 24 kHz, whatever the device's rate.

import { Resampler } from "./resample.js";

const RATE = 24_000;
const PIECE = 960;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = sampleRate === RATE ? null : new Resampler(sampleRate, RATE);
    this.piece = new Float32Array(PIECE);
    this.filled = 0;
  }

  process([input]) {
    if (input.length) this.take(mono(input));
    return true;
  }

  take(heard) {
    const sound = this.resampler ? this.resampler.add(heard) : heard;
    for (let at = 0; at < sound.length; ) {
      const count = Math.min(PIECE - this.filled, sound.length - at);
      this.piece.set(sound.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled < PIECE) return;
      this.port.postMessage(this.piece, [this.piece.buffer]);
      this.piece = new Float32Array(PIECE);
      this.filled = 0;
    }
  }
}

function mono([first, ...others]) {
  if (!others.length) return first;
  return first.map((sample, i) => others.reduce((sum, one) => sum + one[i], sample) / (others.length + 1));
}

registerProcessor("capture", Capture);
