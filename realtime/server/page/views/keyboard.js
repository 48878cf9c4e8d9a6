// Keys. None works while something is being typed, except Escape.

import { $ } from "./dom.js";

const TYPED_INTO = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select";
const PRESSED_BY_SPACE = "button, summary, a, label, input";

export function keyboard(talk, { press, panel }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return escape();
    if (event.target.closest?.(TYPED_INTO)) return;
    if (event.key === " ") return space(event);
    const act = KEYS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("keyup", (event) => event.key === " " && talk.hold(false));
  window.addEventListener("blur", () => talk.hold(false));

  const KEYS = {
    "/": () => $("words").focus(),
    v: () => panel.toggle("voices"),
    s: () => panel.toggle("settings"),
    e: () => panel.toggle("events"),
  };

  function escape() {
    if (["speaking", "thinking"].includes(talk.state.name)) talk.interrupt();
    else panel.close();
  }

  function space(event) {
    if (event.target.closest?.(PRESSED_BY_SPACE) && event.target.id !== "talk") return;
    event.preventDefault();
    if (event.repeat) return;
    if (talk.push && talk.microphone) talk.hold(true);
    else press();
  }
}
