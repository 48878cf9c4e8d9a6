// What went wrong and what to do about it, where it can be seen and is read out.

import { key } from "../talk/api.js";
import { explain } from "../talk/errors.js";
import { $, h } from "./dom.js";

// Answers that crossed with what they are about: nothing that a person could do.
const CROSSED = new Set(["response_cancel_not_active", "item_retrieve_invalid_item_id"]);

export function notices(talk) {
  talk.addEventListener("trouble", ({ detail: { error, microphone = false } }) => {
    if (!CROSSED.has(error.code)) notice(error, () => talk.start({ microphone }));
  });
}

/** Show an error. `again` tries once more what failed. */
export function notice(error, again = null) {
  const { title, advice, act } = explain(error);
  const box = h("div", { class: "notice" }, h("p", {}, h("strong", {}, title), " ", advice));
  const retry = () => {
    box.remove();
    return Promise.resolve(again?.()).catch((failed) => notice(failed, again));
  };
  if (act === "key") box.append(keyForm(retry));
  if (act === "again" && again) box.append(h("button", { type: "button", onclick: retry }, "Try again"));
  box.append(h("button", { type: "button", class: "quiet", onclick: () => box.remove() }, "Dismiss"));
  // The same trouble twice is one notice.
  for (const other of $("notices").children) if (other.textContent === box.textContent) other.remove();
  $("notices").append(box);
}

function keyForm(retry) {
  const field = h("input", { type: "password", name: "key", autocomplete: "off", required: true, "aria-label": "Key" });
  const onsubmit = (event) => {
    event.preventDefault();
    key.set(field.value);
    document.dispatchEvent(new Event("key"));
    retry();
  };
  return h("form", { class: "key", onsubmit }, field, h("button", { class: "primary" }, "Use this key"));
}
