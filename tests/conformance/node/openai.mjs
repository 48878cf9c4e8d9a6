// The openai package: node openai.mjs URL. It speaks wss alone, so the server has a certificate of its own.
import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { Log, MARKUP, SILENCE, check, hold, recording } from './common.mjs';

const version = JSON.parse(readFileSync(new URL('./node_modules/openai/package.json', import.meta.url))).version;
const VAD = { type: 'server_vad', silence_duration_ms: 400 };
const TOOL = {
  type: 'function',
  name: 'get_time',
  description: 'The time in a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

async function session(talk, settings = {}) {
  const client = new OpenAI({ apiKey: 'any', baseURL: process.argv[2] });
  const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime' }, client);
  const log = new Log();
  realtime.on('event', (event) => log.add(event));
  realtime.on('error', (error) => log.add({ type: 'error', error: error.error ?? String(error) }));
  await log.kind('session.created');
  realtime.send({
    type: 'session.update',
    session: { type: 'realtime', audio: { input: { turn_detection: VAD } }, ...settings },
  });
  await log.kind('session.updated');
  await talk(realtime, log);
  realtime.close();
}

function say(realtime, pcm) {
  for (let at = 0; at < pcm.length; at += 1920) {
    realtime.send({ type: 'input_audio_buffer.append', audio: pcm.subarray(at, at + 1920).toString('base64') });
  }
}

function write(realtime, text) {
  const content = [{ type: 'input_text', text }];
  realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
  realtime.send({ type: 'response.create' });
}

const connect = () => session(async () => {});

const spoken = () =>
  session(async (realtime, log) => {
    say(realtime, Buffer.concat([recording('question'), SILENCE]));
    const { response } = await log.kind('response.done');
    check(response.status === 'completed', response.status);
    check(log.events.filter((event) => event.type === 'response.output_audio.delta').length > 20, 'little sound');
  });

const interrupted = () =>
  session(async (realtime, log) => {
    say(realtime, Buffer.concat([recording('question'), SILENCE]));
    const { item_id } = await log.kind('response.output_audio.delta');
    say(realtime, recording('question2'));
    const { response } = await log.kind('response.done');
    check(response.status_details?.reason === 'turn_detected', JSON.stringify(response.status_details));
    realtime.send({ type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: 80 });
    await log.kind('conversation.item.truncated');
    const from = log.events.length;
    say(realtime, SILENCE);
    check((await log.kind('response.done', from)).response.status === 'completed', 'the next turn');
  });

const tool = () =>
  session(
    async (realtime, log) => {
      write(realtime, MARKUP);
      const { response } = await log.kind('response.done');
      const call = response.output.find((item) => item.type === 'function_call');
      check(JSON.parse(call.arguments).city === 'Köln', call.arguments);
      const from = log.events.length;
      const item = { type: 'function_call_output', call_id: call.call_id, output: 'It is noon.' };
      realtime.send({ type: 'conversation.item.create', item });
      realtime.send({ type: 'response.create' });
      const done = await log.kind('response.done', from);
      check(done.response.output[0].content[0].transcript === 'It is noon.', 'the answer');
    },
    { tools: [TOOL] },
  );

const written = () =>
  session(
    async (realtime, log) => {
      write(realtime, 'good evening');
      const { response } = await log.kind('response.done');
      check(response.output[0].content[0].text === 'good evening', 'the answer');
    },
    { output_modalities: ['text'] },
  );

await hold(version, connect, spoken, interrupted, tool, written);
