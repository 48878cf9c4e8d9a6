// The row at the foot: talk, type, send a recording, stop, end.

import { readSound, toWav } from "../audio/files.js";
import { transcribe } from "../talk/api.js";
import { $ } from "./dom.js";
import { notice } from "./notices.js";

export function composer(talk) {
  const attempt = (work) => async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      notice(error, () => work(...given));
    }
  };

  const start = attempt(() => talk.start({ microphone: true }));
  const say = attempt((text) => talk.say(text));
  const sayFile = attempt(async (file) => {
    const samples = await readSound(file);
    const id = await talk.sayRecording(samples);
    // A turn that comes as a whole is not written down by the session itself.
    talk.tell(id, await transcribe(toWav(samples)));
  });

  /** What the large button, and the space bar, do. */
  function press() {
    if (!talk.microphone) return start();
    if (!talk.push) talk.mute(!talk.muted);
  }

  $("talk").addEventListener("click", press);
  $("talk").addEventListener("pointerdown", () => talk.hold(true));
  for (const type of ["pointerup", "pointerleave", "pointercancel"]) {
    $("talk").addEventListener(type, () => talk.hold(false));
  }
  $("stop").addEventListener("click", () => talk.interrupt());
  $("end").addEventListener("click", () => talk.end());
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("words").value.trim();
    if (!text) return;
    $("words").value = "";
    say(text);
  });
  $("recording").addEventListener("change", ({ target }) => {
    if (target.files[0]) sayFile(target.files[0]);
    target.value = "";
  });
  dropTarget(sayFile);

  talk.addEventListener("state", () => {
    const { name } = talk.state;
    const on = Boolean(talk.microphone);
    const label = on ? (talk.push ? "Hold to talk" : talk.muted ? "Unmute" : "Mute") : "Talk";
    $("talk").textContent = label;
    $("talk").disabled = name === "connecting";
    $("talk").setAttribute("aria-pressed", on && (talk.push ? talk.held : !talk.muted));
    $("talk").classList.toggle("live", on && !talk.muted);
    $("stop").hidden = name !== "speaking" && name !== "thinking";
    $("end").hidden = talk.phase !== "on";
  });

  return { press };
}

/** A recording may be dropped anywhere, except where another part of the page takes it. */
function dropTarget(take) {
  const over = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  document.addEventListener("drop", (event) => {
    over(false);
    if (event.defaultPrevented) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}
