// Who said what. What the model has not said yet is pale; what it was kept from saying stays so.

import { MARKS } from "../talk/latency.js";
import { $, announce, h, onceAFrame } from "./dom.js";

export function transcript(talk) {
  const list = $("transcript");
  const scroll = $("scroll");
  const shown = new Map(); // turn's id → its element.
  const changed = new Set();

  talk.addEventListener("turn", ({ detail }) => {
    changed.add(detail.turn);
    redraw();
  });
  talk.addEventListener("round", ({ detail: { round } }) => {
    const turn = round?.item && talk.conversation.find(round.item);
    if (!turn) return;
    changed.add(turn);
    redraw();
  });
  const redraw = onceAFrame(() => {
    $("welcome").hidden = talk.conversation.turns.length > 0;
    const follow = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    for (const turn of changed) draw(turn);
    changed.clear();
    order();
    if (follow) scroll.scrollTop = scroll.scrollHeight;
  });

  function order() {
    const kept = new Set(talk.conversation.turns.map((turn) => turn.id));
    for (const [id, element] of shown) if (!kept.has(id)) element.remove(), shown.delete(id);
    talk.conversation.turns.forEach((turn, i) => {
      const element = shown.get(turn.id);
      if (element && list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
    });
  }

  function draw(turn) {
    const element = shown.get(turn.id) ?? make(turn);
    element.dataset.state = turn.state;
    if (turn.who === "tool") return drawTool(element, turn);
    const text = turn.text.trimStart();
    const said = text.slice(0, turn.said);
    const waits = turn.who === "you" && !text;
    element.querySelector(".said").textContent = waits ? waiting(turn) : said;
    element.querySelector(".unsaid").textContent = text.slice(said.length);
    element.classList.toggle("waits", waits);
    if (turn.who === "model") drawRound(element, talk.latency.of(turn.id));
    // A spoken answer can be heard; a written one is read out when it is whole.
    if (turn.who === "model" && !turn.spoken && turn.state === "done") announce(text);
    return element;
  }

  function waiting(turn) {
    return turn.state === "live" ? "…" : "Sound, not written down yet";
  }

  function make(turn) {
    const names = { you: "You", model: talk.model ?? "Model", tool: "Tool" };
    const words = turn.who === "tool"
      ? h("p", { class: "call" })
      : h("p", { class: "words" }, h("span", { class: "said" }), h("span", { class: "unsaid" }));
    const round = turn.who === "model" ? h("div", { class: "round", hidden: true }) : null;
    const element = h("li", { data: { who: turn.who } }, h("span", { class: "who" }, names[turn.who]), words, round);
    shown.set(turn.id, element);
    return element;
  }

  function drawTool(element, { tool }) {
    const answer = tool.output === null ? "…" : tool.output;
    const parts = [h("code", {}, `${tool.name}(${tool.arguments})`), " → ", h("code", {}, answer)];
    element.querySelector(".call").replaceChildren(...parts);
    return element;
  }
}

/** One answer's way from the question to the ear: a bar to see, and the figures. */
function drawRound(element, round) {
  const box = element.querySelector(".round");
  if (!round) return;
  const marks = MARKS.filter(({ name }) => round[name] !== undefined);
  if (!marks.length) return;
  const whole = Math.max(...marks.map(({ name }) => round[name] - round.asked), 1);
  box.hidden = false;
  let before = round.asked;
  const bar = h("div", { class: "bar-of-marks", "aria-hidden": "true" });
  for (const { name, label } of marks) {
    const piece = h("span", { data: { mark: name }, title: label });
    piece.style.flexGrow = Math.max(0, round[name] - before) / whole;
    before = Math.max(before, round[name]);
    bar.append(piece);
  }
  const from = round.by === "speech" ? "from the end of speech" : "from sending";
  const figures = marks.map(({ name, label }) => h("li", { data: { mark: name } }, `${label} `, h("b", {}, ms(round[name] - round.asked))));
  box.replaceChildren(bar, h("ul", { "aria-label": `Milliseconds ${from}` }, ...figures));
}

const ms = (value) => `${Math.round(value)} ms`;
