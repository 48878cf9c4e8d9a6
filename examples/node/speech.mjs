// Speech in, speech out, with the openai package for Node: node examples/node/speech.mjs [QUESTION.wav] [ANSWER.wav]
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const RATE = 24_000;
const CHUNK_MS = 40;
const baseURL = process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:8000/v1';
const question = process.argv[2] ?? fileURLToPath(new URL('../question.wav', import.meta.url));
const answer = process.argv[3] ?? 'answer.wav';

/** The samples of a PCM16 mono file at 24 kHz. */
function samples(file) {
  const bytes = readFileSync(file);
  return bytes.subarray(bytes.indexOf('data') + 8);
}

/** The same, as a file. */
function wav(pcm) {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + pcm.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([header, pcm]);
}

// The package always asks for wss://. A server without a certificate is reached by giving it a plain socket.
const options = baseURL.startsWith('http:') ? { createConnection: ({ host, port }) => net.connect(port, host) } : {};
const client = new OpenAI({ apiKey: process.env.OPENAI_API_KEY ?? 'unused', baseURL });
const realtime = new OpenAIRealtimeWS({ model: 'chroma', options }, client);

const sound = [];
let microphone;

realtime.on('session.created', () => {
  realtime.send({
    type: 'session.update',
    session: { type: 'realtime', audio: { input: { turn_detection: { type: 'server_vad' } } } },
  });
  // As a microphone: the recording at the pace at which it was spoken, then silence.
  const pcm = samples(question);
  const step = (RATE * 2 * CHUNK_MS) / 1000;
  let at = 0;
  microphone = setInterval(() => {
    const chunk = at < pcm.length ? pcm.subarray(at, at + step) : Buffer.alloc(step);
    at += step;
    realtime.send({ type: 'input_audio_buffer.append', audio: chunk.toString('base64') });
  }, CHUNK_MS);
});
realtime.on('response.output_audio_transcript.delta', ({ delta }) => process.stdout.write(delta));
realtime.on('response.output_audio.delta', ({ delta }) => sound.push(Buffer.from(delta, 'base64')));
realtime.on('response.done', () => {
  clearInterval(microphone);
  const pcm = Buffer.concat(sound);
  writeFileSync(answer, wav(pcm));
  console.log(`\n${(pcm.length / 2 / RATE).toFixed(1)} s of speech are in ${answer}.`);
  realtime.close();
});
realtime.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
