// What was said, turn by turn, as the server's events tell it.

/**
 * A turn: `who` is "you", "model" or "tool". `text` is all its words, `said` how many of its characters were
 * heard (all of them unless it is being spoken, or was cut off). `state`: "live", "done" or "cut".
 */
const turn = (id, who, fields = {}) => ({
  id, who, text: "", said: Infinity, seconds: 0, played: 0, state: "live", ...fields,
});

const SECONDS_A_CHARACTER = 0.065; // About 15 a second: how long an answer will be whose sound is on its way.

export class Conversation {
  turns = [];

  find(id) {
    return this.turns.find((one) => one.id === id);
  }

  /** Take what the server said. Returns the turn that has changed, if any has. */
  apply(event) {
    return HANDLERS[event.type]?.(this, event) ?? null;
  }

  /** So much of a model's turn has been heard. */
  heard(id, seconds) {
    const one = this.find(id);
    if (!one || one.state === "cut") return null;
    one.played = seconds;
    const whole = one.state === "done" ? one.seconds : Math.max(one.seconds, one.text.length * SECONDS_A_CHARACTER);
    one.said = Math.ceil((one.text.length * seconds) / Math.max(whole, 0.001));
    return one;
  }

  /** A turn's sound has been heard to its end. */
  finished(id) {
    const one = this.find(id);
    if (one) one.said = Infinity;
    return one;
  }

  /** Its sound was stopped after so many seconds. What that leaves of its words, the server will say. */
  cut(id, seconds) {
    const one = this.heard(id, seconds);
    if (one) one.state = "cut";
    return one;
  }

  /** The conversation as items for another session, without sound: words are what carries over. */
  items() {
    return this.turns.flatMap(({ id, who, text, said, tool }) => {
      if (who === "tool") {
        const call = { type: "function_call", id, name: tool.name, arguments: tool.arguments, call_id: tool.call_id };
        const output = { type: "function_call_output", call_id: tool.call_id, output: tool.output ?? "" };
        return [call, output];
      }
      const words = text.slice(0, said);
      if (!words) return [];
      const [role, type] = who === "you" ? ["user", "input_text"] : ["assistant", "output_text"];
      return [{ type: "message", id, role, content: [{ type, text: words }] }];
    });
  }

  put(one, previous) {
    const found = this.find(one.id);
    if (found) return found;
    const after = previous ? this.turns.findIndex((other) => other.id === previous) : -1;
    this.turns.splice(after < 0 ? this.turns.length : after + 1, 0, one);
    return one;
  }
}

/** A message's words, whichever kind of content they are. */
const wordsOf = (item) => (item.content ?? []).map((part) => part.text ?? part.transcript ?? "").join("");

const grow = (talk, { item_id, delta }) => {
  const one = talk.find(item_id);
  if (one) one.text += delta;
  return one;
};

const settle = (talk, { item_id, transcript, text }) => {
  const one = talk.find(item_id);
  if (one) one.text = transcript ?? text;
  return one;
};

function added(talk, { item, previous_item_id: previous }) {
  if (item.type === "function_call_output") {
    const call = talk.turns.find((one) => one.tool?.call_id === item.call_id);
    if (call) Object.assign(call.tool, { output: item.output }), (call.state = "done");
    return call;
  }
  if (item.type === "function_call") {
    const { name, call_id, arguments: given } = item;
    return talk.put(turn(item.id, "tool", { tool: { name, call_id, arguments: given, output: null } }), previous);
  }
  const spoken = item.content?.some((part) => part.type === "input_audio") ?? false;
  if (item.role === "user") return talk.put(turn(item.id, "you", { spoken, text: wordsOf(item) }), previous);
  if (item.role === "assistant") return talk.put(turn(item.id, "model", { text: wordsOf(item) }), previous);
  return null;
}

const HANDLERS = {
  "input_audio_buffer.speech_started": (talk, { item_id }) => talk.put(turn(item_id, "you", { spoken: true })),
  "input_audio_buffer.cleared": (talk) => {
    talk.turns = talk.turns.filter((one) => !(one.who === "you" && one.state === "live"));
    return null;
  },
  "conversation.item.added": added,
  "conversation.item.done": (talk, { item }) => {
    const one = talk.find(item.id);
    if (one?.who === "tool") one.tool.arguments = item.arguments;
    else if (one && one.state !== "cut") one.state = "done";
    return one;
  },
  "conversation.item.input_audio_transcription.delta": grow,
  "conversation.item.input_audio_transcription.completed": settle,
  "conversation.item.input_audio_transcription.failed": (talk, { item_id, error }) => {
    const none = error?.code === "transcription_unsupported"; // The model hears, and writes nothing down.
    return settle(talk, { item_id, text: none ? "(spoken)" : "(not understood)" });
  },
  "response.output_audio_transcript.delta": (talk, event) => {
    const one = grow(talk, event);
    if (one?.spoken === undefined) Object.assign(one, { spoken: true, said: 0 });
    return one;
  },
  "response.output_text.delta": grow,
  "response.output_text.done": settle,
  "response.function_call_arguments.done": (talk, { item_id, arguments: given }) => {
    const one = talk.find(item_id);
    if (one) one.tool.arguments = given;
    return one;
  },
  "conversation.item.retrieved": (talk, { item }) => {
    const one = talk.find(item.id);
    if (one?.state === "cut") one.said = wordsOf(item).length;
    return one;
  },
  "conversation.item.deleted": (talk, { item_id }) => {
    talk.turns = talk.turns.filter((one) => one.id !== item_id);
    return null;
  },
};
