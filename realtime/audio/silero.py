"""Silero voice activity detection: the ONNX model that its package ships, over many streams at once."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from realtime.audio.onnx_file import open_session
from realtime.audio.silero_graph import batched

SAMPLE_RATE = 16_000
WINDOW = 512
"""Samples of one window at 16 kHz: 32 ms."""
_CONTEXT = 64
_FILE = "data/silero_vad_16k_op15.onnx"


def model_path() -> Path:
    """The model's file, found without importing its package (which would import torch).

    Raises:
        FileNotFoundError: the package is not installed, or holds no such file.
    """
    spec = importlib.util.find_spec("silero_vad")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        if (path := Path(place) / _FILE).is_file():
            return path
    raise FileNotFoundError(f"{_FILE} of the package silero-vad; pip install 'silero-vad>=6.2'")


@dataclass(slots=True)
class SileroState:
    """What one stream carries from window to window: LSTM state [2, 128] and the last samples [64]."""

    lstm: np.ndarray = field(default_factory=lambda: np.zeros((2, 128), np.float32))
    context: np.ndarray = field(default_factory=lambda: np.zeros(_CONTEXT, np.float32))


class Silero:
    """The model. A row of a batch equals that stream run alone."""

    def __init__(self) -> None:
        self._session = open_session(batched(model_path().read_bytes()))

    def hear(self, windows: np.ndarray, states: list[SileroState]) -> np.ndarray:
        """The next window of each stream.

        Args:
            windows: float32 [streams, 512] at 16 kHz.
            states: one for each stream; advanced in place.

        Returns:
            Probability of speech, float32 [streams].
        """
        # np.stack would make an array object more of every row.
        context = np.concatenate([state.context for state in states]).reshape(-1, _CONTEXT)
        lstm = np.concatenate([state.lstm for state in states]).reshape(-1, 2, 128).transpose(1, 0, 2)
        sound = np.concatenate((context, windows), axis=1)
        inputs = {"sound": sound, "state": np.ascontiguousarray(lstm)}
        probabilities, lstm = self._session.run(("probability", "next_state"), inputs)
        for row, state in enumerate(states):
            # Copied: a view would keep the whole batch for as long as its stream is silent.
            state.lstm = lstm[:, row].copy()
            state.context = sound[row, -_CONTEXT:].copy()
        return probabilities[:, 0]
