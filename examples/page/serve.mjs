// A page in which @openai/agents-realtime talks to this server:
//
//   npm --prefix examples/page install && npm --prefix examples/page start
//
// The page gets a client secret from here, so that no key is ever in it, and everything from one origin.
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const base = process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:8000/v1';
const key = process.env.OPENAI_API_KEY ?? 'unused';
const port = Number(process.env.PORT ?? 3000);

const bundle = 'node_modules/@openai/agents-realtime/dist/bundle/';

/** Where the page's files are; nothing else is served. */
function file(path) {
  if (path === '/') return 'index.html';
  if (path === '/page.mjs') return 'page.mjs';
  if (/^\/agents\/[\w-]+\.mjs$/.test(path)) return bundle + path.slice('/agents/'.length);
  return null;
}

async function ask(path, headers, body) {
  return fetch(`${base}${path}`, { method: 'POST', headers, body });
}

async function text(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

async function answer(request, response) {
  if (request.method === 'POST' && request.url === '/secret') {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const reply = await ask('/realtime/client_secrets', headers, '{"session": {"type": "realtime"}}');
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(await reply.text());
  } else if (request.method === 'POST' && request.url === '/calls') {
    // The call itself: the offer goes on as it came, with the page's secret.
    const { authorization, 'content-type': type } = request.headers;
    const reply = await ask('/realtime/calls', { authorization, 'content-type': type }, await text(request));
    const headers = { 'content-type': reply.headers.get('content-type') };
    if (reply.headers.has('location')) headers.location = reply.headers.get('location');
    response.writeHead(reply.status, headers).end(await reply.text());
  } else if (request.method === 'GET' && file(request.url)) {
    const found = file(request.url);
    response.setHeader('content-type', found.endsWith('.html') ? 'text/html; charset=utf-8' : 'text/javascript');
    createReadStream(fileURLToPath(new URL(found, import.meta.url)))
      .on('error', () => response.writeHead(404).end('Run: npm --prefix examples/page install'))
      .pipe(response);
  } else {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    response.writeHead(502).end(`${base}: ${error.cause?.message ?? error.message}`);
  });
});
server.listen(port, '127.0.0.1', () => {
  console.log(`Open http://localhost:${server.address().port}`);
});
