// What went wrong, in words that say what to do.

/** An error of the server's: `code` and `message` as the protocol has them. */
export class ServerError extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

const KNOWN = {
  NotAllowedError: {
    title: "The microphone is blocked",
    advice:
      "Allow it in the site settings beside the address, then press Talk again." +
      " Until then you can type, or drop a recording.",
  },
  NotFoundError: {
    title: "No microphone was found",
    advice: "Plug one in and press Talk again, or type, or drop a recording.",
  },
  NotReadableError: {
    title: "The microphone is taken",
    advice: "Another program holds it. Close that, then press Talk again, or type.",
  },
  SecurityError: {
    title: "No microphone on this address",
    advice:
      "Browsers lend it to https:// and to localhost alone: start the server with --ssl-certfile and" +
      " --ssl-keyfile, or reach it through 'ssh -L 8000:localhost:8000 HOST'. Typing works as it is.",
  },
  invalid_api_key: {
    title: "This server wants a key",
    advice: "Enter the one you were given. Whoever runs the server makes them with 'chroma-realtime key NAME'.",
    act: "key",
  },
  session_limit_reached: {
    title: "The server is full",
    advice: "All its sessions are taken. Try again in a moment.",
    act: "again",
  },
  engine_full: {
    title: "Too many answers at once",
    advice: "The server speaks to as many people as it can. Say it again in a moment.",
  },
  engine_not_ready: {
    title: "The model is not ready",
    advice: "It is still being loaded. Try again in a moment.",
    act: "again",
  },
  rate_limit_exceeded: { title: "This key has used its share", advice: "" },
  origin_not_allowed: {
    title: "This address may not come in",
    advice:
      "Start the server with --origin and this page's address, or let the proxy before it pass the Host" +
      " header on.",
  },
  server_stopping: { title: "The server is stopping", advice: "Connect again when it is back.", act: "again" },
  session_idle: { title: "Nobody has said anything for long", advice: "Connect again to go on.", act: "again" },
  conversation_full: {
    title: "The conversation is as long as it may be",
    advice: "Reload this page to begin another.",
  },
  session_expired: { title: "The session has reached its longest", advice: "Connect again to go on.", act: "again" },
  unreachable: {
    title: "The server does not answer",
    advice: "See whether it runs, and whether this machine can reach it.",
    act: "again",
  },
  connection_lost: {
    title: "The connection was lost",
    advice: "Connect again: the conversation goes on where it was.",
    act: "again",
  },
};

/** {title, advice, act} of a code of the server's, or the name of an error of the browser's. */
export function explained(code, message = "") {
  const known = KNOWN[code];
  if (!known) return { title: "That did not work", advice: message || code };
  // Where the server knows more (how many sessions, how many seconds), it says it better.
  if (known.act === "key") return { ...known, advice: `${message} ${known.advice}`.trim() };
  const [said] = message.match(/^[^']*\d[^']*$/) ?? [];
  return { ...known, advice: said ?? (known.advice || message) };
}

export const explain = (error) => explained(error.code && typeof error.code === "string" ? error.code : error.name, error.message);
