// The speaker: sound in, and word of what was really heard of it.

const RATE = 24_000;
const CUSHION = 0.04 * RATE; // Little enough not to be felt; it grows where a network is worse than that.
const LONGEST_CUSHION = 0.4 * RATE;

/**
 * Fires `started` {item, at}, `finished` {item} and `level` {peak, item, seconds}; `at` in milliseconds of
 * performance.now(), when it is heard.
 */
export class Speaker extends EventTarget {
  #context = null;
  #node = null;
  #asked = new Map();
  #questions = 0;
  #sounding = new Set();

  /** Has to be called from a gesture of the user's the first time: browsers stay silent otherwise. */
  async open() {
    if (!this.#context) {
      this.#context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
      this.#node = await playbackNode(this.#context);
      this.#node.port.onmessage = ({ data }) => this.#told(data);
      this.#node.connect(this.#context.destination);
    }
    await this.#context.resume();
  }

  /** Nobody listens: the audio thread may stand still until it is opened again. */
  rest() {
    if (!this.busy) this.#context?.suspend();
  }

  /** An item is being played, or about to be. */
  get busy() {
    return this.#sounding.size > 0;
  }

  /** What is being played, or about to be. */
  get items() {
    return [...this.#sounding];
  }

  play(item, samples) {
    this.#sounding.add(item);
    this.#node.port.postMessage({ add: item, samples }, [samples.buffer]);
  }

  end(item) {
    if (this.#sounding.has(item)) this.#node.port.postMessage({ end: item });
  }

  /** Silence at once. Resolves with the milliseconds that were heard of each item that was cut off. */
  async stop() {
    if (!this.busy) return new Map();
    this.#sounding.clear();
    const { played } = await this.#ask("stop");
    const onItsWay = (this.#context.outputLatency || 0) * RATE;
    return new Map([...played].map(([item, count]) => [item, toMs(Math.max(0, count - onItsWay))]));
  }

  /** Gaps that were heard so far, the jitter buffer and what waits in it, in samples. */
  async figures() {
    return this.#node ? this.#ask("ask") : { gaps: 0, cushion: CUSHION, queued: 0 };
  }

  #ask(what) {
    const number = (this.#questions += 1);
    this.#node.port.postMessage({ [what]: number });
    return new Promise((done) => this.#asked.set(number, done));
  }

  #told(message) {
    if ("level" in message) {
      const { level: peak, item, played } = message;
      this.#fire("level", { peak, item, seconds: played / RATE });
    } else if (message.started) {
      const wait = message.time - this.#context.currentTime + (this.#context.outputLatency || 0);
      this.#fire("started", { item: message.started, at: performance.now() + Math.max(0, wait) * 1000 });
    } else if (message.finished) {
      this.#sounding.delete(message.finished);
      this.#fire("finished", { item: message.finished });
    } else {
      const number = message.stopped ?? message.answered;
      this.#asked.get(number)(message);
      this.#asked.delete(number);
    }
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The playback worklet in any context, with the jitter buffer that is used here. */
export async function playbackNode(context) {
  await context.audioWorklet.addModule(new URL("playback.worklet.js", import.meta.url));
  return new AudioWorkletNode(context, "playback", {
    numberOfInputs: 0,
    outputChannelCount: [1],
    processorOptions: { cushion: CUSHION, longest: LONGEST_CUSHION },
  });
}

const toMs = (samples) => Math.floor((samples * 1000) / RATE);
