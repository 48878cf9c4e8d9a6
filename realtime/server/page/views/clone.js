// A voice of one's own: a recording, what it says, a name, and the leave of whose voice it is.

import { joined, readSound, toWav } from "../audio/files.js";
import { RATE } from "../audio/formats.js";
import { Microphone } from "../audio/microphone.js";
import { addVoice, transcribe } from "../talk/api.js";
import { peakOf } from "../talk/hearing.js";
import { h } from "./dom.js";
import { notice } from "./notices.js";

const SECONDS = 10;
const LEAST = 3; // As the server has it.
const CONSENT = "This is my voice, or I have the leave of the person whose voice it is to clone it here.";
const READ_THIS =
  "The old lighthouse keeper poured his tea, looked out over the grey water, and counted the boats" +
  " as they came home, one by one, before the evening fog.";

/** @param {(voice: object) => Promise<void>} added  is called with each new voice. */
export function cloneForm(added) {
  let sample = null; // Float32Array at 24 kHz.
  let recording = null;

  const record = h("button", { type: "button", id: "clone-record", onclick: toggleRecording }, "Record 10 s");
  const file = h("input", { type: "file", class: "hidden", id: "clone-file", accept: "audio/*" });
  const meter = h("progress", { max: SECONDS, value: 0, hidden: true, "aria-label": "Seconds recorded" });
  const length = h("p", { class: "hint", id: "clone-length" }, `Or drop a file here. ${LEAST} to 30 seconds of one person, without music or noise.`);
  const transcript = h("textarea", { id: "clone-transcript", rows: 3, required: true, placeholder: "What is said in it, word for word" });
  const write = h("button", { type: "button", id: "clone-write", disabled: true, onclick: writeDown }, "Write it down for me");
  const name = h("input", { id: "clone-name", required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", title: "Letters, digits, - and _", autocomplete: "off" });
  const consent = h("input", { type: "checkbox", id: "clone-consent", required: true });
  const make = h("button", { class: "primary", id: "clone-make", disabled: true }, "Clone and hear it");

  file.addEventListener("change", () => attempt(async () => take(await readSound(file.files[0]))));
  const form = h("form", { class: "clone", onsubmit: submit },
    h("h3", {}, "Clone a voice"),
    h("p", { class: "hint" }, "Nothing to say? Read this: ", h("q", {}, READ_THIS)),
    h("div", { class: "row" }, record, h("label", { class: "button", for: "clone-file" }, "Choose a file"), file),
    meter, length,
    h("label", { for: "clone-transcript" }, "Transcript"), transcript, write,
    h("label", { for: "clone-name" }, "Name"), name,
    h("label", { class: "choice" }, consent, h("span", {}, CONSENT)),
    make);
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer.files;
    if (dropped) attempt(async () => take(await readSound(dropped)));
  });
  return form;

  async function toggleRecording() {
    if (recording) return recording.end();
    const pieces = [];
    const microphone = new Microphone();
    const end = () => {
      microphone.close();
      recording = null;
      record.textContent = "Record again";
      meter.hidden = true;
      if (pieces.length) take(joined(pieces));
    };
    recording = { end };
    record.textContent = "Stop";
    meter.hidden = false;
    const heard = (samples) => {
      if (!recording) return;
      pieces.push(samples);
      meter.value = (pieces.length * samples.length) / RATE;
      if (meter.value >= SECONDS) end();
    };
    await microphone.open(heard, { clean: false }).catch((error) => {
      end();
      notice(error);
    });
  }

  function take(sound) {
    sample = sound;
    const seconds = sound.length / RATE;
    const short = seconds < LEAST ? ` Too short: ${LEAST} s are needed.` : "";
    const silent = peakOf(sound) < 0.02 ? " There is hardly any sound in it." : "";
    length.textContent = `${seconds.toFixed(1)} s of sound.${short}${silent}`;
    write.disabled = false;
    make.disabled = Boolean(short);
  }

  function writeDown() {
    return attempt(async () => {
      transcript.value = (await transcribe(toWav(sample))).trim();
    }, write);
  }

  function submit(event) {
    event.preventDefault();
    const statement = `${CONSENT} Ticked in the page on ${new Date().toISOString()}.`;
    const given = { name: name.value, file: toWav(sample), transcript: transcript.value, consent: statement };
    attempt(async () => {
      const voice = await addVoice(given);
      form.reset();
      await added(voice);
    }, make);
  }

  /** Shows what goes wrong; `button` cannot be pressed meanwhile. */
  async function attempt(work, button = null) {
    if (button) button.disabled = true;
    try {
      await work();
    } catch (error) {
      notice(error);
    }
    if (button) button.disabled = false;
  }
}
