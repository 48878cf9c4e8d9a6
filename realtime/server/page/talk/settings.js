// What a person may set, and how a session spells it.

import { TOOLS } from "../tools/tools.js";

export const DEFAULTS = {
  turns: "server_vad", // or "semantic_vad", or "push": the speaker holds a key.
  threshold: 0.5,
  silence_ms: 500,
  padding_ms: 300,
  eagerness: "auto",
  interrupt: true,
  interrupt_after_ms: 0,
  instructions: "",
  tools: [],
  output: "audio",
  format: "audio/pcm",
  speed: 1,
  voice: "",
  clean: true, // The browser takes echo and noise out of the microphone's sound.
};

/** The `session` of a session.update. */
export function sessionOf(settings) {
  const format = settings.format === "audio/pcm" ? { type: "audio/pcm", rate: 24_000 } : { type: settings.format };
  const output = { format, speed: settings.speed };
  if (settings.voice) output.voice = settings.voice;
  return {
    type: "realtime",
    output_modalities: [settings.output],
    instructions: settings.instructions,
    tools: TOOLS.filter((tool) => settings.tools.includes(tool.definition.name)).map((tool) => tool.definition),
    audio: {
      input: { format, transcription: { model: "chroma" }, turn_detection: turnDetection(settings) },
      output,
    },
  };
}

function turnDetection(settings) {
  if (settings.turns === "push") return null;
  const both = {
    type: settings.turns,
    interrupt_response: settings.interrupt,
    interrupt_after_ms: settings.interrupt_after_ms,
  };
  if (settings.turns === "semantic_vad") return { ...both, eagerness: settings.eagerness };
  return {
    ...both,
    threshold: settings.threshold,
    silence_duration_ms: settings.silence_ms,
    prefix_padding_ms: settings.padding_ms,
  };
}

const STORED = "chroma-realtime.settings";

/** The settings of the last visit. */
export function load() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(STORED) ?? "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

export function save(settings) {
  try {
    localStorage.setItem(STORED, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing: they hold for this visit.
  }
}
