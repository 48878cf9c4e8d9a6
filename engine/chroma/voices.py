"""Voices as the model hears them: a reference's codes, kept on disk, and its Backbone prefix, in memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

from engine.api import Reference
from engine.chroma.llama import KvPool
from engine.chroma.mimi import encode
from engine.chroma.model import ChromaModel
from engine.voices.sample import from_pcm
from engine.voices.store import StoredVoice


def cache_folder() -> Path:
    """Where encoded voices are kept: `$XDG_CACHE_HOME/chroma-realtime/voices`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "chroma-realtime" / "voices"


class VoicePrompts:
    """Backbone prefixes of voices, each made once for as long as its sample and transcript stay the same.

    Codes are cached by the content of the voice and of the codec that encoded it, so neither a changed
    sample nor another checkpoint ever meets stale codes. A cache that cannot be read or written costs
    time, never an error.
    """

    def __init__(self, chroma: ChromaModel, folder: Path | None = None) -> None:
        self._chroma = chroma
        self._folder = folder or cache_folder()
        self._codec = _codec_digest(chroma)
        self._prefixes: dict[str, KvPool] = {}
        self._once: dict[str, KvPool] = {}

    def of(self, voice: StoredVoice | Reference | None) -> KvPool | None:
        """The Backbone prefix of an answer's voice; None for an answer that is not spoken."""
        if isinstance(voice, Reference):
            return self.once(voice)
        return self.get(voice) if voice else None

    def get(self, voice: StoredVoice) -> KvPool:
        """The Backbone prefix of a voice."""
        if voice.digest not in self._prefixes:
            self._prefixes[voice.digest] = self._prefix(voice.transcript, self._codes(voice))
        return self._prefixes[voice.digest]

    def once(self, reference: Reference) -> KvPool:
        """The Backbone prefix of a voice that is nobody's to keep: in memory alone, until `forget`.

        Raises:
            EngineError: the sample cannot serve as a voice.
        """
        if reference.id not in self._once:
            sound = torch.from_numpy(from_pcm(reference.pcm))
            codes = encode(self._chroma.speaker.mimi, sound, self._chroma.config.codebooks)
            self._once[reference.id] = self._prefix(reference.transcript, codes)
        return self._once[reference.id]

    def forget(self, reference_id: str) -> None:
        """This reference will not be asked for again; an unknown id is no error."""
        self._once.pop(reference_id, None)

    def _prefix(self, transcript: str, codes: torch.Tensor) -> KvPool:
        ids = self._chroma.tokenizer(transcript, add_special_tokens=False)["input_ids"]
        return self._chroma.voice_prompt(ids, codes)

    def _codes(self, voice: StoredVoice) -> torch.Tensor:
        path = self._folder / f"{voice.digest[:32]}-{self._codec[:32]}.npy"
        try:
            return torch.from_numpy(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError):
            pass
        codebooks = self._chroma.config.codebooks
        codes = encode(self._chroma.speaker.mimi, torch.from_numpy(voice.load()), codebooks).cpu()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".tmp", delete=False) as file:
                np.save(file, codes.numpy())
            os.replace(file.name, path)
        except OSError:
            pass
        return codes


def _codec_digest(chroma: ChromaModel) -> str:
    """Names the encoder's weights: a hash over those of its quantiser and its outermost layers."""
    digest = hashlib.sha256()
    for name, tensor in chroma.speaker.mimi.state_dict().items():
        if name.startswith(("quantizer.", "downsample.", "encoder.layers.0.")):
            digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
