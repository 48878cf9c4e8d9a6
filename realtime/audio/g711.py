"""G.711 by table: mu-law and A-law, 8 bits a sample, as ITU-T G.711 has them."""

from __future__ import annotations

import numpy as np

_SAMPLES = np.arange(-32768, 32768, dtype=np.int32)


def _mu_law_codes() -> np.ndarray:
    """The code of every 16-bit sample, from -32768 on."""
    linear = _SAMPLES >> 2
    magnitude = np.minimum(np.abs(linear), 8158) + 33
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    codes = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return (codes ^ np.where(linear < 0, 0x7F, 0xFF)).astype(np.uint8)


def _mu_law_samples() -> np.ndarray:
    """The sample of every code."""
    codes = ~np.arange(256) & 0xFF
    magnitude = ((((codes & 0x0F) << 3) + 0x84) << ((codes & 0x70) >> 4)) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude).astype("<i2")


def _a_law_codes() -> np.ndarray:
    linear = _SAMPLES >> 3
    magnitude = np.where(linear < 0, -linear - 1, linear)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    codes = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    return (codes ^ np.where(linear < 0, 0x55, 0xD5)).astype(np.uint8)


def _a_law_samples() -> np.ndarray:
    codes = np.arange(256) ^ 0x55
    segment = (codes & 0x70) >> 4
    mantissa = (codes & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(codes & 0x80, magnitude, -magnitude).astype("<i2")


_CODES = {"mu-law": _mu_law_codes(), "A-law": _a_law_codes()}
_DECODED = {"mu-law": _mu_law_samples(), "A-law": _a_law_samples()}


def encode(samples: np.ndarray, law: str) -> bytes:
    """int16 [samples] to one byte each; `law` is "mu-law" or "A-law"."""
    return _CODES[law][samples.astype(np.int32) + 32768].tobytes()


def decode(data: bytes, law: str) -> np.ndarray:
    """One byte a sample to int16 [samples]."""
    return _DECODED[law][np.frombuffer(data, np.uint8)]
