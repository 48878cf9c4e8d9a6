// The session's sound formats to and from what the page works with: float samples, mono at 24 kHz.

import { LAWS } from "./g711.js";
import { Resampler } from "./resample.js";

export const RATE = 24_000;
const TELEPHONE_RATE = 8_000;

const toInt16 = (sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_767)));

/** Samples to PCM16, little-endian. */
export function toPcm(samples) {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, i) => view.setInt16(i * 2, toInt16(sample), true));
  return new Uint8Array(view.buffer);
}

export function fromPcm(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(i * 2, true) / 32_768);
}

/** A function from samples to bytes, for one stream of sound. */
export function encoder(format) {
  const law = LAWS[format];
  if (!law) return toPcm;
  const resampler = new Resampler(RATE, TELEPHONE_RATE);
  return (samples) => Uint8Array.from(resampler.add(samples), (sample) => law.encode(toInt16(sample)));
}

/** A function from bytes to samples, for one stream of sound. */
export function decoder(format) {
  const law = LAWS[format];
  if (!law) return fromPcm;
  const resampler = new Resampler(TELEPHONE_RATE, RATE);
  return (bytes) => resampler.add(Float32Array.from(bytes, (byte) => law.decoded[byte] / 32_768));
}

/** Seconds of sound in so many characters of base64. */
export function secondsOf(base64, format) {
  const bytes = Math.floor((base64.length * 3) / 4) - (base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0);
  return bytes / (LAWS[format] ? TELEPHONE_RATE : RATE * 2);
}

const CHUNK = 0x8000; // More arguments than this, and String.fromCharCode overflows the stack.

export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
