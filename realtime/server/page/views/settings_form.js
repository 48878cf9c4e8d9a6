// Everything that a session can be told, applied as it is changed.

import { TOOLS } from "../tools/tools.js";
import { $, h } from "./dom.js";
import { setTheme, theme } from "./theme.js";

const TURNS = [
  ["server_vad", "Silence", "Your turn is over when you have been silent for long enough."],
  ["semantic_vad", "Meaning", "Your turn is over when what you said is complete."],
  ["push", "Hold to talk", "Your turn is over when you let go of the space bar or the button."],
];
const FORMATS = [
  ["audio/pcm", "PCM, 24 kHz"],
  ["audio/pcmu", "G.711 µ-law, telephone"],
  ["audio/pcma", "G.711 A-law, telephone"],
];
const EAGERNESS = [["auto", "Auto"], ["low", "Low: waits long"], ["medium", "Medium"], ["high", "High: answers soon"]];
const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

export function settingsForm(talk) {
  const set = (name, value) => {
    talk.change({ ...talk.settings, [name]: value });
    showFitting();
  };
  const { settings } = talk;

  const choice = ([value, label, about]) =>
    h("label", { class: "choice" },
      h("input", { type: "radio", name: "turns", value, checked: settings.turns === value, onchange: () => set("turns", value) }),
      h("span", {}, h("b", {}, label), " ", about));

  const slider = (name, label, { min, max, step, unit = "" }) => {
    const show = (value) => `${value}${unit}`;
    const value = h("output", {}, show(settings[name]));
    const input = h("input", { type: "range", id: `set-${name}`, min, max, step, value: settings[name] });
    input.addEventListener("input", () => (value.textContent = show(input.value)));
    input.addEventListener("change", () => set(name, Number(input.value)));
    return h("div", { class: "slider" }, h("label", { for: input.id }, label), value, input);
  };

  const select = (id, label, options, chosen, onchoice) => {
    const made = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
    const onchange = ({ target }) => onchoice(target.value);
    return h("div", { class: "pair" }, h("label", { for: id }, label), h("select", { id, onchange }, ...made));
  };

  const tick = (label, about, checked, ontick, name) =>
    h("label", { class: "choice" },
      h("input", { type: "checkbox", name, checked, onchange: ({ target }) => ontick(target.checked) }),
      h("span", {}, h("b", {}, label), " ", about));

  const useTool = (name, used) =>
    set("tools", used ? [...talk.settings.tools, name] : talk.settings.tools.filter((one) => one !== name));

  const instructions = h("textarea", { id: "set-instructions", rows: 3, value: settings.instructions, placeholder: "You are a cheerful guide to the night sky." });
  instructions.addEventListener("change", () => set("instructions", instructions.value));

  $("settings").append(
    group("When your turn is over", ...TURNS.map(choice),
      h("div", { data: { only: "server_vad" } },
        slider("threshold", "Speech from a probability of", { min: 0.1, max: 0.9, step: 0.05 }),
        slider("silence_ms", "Silence that ends a turn", { min: 100, max: 2000, step: 50, unit: " ms" }),
        slider("padding_ms", "Sound kept from before it", { min: 0, max: 1000, step: 50, unit: " ms" })),
      h("div", { data: { only: "semantic_vad" } },
        select("set-eagerness", "Eagerness", EAGERNESS, settings.eagerness, (value) => set("eagerness", value)))),
    group("When you interrupt",
      tick("Talking over it stops it", "", settings.interrupt, (on) => set("interrupt", on), "interrupt"),
      slider("interrupt_after_ms", "Let pass (“uh-huh”) what is shorter than", { min: 0, max: 1500, step: 50, unit: " ms" })),
    group("Instructions", h("label", { class: "hidden", for: "set-instructions" }, "Instructions"), instructions),
    group("Tools that run in this page",
      ...TOOLS.map(({ title, about, definition: { name } }) =>
        tick(title, about, settings.tools.includes(name), (on) => useTool(name, on), name))),
    group("Answers",
      select("set-output", "Given as", [["audio", "Speech"], ["text", "Text"]], settings.output, (value) => set("output", value)),
      slider("speed", "Speed", { min: 0.5, max: 1.5, step: 0.05, unit: "×" }),
      select("set-format", "Sound format, both ways", FORMATS, settings.format, (value) => set("format", value))),
    group("This page",
      tick("Take out echo and noise", "Off is truer to your voice; wear headphones then.", settings.clean, (on) => set("clean", on), "clean"),
      select("set-theme", "Light", THEMES, theme(), setTheme)),
  );
  document.addEventListener("theme", () => ($("set-theme").value = theme()));
  showFitting();

  function showFitting() {
    for (const part of $("settings").querySelectorAll("[data-only]")) {
      part.hidden = part.dataset.only !== talk.settings.turns;
    }
  }
}

const group = (title, ...children) => h("fieldset", {}, h("legend", {}, title), ...children);
