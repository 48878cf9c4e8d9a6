// One WebSocket to the server, in the protocol's JSON. Everything that passes is shown to `passed`.

import { at, clientSecret, key } from "./api.js";
import { ServerError } from "./errors.js";

export class Connection {
  #socket;
  #sent = 0;
  #passed;

  /**
   * Resolves with an open session; rejects with a ServerError where the server says why there is none.
   *
   * @param {{passed: (from: "client" | "server", event: object) => void, closed: () => void}} listener
   */
  static async open({ passed, closed }) {
    const connection = new Connection();
    connection.#passed = passed;
    connection.#socket = new WebSocket(address(), await subprotocols());
    await connection.#begin(closed);
    return connection;
  }

  send(event) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const sent = { event_id: `page_${(this.#sent += 1)}`, ...event };
    this.#socket.send(JSON.stringify(sent));
    this.#passed("client", sent);
  }

  close() {
    this.#socket.onclose = null;
    this.#socket.onmessage = null;
    this.#socket.close(1000);
  }

  #begin(closed) {
    return new Promise((opened, failed) => {
      let why = null;
      this.#socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.type === "session.created") {
          this.#socket.onclose = closed;
          this.#socket.onmessage = (message) => this.#passed("server", JSON.parse(message.data));
          opened();
        } else if (event.type === "error") {
          why = new ServerError(event.error);
        }
        this.#passed("server", event);
      };
      this.#socket.onclose = () => (why ? failed(why) : refused().catch(failed));
    });
  }
}

/** A browser is not told why a WebSocket was refused before it was open; why a request is, it is. */
async function refused() {
  if (!key.get().startsWith("ek_")) await clientSecret();
  throw new ServerError({ code: "unreachable", message: "The server does not answer." });
}

function address() {
  const url = at("v1/realtime?model=chroma");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** A browser cannot set a header on a WebSocket: a key travels as a subprotocol. */
async function subprotocols() {
  const given = key.get();
  if (!given) return ["realtime"];
  const shown = given.startsWith("ek_") ? given : await clientSecret();
  return ["realtime", `openai-insecure-api-key.${shown}`];
}
