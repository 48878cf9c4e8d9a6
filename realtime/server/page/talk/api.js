// The server's HTTP routes, with the key if there is one.

import { explained, ServerError } from "./errors.js";

const KEPT = "chroma-realtime.key";
const BASE = new URL("../..", import.meta.url); // The page may lie under a path of a proxy's.

export const at = (path) => new URL(path, BASE);

// Kept as long as the tab, no longer: it is a key.
export const key = {
  get: () => sessionStorage.getItem(KEPT) ?? "",
  set: (value) => sessionStorage.setItem(KEPT, value.trim()),
};

async function ask(path, { json, form, method = json || form ? "POST" : "GET" } = {}) {
  const headers = key.get() ? { Authorization: `Bearer ${key.get()}` } : {};
  if (json) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(at(path), { method, headers, body: json ? JSON.stringify(json) : form });
  } catch {
    throw new ServerError({ code: "unreachable", message: "The server does not answer." });
  }
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({}));
  throw new ServerError(error ?? { code: `http_${answer.status}`, message: `The server answered ${answer.status}.` });
}

/** {status, model, message}: what is served, and whether it is loaded. */
export async function status() {
  const answer = await fetch(at("ready")).catch(() => null);
  if (!answer) return { status: "unreachable", message: explained("unreachable").advice };
  return answer.json();
}

export const voices = async () => (await (await ask("v1/audio/voices")).json()).data;

export async function addVoice({ name, file, transcript, consent }) {
  const form = new FormData();
  form.append("file", file, "sample.wav");
  for (const [field, value] of Object.entries({ name, transcript, consent })) form.append(field, value);
  return (await ask("v1/audio/voices", { form })).json();
}

export const removeVoice = (name) => ask(`v1/audio/voices/${encodeURIComponent(name)}`, { method: "DELETE" });

/** What a recording says, in the model's own ears. */
export async function transcribe(file) {
  const form = new FormData();
  form.append("file", file, "recording.wav");
  return (await (await ask("v1/audio/transcriptions", { form })).json()).text;
}

/** Words in a voice, as a stream of PCM16 at 24 kHz. */
export async function speak(input, voice) {
  return (await ask("v1/audio/speech", { json: { input, voice, response_format: "pcm" } })).body;
}

/** A key that expires, made with the real one: what a WebSocket carries may end up in somebody's log. */
export async function clientSecret() {
  return (await (await ask("v1/realtime/client_secrets", { json: {} })).json()).value;
}
