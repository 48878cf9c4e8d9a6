// What is going on, at a glance. Two may be true at once; what the person waits for goes first.

/**
 * @param {{phase: "off" | "connecting" | "on", microphone: boolean, muted: boolean, push: boolean,
 *   hearing: boolean, answering: boolean, playing: boolean}} facts
 */
export function stateOf({ phase, microphone, muted, push, hearing, answering, playing }) {
  if (phase === "off") return { name: "off", label: "Not connected" };
  if (phase === "connecting") return { name: "connecting", label: "Connecting" };
  if (hearing) return { name: "hearing", label: "Hearing you" };
  if (playing) return { name: "speaking", label: "Speaking" };
  if (answering) return { name: "thinking", label: "Thinking" };
  if (!microphone) return { name: "ready", label: "Ready" };
  if (push) return { name: "ready", label: "Hold to talk" };
  if (muted) return { name: "muted", label: "Muted" };
  return { name: "listening", label: "Listening" };
}
