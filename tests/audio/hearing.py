"""Recordings, and a stream of voice activity that can be waited for."""

import threading
from pathlib import Path

import numpy as np
import soundfile
import soxr

from realtime.audio.silero import WINDOW, Silero, SileroState
from realtime.audio.vad import VadWorker

SPEECH = Path(__file__).parents[1] / "data" / "speech"


def recording(name: str) -> bytes:
    """PCM16 at 24 kHz."""
    sound, rate = soundfile.read(SPEECH / f"{name}.wav", dtype="int16")
    assert rate == 24_000
    return sound.tobytes()


def windows(name: str) -> np.ndarray:
    """float32 [windows, 512] at 16 kHz."""
    sound = np.frombuffer(recording(name), "<i2").astype(np.float32) / 32768
    sound = soxr.resample(sound, 24_000, 16_000)
    return sound[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW)


def alone(model: Silero, sound: np.ndarray) -> np.ndarray:
    """Probabilities of one stream with the model to itself."""
    state = SileroState()
    return np.array([model.hear(window[None], [state])[0] for window in sound])


class Listener:
    """A stream, and all it was told."""

    def __init__(self, worker: VadWorker) -> None:
        self._changed = threading.Condition()
        self.told: list[tuple[int, float]] = []
        self.failures: list[str] = []
        self.stream = worker.stream(self._heard, self._failed)

    def _heard(self, epoch: int, probabilities: list[float]) -> None:
        with self._changed:
            self.told += [(epoch, probability) for probability in probabilities]
            self._changed.notify_all()

    def _failed(self, message: str) -> None:
        with self._changed:
            self.failures.append(message)
            self._changed.notify_all()

    def of(self, epoch: int) -> list[float]:
        return [probability for told, probability in self.told if told == epoch]

    def wait(self, count: int, epoch: int = 0) -> np.ndarray:
        """The first `count` probabilities of an epoch, once they are there."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(epoch)) >= count, timeout=20)
            return np.array(self.of(epoch)[:count])

    def wait_for_failure(self) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.failures), timeout=20)
            return self.failures[0]
