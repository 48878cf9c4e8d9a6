// What the Node programs share: recordings, and how they tell what came of each conversation.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NAMES = ['connect', 'spoken turn', 'interruption', 'tool', 'text turn'];
const PATIENCE_MS = 40_000;
export const SILENCE = Buffer.alloc(48_000);
// Longer than semantic_vad bears where it takes a turn to be unfinished: a microphone never stops.
export const PATIENT_SILENCE = Buffer.alloc(5 * 48_000);
// Echo says what it is told, so told a call it makes it.
export const MARKUP = '<tool_call>\n{"name": "get_time", "arguments": {"city": "Köln"}}\n</tool_call>';

export function recording(name) {
  const file = readFileSync(fileURLToPath(new URL(`../../data/speech/${name}.wav`, import.meta.url)));
  return file.subarray(file.indexOf('data') + 8);
}

export function check(right, what) {
  if (!right) throw new Error(what);
}

/** Keeps all events; `until` waits for one since `from`. An event that `wrong` names is a failure. */
export class Log {
  events = [];
  #waiting = [];

  add(event) {
    this.events.push(event);
    this.#waiting = this.#waiting.filter((one) => !one());
  }

  until(wanted, from = 0) {
    return new Promise((resolve, reject) => {
      const look = () => {
        for (const event of this.events.slice(from)) {
          if (event.type === 'error') {
            reject(new Error(`error event: ${JSON.stringify(event.error)}`));
            return true;
          }
          if (wanted(event)) {
            resolve(event);
            return true;
          }
        }
        return false;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  kind(type, from = 0) {
    return this.until((event) => event.type === type, from);
  }
}

export async function hold(version, ...conversations) {
  const results = {};
  for (const [index, conversation] of conversations.entries()) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('it took too long')), PATIENCE_MS);
    });
    try {
      await Promise.race([conversation(), late]);
      results[NAMES[index]] = null;
    } catch (error) {
      results[NAMES[index]] = String(error?.stack ?? error).slice(0, 300);
    }
    clearTimeout(timer);
  }
  console.log(JSON.stringify({ version, results }));
  process.exit(0);
}
