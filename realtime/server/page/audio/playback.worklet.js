// The audio thread's side of the speaker: pulls samples out of the queue, and says what it played.

import { Playout } from "./playout.js";

const LEVEL = 480; // 20 ms at 24 kHz: as fine as the waveform is drawn.

class Playback extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.playout = new Playout(processorOptions);
    this.peak = 0;
    this.counted = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told(message) {
    if (message.add) this.playout.add(message.add, message.samples);
    if (message.end) this.playout.end(message.end);
    if (message.stop) this.port.postMessage({ stopped: message.stop, played: this.playout.stop() });
    if (message.ask) this.port.postMessage({ answered: message.ask, ...this.figures() });
  }

  figures() {
    const { gaps, cushion, queued } = this.playout;
    return { gaps, cushion, queued };
  }

  process(_, [[out]]) {
    const { started, finished } = this.playout.fill(out);
    for (const { item, at } of started) {
      this.port.postMessage({ started: item, time: currentTime + at / sampleRate });
    }
    for (const { item, played } of finished) this.port.postMessage({ finished: item, played });
    this.measure(out);
    return true;
  }

  measure(out) {
    for (const sample of out) this.peak = Math.max(this.peak, Math.abs(sample));
    this.counted += out.length;
    if (this.counted < LEVEL) return;
    const item = this.playout.current;
    this.port.postMessage({ level: this.peak, item, played: this.playout.played.get(item) ?? 0 });
    this.counted -= LEVEL;
    this.peak = 0;
  }
}

registerProcessor("playback", Playback);
