// Tools that run in this page. Each is a definition, as the model reads it, and what it does.

import { clock } from "./clock.js";
import { light } from "./light.js";

export const TOOLS = [clock, light];

/** What a tool answers, as text; a tool that fails says why, so that the model can say it. */
export async function run(name, given) {
  const tool = TOOLS.find((one) => one.definition.name === name);
  if (!tool) return JSON.stringify({ error: `there is no tool named ${name}` });
  try {
    return JSON.stringify(await tool.run(JSON.parse(given || "{}")));
  } catch (error) {
    return JSON.stringify({ error: error.message });
  }
}
