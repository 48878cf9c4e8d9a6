"""Every stage of training: what it needs, how long it works, what it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.settings import EngineSettings
from training.assemble import CLEAREST, language_weights, trained, write_checkpoint
from training.codec.codes import train_codes
from training.codec.decoder import train_decoder
from training.codec.encoder import Coder, Ear, train_encoder
from training.codec.outline import train_outline
from training.codec.sketch import train_sketch, write_frames
from training.corpus.build import answers, questions
from training.corpus.synthesis import Sounds
from training.reasoner.hearing import train_tower
from training.reasoner.joint import train_reasoner
from training.reasoner.text import quiet, train_language, train_text
from training.run import Weights, is_done, load_stage
from training.speech.data import Answer, read_answers, write_states
from training.speech.drawn import Speaker, draw_frames
from training.speech.model import SpeechModel
from training.speech.train import train_speech
from training.tokens import Encoder, train_tokenizer

TOKENIZER = "nano"
_DRAWN = 60_000
"""Frames, 80 minutes."""
_NEW = 0.6
"""Share of the sentences that `voice` is taught which no corpus has."""
# Sums and counting are most of all different sentences, and have few words.
_WORDY = frozenset(("calendar", "colours", "facts", "greetings", "personal", "itself", "unknown", "history"))
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `seconds` of work on one core; 0 where it takes what it takes."""

    name: str
    needs: tuple[str, ...]
    seconds: float
    work: Callable[[Path, float], None]

    def done(self, folder: Path, scale: float) -> bool:
        """It has nothing left to do."""
        if self.seconds:
            return is_done(folder, self.name, self.seconds * scale)
        return (folder / f"{self.name}.done").is_file()

    def run(self, folder: Path, scale: float) -> None:
        """Do it, or what is left of it."""
        self.work(folder, self.seconds * scale)
        if not self.seconds:
            (folder / f"{self.name}.done").touch()


def _corpus(folder: Path, seconds: float) -> None:
    train_tokenizer(folder / TOKENIZER)
    answers(folder, "answers", 9_000, seed=11, held_out=False)
    answers(folder, "answers_more", 16_000, seed=12, held_out=False, same=2)
    answers(folder, "answers_each", 10_000, seed=13, held_out=False, same=8, kinds=_WORDY)
    questions(folder, "questions_test", 500, seed=22, held_out=True)


def _codes(folder: Path, seconds: float) -> None:
    train_codes(folder, Sounds(folder / "answers.npy"), seconds=seconds)


def _sketch(folder: Path, seconds: float) -> None:
    train_sketch(folder, Sounds(folder / "answers.npy"), seconds=seconds)


def _frames(folder: Path) -> np.ndarray:
    return np.load(write_frames(folder, "answers", Sounds(folder / "answers.npy")))["codes"]


def _outline(folder: Path, seconds: float) -> None:
    train_outline(folder, _frames(folder), seconds=seconds)


def _decoder(folder: Path, seconds: float) -> None:
    drawn = np.load(folder / "drawn.npy").astype(np.int64)
    train_decoder(folder, _frames(folder), drawn, seconds=seconds)


def _encoder(folder: Path, seconds: float) -> None:
    train_encoder(folder, Sounds(folder / "answers.npy"), seconds=seconds)


def _text(folder: Path, seconds: float) -> None:
    train_text(folder, Encoder(folder / TOKENIZER), seconds=seconds)


def _language(folder: Path, seconds: float) -> None:
    table = load_stage(folder, "text")["embed_tokens.weight"].float()
    train_language(folder, Encoder(folder / TOKENIZER), table, seconds=seconds)


def _tower(folder: Path, seconds: float) -> None:
    train_tower(folder, Encoder(folder / TOKENIZER), seconds=seconds)


def _reasoner(folder: Path, seconds: float) -> None:
    train_reasoner(
        folder,
        Encoder(folder / TOKENIZER),
        load_stage(folder, "language"),
        load_stage(folder, "tower"),
        seconds=seconds,
    )


def _speech(folder: Path, seconds: float) -> None:
    """On the hidden states of the language model as it was before it could hear."""
    _speak(folder, "speech", quiet(load_stage(folder, "language")), seconds, rate=1.5e-3)


def _voice(folder: Path, seconds: float) -> None:
    """On the hidden states of the Reasoner and on references' codes of the encoder, as they ship, and on
    sentences spoken anew."""
    language = language_weights(folder)
    _speak(folder, "voice", language, seconds, rate=8e-4, start="speech", ear=Ear(folder), new=_NEW)


def _speak(
    folder: Path,
    name: str,
    language: Weights,
    seconds: float,
    *,
    rate: float,
    start: str | None = None,
    ear: Ear | None = None,
    new: float = 0.0,
) -> None:
    encoder = Encoder(folder / TOKENIZER)
    states = folder / f"{name}.states.npy"
    if not states.is_file():
        write_states(folder, language, encoder, "answers", states)
    train_speech(
        folder,
        _answers(folder, encoder),
        encoder,
        Coder(folder),
        language["embed_tokens.weight"].float(),
        torch.from_numpy(np.load(states)),
        name=name,
        seconds=seconds,
        rate=rate,
        start=load_stage(folder, start) if start else None,
        ear=ear,
        new=new,
    )


def _answers(folder: Path, encoder: Encoder) -> list[Answer]:
    corpora = ("answers", "answers_more", "answers_each")
    return [answer for corpus in corpora for answer in read_answers(folder, encoder, corpus)]


def _drawn(folder: Path, seconds: float) -> None:
    encoder, model = Encoder(folder / TOKENIZER), SpeechModel()
    model.load_state_dict(load_stage(folder, "voice"))
    language = language_weights(folder)
    speaker = Speaker(
        model,
        language["embed_tokens.weight"].float(),
        torch.from_numpy(np.load(folder / "voice.states.npy")).float(),
        temperatures=CLEAREST,
        top_k=EngineSettings("").top_k,
        seed=53,
    )
    frames = draw_frames(speaker, _answers(folder, encoder), encoder, Ear(folder), frames=_DRAWN)
    np.save(folder / "drawn.npy", frames.astype(np.int16))


def _checkpoint(folder: Path, seconds: float) -> None:
    to = folder / "checkpoint"
    to.mkdir(exist_ok=True)
    for name in _TOKENIZER_FILES:
        shutil.copy(folder / TOKENIZER / name, to / name)
    write_checkpoint(trained(folder), Encoder(folder / TOKENIZER), to)


# In this order when several could begin: the Reasoner takes longest from first to last.
STAGES = {
    stage.name: stage
    for stage in (
        Stage("corpus", (), 0, _corpus),
        Stage("codes", ("corpus",), 300, _codes),
        Stage("text", ("corpus",), 1850, _text),
        Stage("tower", ("text",), 23_340, _tower),
        Stage("language", ("text",), 3000, _language),
        Stage("reasoner", ("language", "tower"), 10_980, _reasoner),
        Stage("speech", ("codes", "language"), 4_200, _speech),
        Stage("encoder", ("codes",), 1500, _encoder),
        Stage("sketch", ("codes",), 900, _sketch),
        Stage("outline", ("sketch",), 420, _outline),
        Stage("voice", ("speech", "reasoner", "encoder"), 8_400, _voice),
        Stage("drawn", ("voice",), 0, _drawn),
        Stage("decoder", ("outline", "drawn"), 18_700, _decoder),
        Stage("checkpoint", ("decoder", "voice"), 0, _checkpoint),
    )
}
