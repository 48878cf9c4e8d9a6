// One person's talk with the server: everything the page does, apart from how it looks.

import { encoder, toBase64 } from "../audio/formats.js";
import { Microphone } from "../audio/microphone.js";
import { Speaker } from "../audio/speaker.js";
import { Calls } from "./calls.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { Hearing } from "./hearing.js";
import { Latency } from "./latency.js";
import { Speaking } from "./speaking.js";
import { save, sessionOf } from "./settings.js";
import { stateOf } from "./state.js";

const SHORTEST_TURN_MS = 120; // The server takes no turn under 100: a key that was touched is none.

/**
 * Fires `state`, `turn` {turn}, `round` {round}, `passed` {from, event}, `trouble` {error}, `heard` {samples},
 * `level` {peak} and `cut`; views listen, and never change anything but by the methods below.
 */
export class Talk extends EventTarget {
  conversation = new Conversation();
  latency = new Latency();
  speaker = new Speaker();
  phase = "off";
  microphone = null;
  muted = false;
  held = false; // Push to talk: the key is down.
  #connection = null;
  #hearing = new Hearing((event) => this.#send(event));
  #speaking = new Speaking(this.speaker, (event) => this.#send(event));
  #calls = new Calls();
  #answering = new Set(); // Responses that are being made.
  #heard = false; // The server hears speech.
  #complained = false; // The last that the server said was an error.
  #connecting = null;
  #opening = null; // A microphone that the person is being asked for.
  #heldFrom = 0;

  constructor(settings) {
    super();
    this.settings = settings;
    this.speaker.addEventListener("started", ({ detail }) => {
      this.#fire("round", { round: this.latency.heard(detail.item, detail.at) });
      this.#changed();
    });
    this.speaker.addEventListener("finished", ({ detail }) => {
      this.#turn(this.conversation.finished(detail.item));
      this.#changed();
    });
    this.speaker.addEventListener("level", ({ detail }) => {
      this.#fire("level", detail);
      if (detail.item) this.#turn(this.conversation.heard(detail.item, detail.seconds));
    });
  }

  get push() {
    return this.settings.turns === "push";
  }

  get state() {
    return stateOf({
      phase: this.phase,
      microphone: Boolean(this.microphone),
      muted: this.muted,
      push: this.push,
      hearing: this.#heard || this.held,
      answering: this.#answering.size > 0,
      playing: this.speaker.busy,
    });
  }

  /** Connect, if that is still to be done, and open the microphone if it is wanted. From a gesture. */
  async start({ microphone }) {
    await this.speaker.open();
    await Promise.all([this.#connect(), microphone && this.listen()]);
  }

  async listen() {
    if (this.microphone || this.#opening) return;
    const opened = (this.#opening = new Microphone());
    try {
      await opened.open((samples) => this.#sound(samples), this.settings);
      if (this.phase === "off") opened.close();
      else this.microphone = opened;
      opened.muted = this.muted;
    } catch (error) {
      opened.close();
      this.#trouble(error);
    }
    this.#opening = null;
    this.#changed();
  }

  end() {
    this.#connection?.close();
    this.#left();
  }

  mute(muted) {
    this.muted = muted;
    if (this.microphone) this.microphone.muted = muted;
    this.#changed();
  }

  /** Push to talk: the key goes down, and up again. */
  hold(held) {
    if (held === this.held || !this.push || !this.microphone) return;
    this.held = held;
    if (held) {
      this.interrupt();
      this.#send({ type: "input_audio_buffer.clear" });
      this.#heldFrom = this.#hearing.sent;
    } else if (this.#hearing.sent - this.#heldFrom >= SHORTEST_TURN_MS) {
      this.latency.asked(performance.now(), "speech");
      this.#send({ type: "input_audio_buffer.commit" });
      this.#send({ type: "response.create" });
    }
    this.#changed();
  }

  async say(text) {
    await this.#ask([{ type: "input_text", text }]);
  }

  /** Send a recording as a turn. Returns its turn's id, so that its words can be told later. */
  async sayRecording(samples) {
    return this.#ask([{ type: "input_audio", audio: toBase64(encoder(this.settings.format)(samples)) }]);
  }

  /** Words for a turn that the server does not write down by itself. */
  tell(id, text) {
    this.#turn(this.conversation.apply({
      type: "conversation.item.input_audio_transcription.completed", item_id: id, transcript: text,
    }));
  }

  /** The answer stops, whether it is still being made or only played. */
  interrupt() {
    for (const response of this.#answering) this.#send({ type: "response.cancel", response_id: response });
    return this.#stopPlaying();
  }

  change(settings) {
    const before = this.settings;
    this.settings = settings;
    save(settings);
    if (this.phase !== "on") return this.#changed();
    // A conversation keeps its voice: another one begins where this one stands.
    if (before.voice !== settings.voice) return this.#reconnect();
    this.#configure();
    if (before.clean !== settings.clean && this.microphone) this.#reopenMicrophone();
    return this.#changed();
  }

  #connect() {
    if (this.phase === "on") return null;
    this.#connecting ??= this.#open().finally(() => (this.#connecting = null));
    return this.#connecting;
  }

  async #open() {
    this.phase = "connecting";
    this.#changed();
    try {
      const listener = { passed: (from, event) => this.#passed(from, event), closed: () => this.#lost() };
      this.#connection = await Connection.open(listener);
      this.phase = "on";
      this.#configure({ anew: true });
      for (const item of this.conversation.items()) this.#send({ type: "conversation.item.create", item });
    } catch (error) {
      this.#left();
      throw error;
    }
    this.#changed();
  }

  async #reconnect() {
    await this.#stopPlaying();
    this.#connection.close();
    this.phase = "off";
    this.#answering.clear();
    this.#heard = false;
    await this.#open().catch((error) => this.#trouble(error));
  }

  #reopenMicrophone() {
    this.microphone.close();
    this.microphone = null;
    return this.listen();
  }

