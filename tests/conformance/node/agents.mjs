// @openai/agents-realtime: node agents.mjs URL. Its own session cancels, truncates and runs tools.
import { readFileSync } from 'node:fs';
import { RealtimeAgent, RealtimeSession, tool as functionTool } from '@openai/agents-realtime';
import { z } from 'zod';
import { Log, MARKUP, PATIENT_SILENCE, check, hold, recording } from './common.mjs';

const manifest = new URL('./node_modules/@openai/agents-realtime/package.json', import.meta.url);
const version = JSON.parse(readFileSync(manifest)).version;
const url = `${process.argv[2].replace('http', 'ws')}/realtime?model=gpt-realtime`;

const getTime = functionTool({
  name: 'get_time',
  description: 'The time in a city.',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `It is noon in ${city}.`,
});

async function session(talk, config = {}) {
  const agent = new RealtimeAgent({ name: 'Echo', instructions: 'Say what you are told.', tools: [getTime] });
  const realtime = new RealtimeSession(agent, { transport: 'websocket', config });
  const log = new Log();
  realtime.on('transport_event', (event) => log.add(event));
  realtime.on('error', (error) => log.add({ type: 'error', error: String(error?.error?.message ?? JSON.stringify(error)) }));
  realtime.on('audio_interrupted', () => log.add({ type: 'audio_interrupted' }));
  realtime.on('agent_tool_end', (context, agent, tool, result) => log.add({ type: 'tool_end', result }));
  await realtime.connect({ apiKey: 'any', url });
  await log.kind('session.updated');
  await talk(realtime, log);
  realtime.close();
}

function say(realtime, pcm) {
  for (let at = 0; at < pcm.length; at += 4800) {
    const part = pcm.subarray(at, at + 4800);
    realtime.sendAudio(part.buffer.slice(part.byteOffset, part.byteOffset + part.length));
  }
}

const connect = () => session(async () => {});

const spoken = () =>
  session(async (realtime, log) => {
    say(realtime, Buffer.concat([recording('question'), PATIENT_SILENCE]));
    const { response } = await log.kind('response.done');
    check(response.status === 'completed', response.status);
    check(realtime.history.some((item) => item.role === 'assistant'), 'no answer in the history');
  });

const interrupted = () =>
  session(async (realtime, log) => {
    say(realtime, Buffer.concat([recording('question'), PATIENT_SILENCE]));
    await log.kind('response.output_audio.delta');
    say(realtime, recording('question2'));
    await log.kind('audio_interrupted');
    await log.kind('conversation.item.truncated');
    const from = log.events.length;
    say(realtime, PATIENT_SILENCE);
    await log.until((event) => event.type === 'response.done' && event.response.status === 'completed', from);
  });

const tool = () =>
  session(async (realtime, log) => {
    realtime.sendMessage(MARKUP);
    const { result } = await log.kind('tool_end');
    check(result === 'It is noon in Köln.', result);
    const done = await log.kind('response.output_audio_transcript.done');
    check(done.transcript === 'It is noon in Köln.', done.transcript);
  });

const written = () =>
  session(
    async (realtime, log) => {
      realtime.sendMessage('good evening');
      const done = await log.kind('response.output_text.done');
      check(done.text === 'good evening', done.text);
    },
    { outputModalities: ['text'] },
  );

await hold(version, connect, spoken, interrupted, tool, written);
