// Both voices on one axis, the last twelve seconds: two inks, which mix where both speak at once. The wait
// between the end of a question and the first sound of its answer is drawn as what it is, a length.

import { peakOf } from "../talk/hearing.js";
import { total } from "../talk/latency.js";
import { $ } from "./dom.js";

const SECONDS = 12;
const STEP = 40; // Milliseconds of a bar.
const LEVEL = 20; // Milliseconds that the loudspeaker's levels are apart.
const DRIFT = 200; // Milliseconds by which sound may come out of step with the clock before it is put right.
const BAR = 0.62; // Of a step: the rest is air.

export function duet(talk) {
  const canvas = $("duet");
  const ink = canvas.getContext("2d");
  const bars = { you: [], model: [] }; // {at, peak}
  const heardTo = { you: 0, model: 0 }; // Up to when each was heard: sound keeps better time than its news.
  const waits = []; // Rounds that were heard.
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let colours = read();
  let last = 0;

  talk.addEventListener("heard", ({ detail }) => note("you", peakOf(detail.samples), STEP));
  talk.addEventListener("level", ({ detail }) => note("model", detail.peak, LEVEL));
  talk.addEventListener("round", ({ detail: { round } }) => {
    if (round?.heard !== undefined && !waits.includes(round)) waits.push(round);
  });
  for (const [target, type] of [[document, "theme"], [matchMedia("(prefers-color-scheme: dark)"), "change"]]) {
    target.addEventListener(type, () => {
      colours = read();
      wake();
    });
  }
  talk.addEventListener("state", wake);
  let awake = false;
  wake();

  function read() {
    const style = getComputedStyle(document.documentElement);
    const names = ["you", "model", "ink", "soft", "line", "blend"];
    return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function note(who, peak, length) {
    const now = performance.now();
    heardTo[who] += length;
    if (Math.abs(heardTo[who] - now) > DRIFT) heardTo[who] = now;
    const at = Math.floor(heardTo[who] / STEP) * STEP;
    const list = bars[who];
    const last = list.at(-1);
    // News that comes late all at once goes back in time: no bar lies on another of its own ink.
    if (last && last.at >= at) last.peak = Math.max(last.peak, peak);
    else list.push({ at, peak });
    wake();
    while (list[0].at < at - (SECONDS + 1) * 1000) list.shift();
  }

  /** Draws on until all is quiet and has left the picture. */
  function wake() {
    if (awake) return;
    awake = true;
    requestAnimationFrame(frame);
  }

  function frame(now) {
    const newest = Math.max(bars.you.at(-1)?.at ?? 0, bars.model.at(-1)?.at ?? 0);
    awake = talk.phase !== "off" || newest > now - SECONDS * 1000;
    if (awake) requestAnimationFrame(frame);
    if (calm.matches && now - last < 250) return;
    last = now;
    draw(now);
  }

  function draw(now) {
    const scale = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    ink.setTransform(scale, 0, 0, scale, 0, 0);
    ink.clearRect(0, 0, width, height);
    const place = (at) => width - ((now - at) / 1000) * (width / SECONDS);
    const middle = height / 2;
    ink.globalCompositeOperation = "source-over";
    ink.fillStyle = colours.line;
    ink.fillRect(0, middle - 0.5, width, 1);
    ink.globalCompositeOperation = colours.blend;
    voice(bars.you, colours.you);
    voice(bars.model, colours.model);
    ink.globalCompositeOperation = "source-over";
    for (const round of waits) wait(round);

    function voice(list, colour) {
      ink.fillStyle = colour;
      const step = (STEP / 1000) * (width / SECONDS);
      for (const { at, peak } of list) {
        const half = Math.sqrt(Math.min(1, peak)) * (middle - 18); // Loudness is felt as a root.
        if (half < 0.7) continue;
        ink.beginPath();
        ink.roundRect(place(at), middle - half, Math.max(1, step * BAR), half * 2, 2);
        ink.fill();
      }
    }

    function wait(round) {
      const [from, to] = [place(round.asked), place(round.heard)];
      if (to < -80) return;
      ink.fillStyle = ink.strokeStyle = colours.ink;
      ink.lineWidth = 1;
      ink.beginPath();
      for (const x of [from, to]) {
        ink.moveTo(x, height - 14);
        ink.lineTo(x, height - 6);
      }
      ink.moveTo(from, height - 10);
      ink.lineTo(to, height - 10);
      ink.stroke();
      ink.font = `500 11px ${getComputedStyle(canvas).fontFamily}`;
      ink.textBaseline = "middle";
      ink.fillText(`${Math.round(total(round))} ms`, to + 6, height - 9.5);
    }
  }
}
