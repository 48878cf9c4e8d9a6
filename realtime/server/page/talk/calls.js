// Tools that the model calls: each is run as soon as it is asked for; when the response is over, all answers
// go back, and the model speaks on.

import { run } from "../tools/tools.js";

export class Calls {
  #running = new Map(); // response → promises of items.

  take({ response_id: response, item }) {
    if (item.type !== "function_call" || item.status !== "completed") return;
    const answer = run(item.name, item.arguments).then((output) => ({
      type: "function_call_output",
      call_id: item.call_id,
      output,
    }));
    this.#running.set(response, [...(this.#running.get(response) ?? []), answer]);
  }

  /** The items that answer a response's calls. */
  async answers(response) {
    const running = this.#running.get(response) ?? [];
    this.#running.delete(response);
    return Promise.all(running);
  }
}
