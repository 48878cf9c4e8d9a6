"""libespeak-ng by ctypes: sound, and where in it each word ends (what the command line does not tell).

Structures and constants are those of espeak-ng's `speak_lib.h`, API revision 12.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.corpus.voices import MADE_VARIANTS, EspeakVoice, made_variant

_SYNCHRONOUS = 2
_UTF8 = 1
_RATE, _PITCH = 1, 3
_EVENT_END, _EVENT_WORD = 0, 1
_BUFFER_MS = 200


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_uint64),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """float32 [samples] at `rate`; for each word of the text the sample at which the next one begins.

    Words that espeak-ng speaks as one share their end.
    """

    sound: np.ndarray
    rate: int
    word_ends: list[int]


class Espeak:
    """The library. It is one for a whole process and does not begin twice: see `shared`.

    Raises:
        RuntimeError: it is not installed, or refuses a voice.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise RuntimeError("libespeak-ng is needed to make the corpus: apt-get install espeak-ng")
        self._lib = ctypes.CDLL(name)
        self._lib.espeak_Info.restype = ctypes.c_char_p
        self._folder = tempfile.TemporaryDirectory(prefix="espeak-")
        data = self._with_made_variants(Path(self._folder.name))
        self.rate = self._lib.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, str(data).encode(), 0)
        self._pcm: list[np.ndarray] = []
        self._starts: list[tuple[int, int]] = []
        self._callback = _Callback(self._receive)
        self._lib.espeak_SetSynthCallback(self._callback)

    @classmethod
    @functools.cache
    def shared(cls) -> Espeak:
        """The one of this process."""
        return cls()

    def speak(self, text: str, voice: EspeakVoice) -> Spoken:
        """`text` in words with single spaces between them."""
        self._pcm, self._starts = [], []
        if self._lib.espeak_SetVoiceByName(voice.name.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice.name}")
        self._lib.espeak_SetParameter(_RATE, voice.speed, 0)
        self._lib.espeak_SetParameter(_PITCH, voice.pitch, 0)
        data = text.encode()
        self._lib.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None)
        sound = np.concatenate(self._pcm).astype(np.float32) / 32768
        return Spoken(sound, self.rate, self._ends(text, len(sound)))

    def _with_made_variants(self, to: Path) -> Path:
        """espeak-ng's data as links, with speakers of our own among the variants of its voices."""
        path = ctypes.c_char_p()
        self._lib.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, None, 0)
        self._lib.espeak_Info(ctypes.byref(path))
        self._lib.espeak_Terminate()
        installed = Path((path.value or b"").decode())
        data = to / "espeak-ng-data"
        variants = data / "voices" / "!v"
        variants.mkdir(parents=True)
        # It takes at most 349 voices, so other languages than English stay away.
        (data / "lang").mkdir()
        for pattern in ("*", "lang/gmw", "voices/!v/*"):
            for each in installed.glob(pattern):
                link = data / each.relative_to(installed)
                if not link.exists():
                    link.symlink_to(each)
        for name in MADE_VARIANTS:
            (variants / name).write_text(made_variant(name))
        return to

    def _receive(
        self, wav: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]
    ) -> int:
        if wav and count > 0:
            self._pcm.append(np.ctypeslib.as_array(wav, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_WORD:
                self._starts.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0

    def _ends(self, text: str, samples: int) -> list[int]:
        starts = [*sorted({each for each in self._starts if each[0] >= 0}), (len(text), samples)]
        ends, at = [], 0
        for word in text.split(" "):
            # The first start that lies behind this word's first letter is where it has ended.
            ends.append(next(sample for position, sample in starts if position > at))
            at += len(word) + 1
        return ends
