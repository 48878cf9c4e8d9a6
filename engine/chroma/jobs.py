"""From a request to what the frame loop and the Reasoner are asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import Future

from engine.api import SAMPLE_RATE, Audio, EngineError, Message, Reference, Request, Text
from engine.chroma.ears import Ears
from engine.chroma.hearing import joined
from engine.chroma.llama import KvPool
from engine.chroma.model import ChromaModel
from engine.chroma.reasoner import ReasonerPrompt
from engine.chroma.speaker import Sampling
from engine.chroma.voices import VoicePrompts
from engine.fitting import fit
from engine.runtime.job import Job
from engine.settings import EngineSettings
from engine.tool_calls import forced_text
from engine.voices.store import StoredVoice

_COMMON_ANSWER = 512
"""Tokens of text that a long answer takes."""
_TRIAL_WORDS = 20
_FREELY = 100.0
"""A temperature at which every code that may be drawn at all is as likely as any other."""
_TURN_QUESTION = (
    "You hear somebody speak. Has the speaker finished, so that it is your turn to answer, or will the"
    " speaker go on? Say Yes for finished, No for going on."
)
_YES, _NO = ("Yes", "yes", " Yes", " yes"), ("No", "no", " No", " no")


class Jobs:
    """Makes jobs of requests. All of it belongs to the engine's thread."""

    def __init__(
        self, settings: EngineSettings, chroma: ChromaModel, ears: Ears, prompts: VoicePrompts
    ) -> None:
        self._settings, self._chroma, self._ears, self._prompts = settings, chroma, ears, prompts

    def make(self, request: Request, voice: StoredVoice | Reference | None) -> tuple[Job, int]:
        """The job of a request, and how many of its messages the model is not shown.

        Raises:
            EngineError: `transcription_unsupported`; what `fit` and `VoicePrompts` raise.
        """
        settings, chroma = self._settings, self._chroma
        if request.transcribe is not None and not chroma.prompt.follows_instructions:
            message = (
                "this model follows no instructions, so it writes nothing down: start the server with"
                " --transcriber whisper:ID and name that model as transcription.model"
            )
            raise EngineError("transcription_unsupported", message)
        sounds = {sound.id: self._ears.hear(sound) for sound in request.sounds()}

        def ids_of(messages: Sequence[Message]) -> list[int]:
            return chroma.prompt(messages, lambda sound: len(sounds[sound.id].rows), request.tools)

        context = chroma.reasoner.context
        # Room for the answer: what it may take, or as much as an answer commonly does.
        room = context - min(request.max_tokens or _COMMON_ANSWER, context // 4)
        fitted = fit(request.messages, request.truncation, room, lambda part: len(ids_of(part)))
        shown = [part for message in fitted.messages for part in message.parts]
        heard = [sounds[part.id] for part in shown if isinstance(part, Audio)]
        sound = joined(heard) if heard else None
        temperature = settings.temperature if request.temperature is None else request.temperature
        seed = random.getrandbits(63) if request.seed is None else request.seed
        top_p = 1.0 if request.top_p is None else request.top_p
        forced = chroma.prompt.markup(forced_text(request.tool_choice))
        if request.say is not None:
            forced = [*chroma.prompt.plain(request.say), chroma.config.im_end]
        prompt = ReasonerPrompt(
            ids_of(fitted.messages),
            sound.rows if sound else None,
            chroma.config.im_end,
            tuple(forced),
            sound.marks if sound else (),
            request.max_tokens,
        )
        job = Job(
            id=request.id,
            prompt=prompt,
            voice=self._prompts.of(voice),
            sampling=Sampling(temperature, seed, top_p),
            max_frames=max(1, int(settings.max_seconds * SAMPLE_RATE / chroma.config.samples_per_frame)),
            max_tokens=request.max_tokens,
        )
        return job, fitted.left_out

    def trial(self, voice: KvPool, slots: int) -> Job:
        """An answer by which the machine's speed is measured: it counts for as long as it takes so many of
        them to begin, and some time more."""
        prompt = self._chroma.prompt
        frames = len(prompt.plain("one two three four ")) * (_TRIAL_WORDS + slots)
        # Whatever it says, nothing ends it: not its text, and drawn so freely, not its frames.
        counting = ReasonerPrompt(prompt.plain("Count."), None, im_end=-1, most=frames)
        return Job("trial", counting, voice, Sampling(_FREELY, 0), max_frames=frames)

    def judge(self, audio: Audio) -> Future[float]:
        """Probability that whoever speaks in this sound has said all there is to say.

        Raises EngineError (`no_turn_model`) where the model does not do as it is told."""
        chroma = self._chroma
        if not chroma.prompt.follows_instructions:
            raise EngineError("no_turn_model", "this model follows no instructions, so it judges no turns")
        sound = chroma.hearing.hear_pcm(audio.pcm)
        messages = (Message("system", (Text(_TURN_QUESTION),)), Message("user", (audio,)))
        ids = chroma.prompt(messages, lambda _: len(sound))
        prompt = ReasonerPrompt(ids, sound, chroma.config.im_end)
        return chroma.reasoner.weigh(prompt, *(self._first_tokens(words) for words in (_YES, _NO)))

    def _first_tokens(self, words: Sequence[str]) -> list[int]:
        return sorted({self._chroma.prompt.markup(word)[0] for word in words})
