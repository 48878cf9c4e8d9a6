// The model's sound, from the server's deltas to the loudspeaker; and what happens when it is cut off.

import { decoder, fromBase64, RATE } from "../audio/formats.js";

export class Speaking {
  #speaker;
  #send;
  #decoders = new Map();
  #cut = new Set(); // Items that were stopped here: what still comes of them is not played.
  format = "audio/pcm";

  constructor(speaker, send) {
    this.#speaker = speaker;
    this.#send = send;
  }

  /** A piece of an item's sound. Returns its length in seconds. */
  delta({ item_id: item, delta }) {
    if (!this.#decoders.has(item)) this.#decoders.set(item, decoder(this.format));
    const samples = this.#decoders.get(item)(fromBase64(delta));
    const seconds = samples.length / RATE;
    if (!this.#cut.has(item)) this.#speaker.play(item, samples);
    return seconds;
  }

  /** All of an item's sound is here. */
  done({ item_id: item }) {
    this.#decoders.delete(item);
    if (!this.#cut.has(item)) this.#speaker.end(item);
  }

  /**
   * Silence at once; then the server is told how much was heard, so that the model knows what it has not
   * said. Returns what was cut: milliseconds heard, by item.
   */
  async stop() {
    // Before anything is waited for: meanwhile more of them may come.
    for (const item of [...this.#decoders.keys(), ...this.#speaker.items]) this.#cut.add(item);
    const heard = await this.#speaker.stop();
    for (const [item, ms] of heard) {
      this.#send({ type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms: ms });
      // What is left of its words, only the server can say.
      this.#send({ type: "conversation.item.retrieve", item_id: item });
    }
    return heard;
  }
}
