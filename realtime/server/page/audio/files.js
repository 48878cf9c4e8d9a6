// Recordings as files: read any that the browser can, write WAV.

import { RATE, toPcm } from "./formats.js";

/** A file's sound, mono at 24 kHz. Rejects with an error that says so where it is none. */
export async function readSound(file) {
  const context = new OfflineAudioContext(1, 1, RATE);
  let sound;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} cannot be read as sound. Use a WAV, MP3, FLAC, OGG or M4A file.`);
  }
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  return channels[0].map((_, i) => channels.reduce((sum, one) => sum + one[i], 0) / channels.length);
}

export function joined(pieces) {
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Samples as a WAV file, PCM16 mono at 24 kHz. */
export function toWav(samples) {
  const pcm = toPcm(samples);
  const head = new DataView(new ArrayBuffer(44));
  const write = (at, text) => [...text].forEach((one, i) => head.setUint8(at + i, one.charCodeAt(0)));
  write(0, "RIFF");
  head.setUint32(4, 36 + pcm.length, true);
  write(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, RATE, true);
  head.setUint32(28, RATE * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  write(36, "data");
  head.setUint32(40, pcm.length, true);
  return new Blob([head, pcm], { type: "audio/wav" });
}
