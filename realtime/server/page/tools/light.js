// The page's own light: something that can be seen to happen.

import { setTheme } from "../views/theme.js";

const THEMES = ["light", "dark", "system"];

export const light = {
  title: "Light switch",
  about: "“It's too bright in here.” The page turns dark.",
  definition: {
    type: "function",
    name: "set_light",
    description: "Makes the page in front of the user light or dark.",
    parameters: {
      type: "object",
      properties: { theme: { type: "string", enum: THEMES } },
      required: ["theme"],
    },
  },
  run({ theme }) {
    if (!THEMES.includes(theme)) throw new Error(`theme has to be one of ${THEMES.join(", ")}`);
    setTheme(theme);
    return { theme };
  },
};
