"""How well nano's speech is understood: the word error rate of an independent recogniser.

The words are not the Reasoner's to choose here: it is given a typed question of the held-out wordings and
made to say the right answer, so what is measured is the voice alone. Beside it stand espeak-ng, which nano
learned from; its speech through nano's codec and back; and nano's speech held against other sentences.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engine.chroma.mimi import encode
from engine.chroma.model import ChromaModel
from training.corpus.build import LONGEST_ANSWER, SPOKEN_RATE
from training.corpus.synthesis import speak_all
from training.corpus.voices import OWN_VOICES
from training.evaluate.nano import Nano
from training.evaluate.recogniser import Recogniser
from training.evaluate.turns import in_writing, offered, up_to, used
from training.evaluate.wer import error_rate, words
from training.world.conversation import converse
from training.world.exchange import Conversation

_SPARE = int(0.1 * SPOKEN_RATE)
_SHOWN = 20
_TUNED_ON, _TUNING_SEED = 64, 9_012


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence as nano says it and as espeak-ng does: float32 [samples] at 24 kHz each."""

    voice: str
    text: str
    nano: np.ndarray
    espeak: np.ndarray
    cut: bool
    """Nano did not come to an end by itself."""


def fresh(count: int, seed: int) -> list[Conversation]:
    """Conversations in held-out wordings that end with different answers."""
    rng = random.Random(seed)
    made: dict[str, Conversation] = {}
    while len(made) < count:
        conversation = converse(rng, rng.choice((1, 1, 1, 2)), held_out=True)
        text = conversation.exchanges[-1].answer
        if len(text) <= LONGEST_ANSWER:
            made.setdefault(text, conversation)
    return list(made.values())


def utterances(nano: Nano, conversations: Sequence[Conversation], seed: int = 0) -> list[Utterance]:
    """The last answer of each conversation, in each of the checkpoint's voices."""
    made = []
    texts = [each.exchanges[-1].answer for each in conversations]
    for voice in nano.voices:
        if voice not in OWN_VOICES:
            raise ValueError(f"voice {voice} is none of nano's own: {', '.join(OWN_VOICES)}")
        taught, _ = speak_all([(text, OWN_VOICES[voice]) for text in texts], SPOKEN_RATE)
        rng = random.Random(seed)
        for index, (conversation, text) in enumerate(zip(conversations, texts, strict=True)):
            turn = len(conversation.exchanges) - 1
            messages = up_to(conversation, turn, in_writing(conversation, rng))
            if use := conversation.exchanges[turn].use:
                messages += used(use)
            answer = nano.answer(
                messages, {}, offered(conversation), voice=voice, say=text, seed=seed + index
            )
            made.append(Utterance(voice, text, answer.sound, taught[index], answer.reason != "completed"))
    return made


def through_codec(chroma: ChromaModel, sound: np.ndarray) -> np.ndarray:
    """A sound as codes and back."""
    padded = torch.from_numpy(np.pad(sound, (_SPARE, _SPARE)))
    codes = encode(chroma.speaker.mimi, padded, chroma.config.codebooks)
    with torch.inference_mode():
        decoded = chroma.speaker.mimi.decode(codes.T[None]).audio_values
    return decoded[0, 0].numpy()


def word_errors(
    nano: Nano, made: Sequence[Utterance], recognise: Recogniser, trained: frozenset[str]
) -> dict[str, Any]:
    """Word error rates, by voice and of all.

    Args:
        trained: sentences that nano has been taught to say in some voice; the others are judged apart too.
    """
    voices = sorted({utterance.voice for utterance in made})
    texts = {utterance.text for utterance in made}
    stretches = {voice: _stretch(recognise, voice, texts) for voice in voices}
    judged = []
    for utterance in made:
        if not recognise.covers(utterance.text):
            continue
        wanted = words(utterance.text)
        stretch = stretches[utterance.voice]
        heard = {
            "nano": recognise(utterance.nano, stretch),
            "espeak": recognise(utterance.espeak, stretch),
            "codec": recognise(through_codec(nano.chroma, utterance.espeak), stretch),
        }
        judged.append((utterance, wanted, heard))
    groups = {voice: [each for each in judged if each[0].voice == voice] for voice in voices}
    groups["all"] = judged
    groups["new sentences"] = [each for each in judged if each[0].text not in trained]
    worst = [
        {"voice": utterance.voice, "wanted": " ".join(wanted), "got": " ".join(heard["nano"])}
        for utterance, wanted, heard in judged
        if heard["nano"] != wanted
    ]
    step = max(1, len(worst) // _SHOWN)
    return {
        "left out": len(made) - len(judged),
        "stretch": stretches,
        "voices": {name: _rates(group) for name, group in groups.items() if group},
        "misheard": worst[::step][:_SHOWN],
    }


def _stretch(recognise: Recogniser, voice: str, judged: Collection[str]) -> float:
    """How the recogniser hears a voice best, by what espeak-ng says with it that is not judged."""
    some = [each.exchanges[-1].answer for each in fresh(4 * _TUNED_ON, _TUNING_SEED)]
    texts = [text for text in some if text not in judged and recognise.covers(text)][:_TUNED_ON]
    sounds, _ = speak_all([(text, OWN_VOICES[voice]) for text in texts], SPOKEN_RATE)
    return recognise.best_stretch(sounds, texts)


def _rates(group: list[tuple[Utterance, list[str], dict[str, list[str]]]]) -> dict[str, Any]:
    rates: dict[str, Any] = {"n": len(group), "cut": sum(utterance.cut for utterance, _, _ in group)}
    for who in ("nano", "espeak", "codec"):
        rates[who] = error_rate((wanted, heard[who]) for _, wanted, heard in group)
    others = [wanted for _, wanted, _ in group[1:] + group[:1]]
    pairs = zip(others, (heard["nano"] for _, _, heard in group), strict=True)
    return {**rates, "shuffled": error_rate(pairs)}
