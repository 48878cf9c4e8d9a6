"""Sound on the wire as streams: PCM16 at 24 kHz, and G.711 at 8 kHz, to and from PCM16 at 24 kHz."""

from __future__ import annotations

import numpy as np
import soxr

from realtime.audio import g711
from realtime.audio.stretch import TimeStretch

PCM = "audio/pcm"
_LAWS = {"audio/pcmu": "mu-law", "audio/pcma": "A-law"}
_WIRE_RATE, _RATE = 8_000, 24_000
_QUALITY = "MQ"
"""Of soxr's: 15 ms are kept back until more sound comes, and what folds over lies below G.711's noise."""


def bytes_per_ms(kind: str) -> int:
    """How many bytes of this format a millisecond takes."""
    return _WIRE_RATE // 1000 if kind in _LAWS else 2 * _RATE // 1000


class SoundDecoder:
    """One format ("audio/pcm", "audio/pcmu", "audio/pcma") to PCM16 mono at 24 kHz, piece by piece."""

    def __init__(self, kind: str) -> None:
        self._law = _LAWS.get(kind)
        self._begin()

    def _begin(self) -> None:
        self._half = b""
        self._up = _resampler(_WIRE_RATE, _RATE) if self._law else None

    def add(self, data: bytes) -> bytes:
        """More of it, cut anywhere; the whole samples that are complete by now. Half a sample waits for its
        other half."""
        if self._law is None or self._up is None:
            if not self._half and len(data) % 2 == 0:
                return data
            data = self._half + data
            whole = len(data) & ~1
            self._half = data[whole:]
            return data[:whole]
        return _pcm(self._up.resample_chunk(_floats(g711.decode(data, self._law))))

    def flush(self) -> bytes:
        """What the filter kept back; half a sample is dropped. Begins anew."""
        rest = _pcm(self._up.resample_chunk(np.empty(0, np.float32), last=True)) if self._up else b""
        self._begin()
        return rest


class SoundEncoder:
    """PCM16 mono at 24 kHz to one format, piece by piece; `speed` times as fast at the same pitch."""

    def __init__(self, kind: str, speed: float = 1.0) -> None:
        self._law = _LAWS.get(kind)
        self._speed = speed
        self._begin()

    def _begin(self) -> None:
        self._stretch = TimeStretch(self._speed) if self._speed != 1 else None
        self._down = _resampler(_RATE, _WIRE_RATE) if self._law else None

    def add(self, pcm: bytes) -> bytes:
        """More sound, whole samples; what is complete of it by now."""
        if self._stretch is None and self._down is None:
            return pcm
        sound = _floats(np.frombuffer(pcm, "<i2"))
        if self._stretch:
            sound = self._stretch.add(sound)
        return self._wire(sound, last=False)

    def flush(self) -> bytes:
        """What is still kept back. Begins anew."""
        sound = self._stretch.flush() if self._stretch else np.empty(0, np.float32)
        rest = self._wire(sound, last=True)
        self._begin()
        return rest

    def _wire(self, sound: np.ndarray, *, last: bool) -> bytes:
        if self._law is None or self._down is None:
            return _pcm(sound)
        return g711.encode(_samples(self._down.resample_chunk(sound, last=last)), self._law)


def _resampler(source: int, target: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(source, target, 1, dtype="float32", quality=_QUALITY)


def _floats(samples: np.ndarray) -> np.ndarray:
    return samples.astype(np.float32) / 32768


def _samples(sound: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2")


def _pcm(sound: np.ndarray) -> bytes:
    return _samples(sound).tobytes()
