// The state at a glance, and how fast answers come.

import { $ } from "./dom.js";

export function stage(talk) {
  talk.addEventListener("state", () => {
    const { name, label } = talk.state;
    const element = $("state");
    if (element.dataset.state === name) return;
    element.dataset.state = name;
    element.textContent = label;
  });
  talk.addEventListener("round", () => {
    const { median } = talk.latency;
    if (median === null) return;
    $("median").hidden = false;
    $("median").querySelector(".figure").textContent = `${Math.round(median)} ms`;
  });
}
