// The page: one talk, and the views of it.

import { status } from "./talk/api.js";
import { load } from "./talk/settings.js";
import { Talk } from "./talk/talk.js";
import { composer } from "./views/composer.js";
import { $ } from "./views/dom.js";
import { duet } from "./views/duet.js";
import { inspector } from "./views/inspector.js";
import { keyboard } from "./views/keyboard.js";
import { notices } from "./views/notices.js";
import { panel } from "./views/panel.js";
import { settingsForm } from "./views/settings_form.js";
import { stage } from "./views/stage.js";
import { transcript } from "./views/transcript.js";
import { voices } from "./views/voices.js";

const WHILE_LOADING_MS = 2000;

const talk = new Talk(load());
stage(talk);
duet(talk);
transcript(talk);
notices(talk);
settingsForm(talk);
inspector(talk);
voices(talk);
keyboard(talk, { ...composer(talk), panel: panel() });
served();

/** Which model it is; while it is being loaded, that. */
async function served() {
  const { status: how, model, message } = await status();
  talk.model = model;
  $("served").dataset.status = how;
  $("served").textContent = how === "ready" ? model : message;
  if (how !== "ready") setTimeout(served, WHILE_LOADING_MS);
}
