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
_BYTES_PER_S = 2 * WIRE_RATE
_PIECE = _BYTES_PER_S
"""Sound is resampled a second at a time: minutes that come at once hold no other stream up."""
_LARGEST_BATCH = 256

Heard = Callable[[int, list[float]], None]
"""Called in the worker's thread with an epoch and its next probabilities, in order."""
Failed = Callable[[str], None]
"""Called in the worker's thread, once: the stream hears no more."""


class VadStream:
    """One session's sound. `feed`, `reset` and `close` return at once and belong to one thread."""

    def __init__(self, worker: VadWorker, heard: Heard, failed: Failed) -> None:
        self._worker = worker
        self._heard = heard
        self._failed = failed
        self._inbox: deque[tuple[int, bytes]] = deque()
        self._wanted = 0
        self._closed = False
        # Two counters with one writer each, so that neither side needs a lock to know the lag.
        self._fed = self._taken = 0
        self._begin(0)

    @property
    def behind_s(self) -> float:
        """Seconds of sound that were fed and wait to be heard. A feeder can wait for it to shrink."""
        return 0.0 if self._closed else (self._fed - self._taken) / _BYTES_PER_S

    def feed(self, epoch: int, pcm: bytes) -> None:
        """More sound of an epoch: PCM16 mono at 24 kHz, whole samples."""
        if self._closed:
            return
        for start in range(0, len(pcm), _PIECE):
            self._inbox.append((epoch, pcm[start : start + _PIECE]))
        self._fed += len(pcm)
        self._worker.wake(self)

    def reset(self, epoch: int) -> None:
        """A new, higher epoch begins: windows count from its first sample, what waits is dropped."""
        self._wanted = epoch
        self._worker.wake(self)

    def close(self) -> None:
        """No more results are wanted."""
        self._closed = True
        self._inbox.clear()
        self._worker.forget(self)

    # The rest belongs to the worker's thread.

    def _begin(self, epoch: int) -> None:
        self.epoch = epoch
        self.state = SileroState()
        self._resampler = StreamResampler(WIRE_RATE, SAMPLE_RATE)
        self._samples = np.empty(0, np.float32)

    def next_window(self) -> np.ndarray | None:
        """The next 512 samples at 16 kHz, if they are there."""
        if self._closed:
            return None
        if self.epoch < self._wanted:
            self._begin(self._wanted)
        while len(self._samples) < WINDOW:
            try:
                epoch, pcm = self._inbox.popleft()
            except IndexError:
                return None
            self._taken += len(pcm)
            if epoch < self._wanted:
                continue
            if epoch != self.epoch:
                self._begin(epoch)
            self._samples = np.concatenate((self._samples, self._resampler.add(pcm)))
        window, self._samples = self._samples[:WINDOW], self._samples[WINDOW:]
        return window

    def deliver(self, probability: float) -> None:
        """Hand out the result of the window that was taken last."""
        if not self._closed:
            self._heard(self.epoch, [probability])

    def fail(self, error: Exception) -> None:
        """This stream cannot be heard any more."""
        if not self._closed:
            self._closed = True
            self._failed(f"Voice activity detection failed: {error}")


class VadWorker:
    """The thread that listens for all streams."""

    def __init__(self) -> None:
        self._model = Silero()
        self._streams: set[VadStream] = set()
        self._ready: dict[VadStream, None] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="voice-activity", daemon=True)
        self._thread.start()

    @property
    def behind_s(self) -> float:
        """Seconds of sound that wait to be heard, of the stream that has most."""
        with self._changed:
            return max((stream.behind_s for stream in self._streams), default=0.0)

    def stream(self, heard: Heard, failed: Failed) -> VadStream:
        """A new stream; `heard` and `failed` are called in the worker's thread and must return at once."""
        stream = VadStream(self, heard, failed)
        with self._changed:
            self._streams.add(stream)
        return stream

    def wake(self, stream: VadStream) -> None:
        with self._changed:
            self._ready[stream] = None
            self._changed.notify()

    def forget(self, stream: VadStream) -> None:
        with self._changed:
            self._streams.discard(stream)
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
                try:
                    window = stream.next_window()
                except Exception as error:
                    self._report([stream], error)
                else:
                    if window is not None:
                        batch.append((stream, window))
            if batch:
                self._hear(batch)
                self._requeue([stream for stream, _ in batch])

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
                if stream in self._streams:
                    self._ready[stream] = None

    def _hear(self, batch: list[tuple[VadStream, np.ndarray]]) -> None:
        streams = [stream for stream, _ in batch]
        try:
            windows = np.stack([window for _, window in batch])
            probabilities = self._model.hear(windows, [stream.state for stream in streams])
        except Exception as error:
            self._report(streams, error)
            return
        for stream, probability in zip(streams, probabilities, strict=True):
            stream.deliver(float(probability))

    def _report(self, streams: list[VadStream], error: Exception) -> None:
        log.error("voice activity detection failed on %d streams", len(streams), exc_info=error)
        for stream in streams:
            stream.fail(error)