  #configure({ anew = false } = {}) {
    this.#hearing.begin(this.settings.format, { anew });
    this.#speaking.format = this.settings.format;
    this.#send({ type: "session.update", session: sessionOf(this.settings) });
  }

  async #ask(content) {
    await this.start({ microphone: false });
    await this.interrupt();
    const id = `item_page${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
    this.#send({ type: "conversation.item.create", item: { id, type: "message", role: "user", content } });
    this.latency.asked(performance.now(), "hand");
    this.#send({ type: "response.create" });
    return id;
  }

  #sound(samples) {
    if (this.phase === "on" && (!this.push || this.held)) this.#hearing.append(samples);
    this.#fire("heard", { samples: this.push && !this.held ? samples.fill(0) : samples });
  }

  #send(event) {
    this.#connection?.send(event);
  }

  async #stopPlaying() {
    const cut = await this.#speaking.stop();
    for (const [item, ms] of cut) this.#turn(this.conversation.cut(item, ms / 1000));
    if (cut.size) this.#fire("cut", {});
    this.#changed();
  }

  #passed(from, event) {
    this.#fire("passed", { from, event });
    if (from === "client") return;
    this.#complained = event.type === "error";
    const round = this.latency.apply(event, performance.now());
    if (round) this.#fire("round", { round });
    this.#turn(this.conversation.apply(event));
    this.#ON[event.type]?.(event);
  }

  #ON = {
    "input_audio_buffer.speech_started": () => {
      this.#heard = true;
      if (this.settings.interrupt) this.#stopPlaying();
      else this.#changed();
    },
    "input_audio_buffer.speech_stopped": ({ audio_end_ms: end }) => {
      this.#heard = false;
      this.latency.asked(this.#endOfSpeech(end), "speech");
      this.#changed();
    },
    "response.created": ({ response }) => {
      this.#answering.add(response.id);
      this.#changed();
    },
    "response.output_audio.delta": (event) => {
      const one = this.conversation.find(event.item_id);
      if (one) one.seconds += this.#speaking.delta(event);
    },
    "response.output_audio.done": (event) => this.#speaking.done(event),
    "response.output_item.done": (event) => this.#calls.take(event),
    "response.done": ({ response }) => this.#done(response),
    error: ({ error }) => this.#trouble(error),
  };

  async #done(response) {
    this.#answering.delete(response.id);
    if (response.status === "failed") this.#trouble(response.status_details?.error ?? {});
    this.#changed();
    const answers = await this.#calls.answers(response.id);
    if (!answers.length) return;
    for (const item of answers) this.#send({ type: "conversation.item.create", item });
    this.#send({ type: "response.create" });
  }

  /** server_vad waits for just so much silence, and the turn ends with it. */
  #endOfSpeech(ms) {
    const { turns, silence_ms: silence } = this.settings;
    return turns === "server_vad" ? this.#hearing.timeOf(ms - silence) : this.#hearing.lastLoud(ms);
  }

  #lost() {
    const microphone = Boolean(this.microphone);
    this.#left();
    // Whoever closes a session for a reason has said it just before.
    if (!this.#complained) this.#fire("trouble", { error: { code: "connection_lost" }, microphone });
  }

  #left() {
    this.#connection = null;
    this.phase = "off";
    this.held = this.#heard = this.muted = false;
    this.#answering.clear();
    this.microphone?.close();
    this.microphone = null;
    this.#stopPlaying().then(() => this.phase === "off" && this.speaker.rest());
  }

  #trouble(error) {
    this.#fire("trouble", { error });
  }

  #turn(turn) {
    if (turn) this.#fire("turn", { turn });
  }

  #changed() {
    this.#fire("state", {});
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
