// How long each answer took to come: from the end of speech to the first sound that was heard.

export const MARKS = [
  { name: "committed", label: "committed" },
  { name: "text", label: "first text" },
  { name: "audio", label: "first audio" },
  { name: "heard", label: "heard" },
];

/** Moments in milliseconds of performance.now(); a round is {asked, by, item, committed, text, audio, heard}. */
export class Latency {
  rounds = new Map(); // By the id of the response.
  #pending = null;

  /** Somebody has finished asking, by speech or by hand. */
  asked(at, by) {
    this.#pending = { asked: at, by };
  }

  /** Take what the server said at `now`. Returns the round that it marked, if any. */
  apply(event, now) {
    if (event.type === "input_audio_buffer.committed" && this.#pending) this.#pending.committed = now;
    if (event.type === "response.created") return this.#begin(event.response.id);
    const round = this.rounds.get(event.response_id);
    if (!round) return null;
    if (event.item_id) round.item ??= event.item_id;
    const mark = FIRST[event.type];
    if (!mark || round[mark] !== undefined) return null;
    round[mark] = now;
    return round;
  }

  /** The first sound of an item was heard. */
  heard(item, at) {
    const round = this.of(item);
    if (round) round.heard ??= at;
    return round;
  }

  /** The round that made an item. */
  of(item) {
    return [...this.rounds.values()].find((round) => round.item === item) ?? null;
  }

  /** Milliseconds of the middle answer that was heard; null before there is one. */
  get median() {
    const took = [...this.rounds.values()].filter((round) => round.heard !== undefined).map(total);
    if (!took.length) return null;
    took.sort((a, b) => a - b);
    const half = took.length >> 1;
    return took.length % 2 ? took[half] : (took[half - 1] + took[half]) / 2;
  }

  #begin(id) {
    if (!this.#pending) return null;
    const round = this.#pending;
    this.#pending = null;
    this.rounds.set(id, round);
    return round;
  }
}

export const total = (round) => round.heard - round.asked;

const FIRST = {
  "response.output_audio_transcript.delta": "text",
  "response.output_text.delta": "text",
  "response.output_audio.delta": "audio",
};
