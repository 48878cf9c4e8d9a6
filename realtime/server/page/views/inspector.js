// Every event, both ways. A run of one kind is one row; what it holds opens below it; sound is shown as its
// length.

import { secondsOf } from "../audio/formats.js";
import { $, announce, h, onceAFrame } from "./dom.js";

const MOST = 5000; // Events that are kept: about ten minutes of talk.
const MOST_ROWS = 1000;
const SHOWN_OF_A_RUN = 20;
const SOUND = new Set(["input_audio_buffer.append", "response.output_audio.delta"]);

export function inspector(talk) {
  const log = []; // {at, from, type, event, seconds}
  const begin = performance.now();
  const list = h("ol", { class: "log", "aria-label": "Events" });
  const filter = h("input", { type: "search", placeholder: "Filter by type or content", "aria-label": "Filter" });
  const ticks = {
    client: tick("Sent", true),
    server: tick("Received", true),
    sound: tick("Sound", false),
  };
  const count = h("p", { class: "count" });
  const copy = h("button", { type: "button", id: "copy", onclick: copyAll }, "Copy as JSON");
  const clear = h("button", { type: "button", class: "quiet", onclick: () => (log.splice(0), redraw()) }, "Clear");
  $("events").append(
    h("div", { class: "filters" }, filter, ...Object.values(ticks).map((one) => one.parentElement)), list,
    h("div", { class: "foot" }, count, copy, clear),
  );
  filter.addEventListener("input", () => redraw());
  $("events").addEventListener("shown", () => redraw());

  let drawn = 0; // Entries of the log that the list shows or has passed over.
  let run = null; // The last row, which grows while events of its kind come.

  talk.addEventListener("passed", ({ detail: { from, event } }) => {
    log.push({ at: performance.now() - begin, from, type: event.type, ...folded(event, talk.settings.format) });
    if (log.length > MOST) log.shift(), (drawn = Math.max(0, drawn - 1));
    if (!$("events").hidden) draw();
  });

  function tick(label, checked) {
    const box = h("input", { type: "checkbox", name: label.toLowerCase(), checked, onchange: () => redraw() });
    return h("label", {}, box, ` ${label}`).firstChild;
  }

  function passes(entry) {
    if (!ticks[entry.from].checked) return false;
    if (SOUND.has(entry.type) && !ticks.sound.checked) return false;
    const asked = filter.value.trim().toLowerCase();
    if (!asked) return true;
    entry.text ??= JSON.stringify(entry.event).toLowerCase();
    return entry.text.includes(asked);
  }

  function redraw() {
    drawn = 0;
    run = null;
    list.replaceChildren();
    draw();
  }

  const draw = onceAFrame(() => {
    const follow = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    for (; drawn < log.length; drawn += 1) if (passes(log[drawn])) show(log[drawn]);
    while (list.children.length > MOST_ROWS) list.firstChild.remove();
    const shown = log.filter(passes).length;
    count.textContent = `${shown < log.length ? `${shown} of ` : ""}${log.length} events`;
    if (follow) list.scrollTop = list.scrollHeight;
  });

  function show(entry) {
    if (run?.entries[0].type === entry.type && run.entries[0].from === entry.from) {
      run.entries.push(entry);
      return run.label();
    }
    run = row(entry);
    list.append(run.element);
  }

  function row(entry) {
    const entries = [entry];
    const note = h("span", { class: "note" });
    const body = h("pre", { tabIndex: 0 });
    const arrow = entry.from === "client" ? "↑" : "↓";
    const summary = h("summary", {},
      h("time", {}, (entry.at / 1000).toFixed(2)),
      h("span", { class: "arrow", title: entry.from === "client" ? "sent" : "received" }, arrow),
      h("span", { class: "type" }, entry.type), note);
    const details = h("details", { data: { from: entry.from }, class: entry.type === "error" ? "error" : "" }, summary, body);
    details.addEventListener("toggle", () => {
      if (!details.open) return;
      const some = entries.slice(-SHOWN_OF_A_RUN).map((one) => JSON.stringify(one.event, null, 2));
      if (some.length < entries.length) some.unshift(`the last ${some.length} of ${entries.length}:`);
      body.textContent = some.join("\n");
      details.scrollIntoView({ block: "nearest" });
    });
    const label = () => {
      const seconds = entries.reduce((sum, one) => sum + one.seconds, 0);
      note.textContent = [
        entries.length > 1 ? `× ${entries.length}` : "",
        seconds ? `${seconds.toFixed(2)} s` : brief(entry.event),
      ].filter(Boolean).join(" · ");
    };
    label();
    return { element: h("li", {}, details), entries, label };
  }

  async function copyAll() {
    const shown = log.filter(passes).map(({ at, from, event }) => ({ at_s: Number((at / 1000).toFixed(3)), from, event }));
    await navigator.clipboard.writeText(JSON.stringify(shown, null, 2));
    announce(`${shown.length} events copied`);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy as JSON"), 1500);
  }
}

/** The event with its sound as a length, and that length. */
export function folded(event, format) {
  let seconds = 0;
  const fold = (value, name, parent) => {
    const sound = typeof value === "string" && (name === "audio" || (name === "delta" && SOUND.has(parent.type)));
    if (sound) {
      const length = secondsOf(value, format);
      seconds += length;
      return `(${length.toFixed(2)} s of sound)`;
    }
    if (Array.isArray(value)) return value.map((one) => fold(one, "", value));
    if (!value || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fold(one, key, value)]));
  };
  return { event: fold(event, "", {}), seconds };
}

/** What tells an event from others of its kind. */
function brief(event) {
  const text = event.delta ?? event.transcript ?? event.text ?? event.arguments ?? event.error?.message
    ?? event.response?.status ?? (event.audio_end_ms ?? event.audio_start_ms)?.toString().concat(" ms");
  return typeof text === "string" ? text.trim().slice(0, 60) : "";
}
