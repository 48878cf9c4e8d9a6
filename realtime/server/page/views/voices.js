// Voices: choose one, hear it, or clone one.

import { fromPcm } from "../audio/formats.js";
import { key, removeVoice, speak, voices as listVoices } from "../talk/api.js";
import { cloneForm } from "./clone.js";
import { $, h } from "./dom.js";
import { notice } from "./notices.js";

const SAMPLE = "This is how I sound. Ask me anything.";

export function voices(talk) {
  const list = h("ul", { class: "voices" });
  const clone = cloneForm(async (voice) => {
    await refresh();
    choose(voice.name);
    await hear(voice.name);
  });
  $("voices").append(list, clone);
  $("voices").addEventListener("shown", refresh);
  document.addEventListener("key", refresh);
  refresh();

  async function refresh() {
    if (key.get().startsWith("ek_")) {
      return list.replaceChildren(h("li", { class: "hint" }, "A client secret opens talks alone; voices need a key."));
    }
    try {
      const found = await listVoices();
      const gone = talk.settings.voice && !found.some((voice) => voice.name === talk.settings.voice);
      if (gone) talk.change({ ...talk.settings, voice: "" });
      list.replaceChildren(...found.map((voice, i) => row(voice, i === 0)));
    } catch (error) {
      notice(error, refresh);
    }
  }

  function row(voice, first) {
    const { name, seconds, consent, builtin } = voice;
    const chosen = talk.settings.voice ? talk.settings.voice === name : first;
    const radio = h("input", { type: "radio", name: "voice", value: name, checked: chosen, onchange: () => choose(name) });
    const about = builtin ? "built in" : `${seconds.toFixed(1)} s of sample`;
    return h("li", {},
      h("label", { class: "choice", title: consent }, radio, h("span", {}, h("b", {}, name), ` ${about}`)),
      h("button", { type: "button", onclick: () => attempt(() => hear(name)) }, "Hear it"),
      builtin ? null : h("button", { type: "button", class: "quiet", onclick: () => attempt(() => remove(name)) }, "Remove"));
  }

  function choose(name) {
    talk.change({ ...talk.settings, voice: name });
    for (const radio of list.querySelectorAll("input")) radio.checked = radio.value === name;
  }

  /** A sentence in this voice, played as it comes. */
  async function hear(name) {
    await talk.speaker.open();
    await talk.interrupt();
    const item = `voice_${name}_${performance.now()}`;
    let odd = new Uint8Array(0);
    for await (const chunk of chunks(await speak(SAMPLE, name))) {
      // A sample may be torn apart between two chunks.
      const bytes = new Uint8Array([...odd, ...chunk]);
      const whole = bytes.length & ~1;
      odd = bytes.slice(whole);
      talk.speaker.play(item, fromPcm(bytes.subarray(0, whole)));
    }
    talk.speaker.end(item);
  }

  async function remove(name) {
    await removeVoice(name);
    if (talk.settings.voice === name) talk.change({ ...talk.settings, voice: "" });
    await refresh();
  }

  const attempt = (work) => work().catch((error) => notice(error));
}

/** A body's chunks; not every browser lets a stream be iterated. */
async function* chunks(body) {
  const reader = body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}
