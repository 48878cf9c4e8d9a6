"""Voice activity of all sessions in one thread, so that no event loop ever waits for it.

Each turn takes the next window of every stream that has one and runs them as one batch. A stream's
results come in order; which streams share a batch changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from realtime.audio.resample import StreamResampler
from realtime.audio.silero import SAMPLE_RATE, WINDOW, Silero, SileroState

log = logging.getLogger(__name__)

WIRE_RATE = 24_000
_LARGEST_BATCH = 256

Heard = Callable[[int, list[float]], None]
"""Called in the worker's thread with an epoch and its next probabilities, in order."""
Failed = Callable[[str], None]


class VadStream:
    """One session's sound. `feed` and `reset` return at once."""

    def __init__(self, worker: VadWorker, heard: Heard, failed: Failed) -> None:
        self._worker = worker
        self.heard = heard
        self.failed = failed
        self._inbox: deque[tuple[int, bytes | None]] = deque()
        self._begin(0)

    def feed(self, epoch: int, pcm: bytes) -> None:
        """More sound of an epoch: PCM16 mono at 24 kHz."""
        self._inbox.append((epoch, pcm))
        self._worker.wake(self)

    def reset(self, epoch: int) -> None:
        """A new epoch begins: windows count from its first sample."""
        self._inbox.append((epoch, None))
        self._worker.wake(self)

    def close(self) -> None:
        """No more results are wanted."""
        self._worker.forget(self)

    # The rest belongs to the worker's thread.

    def _begin(self, epoch: int) -> None:
        self.epoch = epoch
        self.state = SileroState()
        self._resampler = StreamResampler(WIRE_RATE, SAMPLE_RATE)
        self._samples = np.empty(0, np.float32)

    def next_window(self) -> np.ndarray | None:
        """The next 512 samples at 16 kHz, if they are there."""
        while len(self._samples) < WINDOW and self._inbox:
            epoch, pcm = self._inbox.popleft()
            if pcm is None:
                self._begin(epoch)
            elif epoch == self.epoch:
                self._samples = np.concatenate((self._samples, self._resampler.add(pcm)))
        if len(self._samples) < WINDOW:
            return None
        window, self._samples = self._samples[:WINDOW], self._samples[WINDOW:]
        return window


class VadWorker:
    """The thread that listens for all streams."""

    def __init__(self) -> None:
        self._model = Silero()
        self._ready: dict[VadStream, None] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="voice-activity", daemon=True)
        self._thread.start()

    def stream(self, heard: Heard, failed: Failed) -> VadStream:
        """A new stream; `heard` and `failed` are called in the worker's thread and must return at once."""
        return VadStream(self, heard, failed)

    def wake(self, stream: VadStream) -> None:
        with self._changed:
            self._ready[stream] = None
            self._changed.notify()

    def forget(self, stream: VadStream) -> None:
        with self._changed:
            self._ready.pop(stream, None)

    def close(self) -> None:
        """Stop the thread; what is not heard yet is dropped."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while streams := self._wait():
            batch: list[tuple[VadStream, np.ndarray]] = []
            for stream in streams:
                window = stream.next_window()
                if window is not None:
                    batch.append((stream, window))
            self._requeue([stream for stream, _ in batch])
            if batch:
                self._hear(batch)

    def _wait(self) -> list[VadStream]:
        """The streams that may have a window; none once the worker is stopped."""
        with self._changed:
            while not self._ready and not self._stopping:
                self._changed.wait()
            if self._stopping:
                return []
            streams = list(self._ready)[:_LARGEST_BATCH]
            for stream in streams:
                del self._ready[stream]
            return streams

    def _requeue(self, streams: list[VadStream]) -> None:
        """What had one window may have another; it queues behind those that wait."""
        with self._changed:
            for stream in streams:
                self._ready[stream] = None

    def _hear(self, batch: list[tuple[VadStream, np.ndarray]]) -> None:
        streams = [stream for stream, _ in batch]
        try:
            windows = np.stack([window for _, window in batch])
            probabilities = self._model.hear(windows, [stream.state for stream in streams])
        except Exception as error:
            log.exception("voice activity detection failed on %d streams", len(streams))
            for stream in streams:
                stream.failed(f"Voice activity detection failed: {error}")
            return
        for stream, probability in zip(streams, probabilities, strict=True):
            stream.heard(stream.epoch, [float(probability)])
