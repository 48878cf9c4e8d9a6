// The panel beside the talk, over it on a phone: one of three at a time.

import { $ } from "./dom.js";

const TITLES = { voices: "Voices", settings: "Settings", events: "Events" };

export function panel() {
  const over = matchMedia("(max-width: 52rem)"); // As layout.css has it: there the panel covers the talk.
  const behind = document.querySelectorAll("main, .bar");
  let open = null;

  function show(name) {
    open = name;
    $("panel").hidden = !name;
    document.body.classList.toggle("with-panel", Boolean(name));
    cover();
    for (const one of Object.keys(TITLES)) $(one).hidden = one !== name;
    for (const button of document.querySelectorAll("[data-panel]")) {
      button.setAttribute("aria-expanded", button.dataset.panel === name);
    }
    if (!name) return;
    $("panel-title").textContent = TITLES[name];
    $("panel-title").focus();
    $(name).dispatchEvent(new Event("shown"));
  }

  /** What is covered cannot be reached by keys either. */
  function cover() {
    for (const one of behind) one.inert = Boolean(open) && over.matches;
  }

  function toggle(name) {
    if (open === name) close();
    else show(name);
  }

  function close() {
    if (!open) return;
    const opener = document.querySelector(`[data-panel=${open}]`);
    show(null);
    opener.focus();
  }

  for (const button of document.querySelectorAll("[data-panel]")) {
    button.addEventListener("click", () => toggle(button.dataset.panel));
  }
  over.addEventListener("change", cover);
  $("panel-close").addEventListener("click", close);
  return { toggle, close };
}
