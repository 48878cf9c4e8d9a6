import { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';

const button = document.getElementById('talk');
const state = document.getElementById('state');
const list = document.getElementById('history');
let session = null;

const getTime = tool({
  name: 'get_time',
  description: 'The time of day here.',
  strict: false,
  parameters: { type: 'object', properties: {}, required: [], additionalProperties: true },
  execute: async () => `It is ${new Date().toLocaleTimeString()}.`,
});

function tell(words, wrong = false) {
  state.textContent = words;
  state.className = wrong ? 'error' : '';
}

function show(history) {
  const lines = history
    .filter((item) => item.type === 'message' && item.role !== 'system')
    .map((item) => {
      const line = document.createElement('li');
      line.dataset.role = item.role;
      line.textContent = `${item.role}: ${item.content.map((part) => part.transcript ?? part.text ?? '…').join('')}`;
      return line;
    });
  list.replaceChildren(...lines);
}

async function start() {
  const reply = await fetch('/secret', { method: 'POST' });
  if (!reply.ok) throw new Error(await reply.text());
  const { value } = await reply.json();
  const agent = new RealtimeAgent({ name: 'Guide', instructions: 'Answer in one sentence.', tools: [getTime] });
  // The microphone and the loudspeaker are the transport's; only its address is ours.
  const transport = new OpenAIRealtimeWebRTC({ baseUrl: `${location.origin}/calls` });
  session = new RealtimeSession(agent, { transport, model: 'chroma' });
  session.on('history_updated', show);
  session.on('audio_start', () => tell('It speaks; speak too and it stops.'));
  session.on('audio_stopped', () => tell('It listens.'));
  session.on('audio_interrupted', () => tell('It listens.'));
  session.on('error', ({ error }) => {
    tell(error?.error?.message || error?.message || 'Something went wrong.', true);
  });
  await session.connect({ apiKey: value });
  tell('It listens.');
}

button.addEventListener('click', async () => {
  if (session) {
    session.close();
    session = null;
    button.textContent = 'Start';
    tell('Ended.');
    return;
  }
  button.disabled = true;
  try {
    await start();
    button.textContent = 'End';
  } catch (error) {
    session = null;
    tell(error.message, true);
  }
  button.disabled = false;
});
