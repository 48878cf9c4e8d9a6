"""Voice activity of all sessions in one thread, so that no event loop ever waits for it.

Each turn takes the next window of every stream that has one and runs them as one batch; while many talk,
turns are spaced out so that batches are large. A stream's results come in order; which streams share a batch
changes nothing.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from realtime.audio.pace import Pace
from realtime.audio.resample import MARGIN, WINDOW, WindowResampler
from realtime.audio.silero import Silero, SileroState

log = logging.getLogger(__name__)

WIRE_RATE = 24_000
_BYTES_PER_S = 2 * WIRE_RATE
_PIECE = _BYTES_PER_S
"""Sound is taken a second at a time: of minutes that come at once it is known how much waits."""
_HEARD = 2 * WINDOW
_NEEDED = _HEARD + 2 * 2 * MARGIN
"""Bytes of a window, and of what has to be there to resample it."""
_LARGEST_BATCH = 256
_LATE = _BYTES_PER_S // 10
"""As much behind a window is late. Less is the rest of a piece of sound that has just come: its windows can
share the batches of those that come next."""

Heard = Callable[[int, list[float]], None]
"""Called with an epoch and its next probabilities, in order."""
Failed = Callable[[str], None]
"""Called once: the stream hears no more."""
Post = Callable[[Callable[[], None]], None]
"""Called in the worker's thread; has a function called in the streams' own, in order, and returns at once."""


def _unwanted(*_: object) -> None:
    """Whom a closed stream tells."""


class VadStream:
    """One session's sound. `feed`, `reset` and `close` return at once and belong to one thread."""

    def __init__(self, worker: VadWorker, heard: Heard, failed: Failed) -> None:
        self._worker = worker
        self._heard = heard
        self._failed = failed
        self._inbox: deque[tuple[int, bytes]] = deque()
        self._wanted = 0
        self._closed = self._lost = False
        # Two counters with one writer each, so that neither side needs a lock to know the lag.
        self._fed = self._taken = 0
        self._begin(0)

    @property
    def behind_s(self) -> float:
        """Seconds of sound that were fed and wait to be heard. A feeder can wait for it to shrink."""
        return 0.0 if self._closed or self._lost else (self._fed - self._taken) / _BYTES_PER_S

    def feed(self, epoch: int, pcm: bytes) -> None:
        """More sound of an epoch: PCM16 mono at 24 kHz, whole samples."""
        if self._closed or self._lost:
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
        # Who listens holds the stream: they would hold one another for ever.
        self._heard = self._failed = _unwanted
        self._worker.forget(self)

    def deliver(self, epoch: int, probability: float) -> None:
        """Hand out the next result."""
        self._heard(epoch, [probability])

    def tell_lost(self, message: str) -> None:
        """Hand out that there are no more."""
        self._failed(message)

    # The rest belongs to the worker's thread.

    def _begin(self, epoch: int) -> None:
        self.epoch = epoch
        self.state = SileroState()
        # It begins out of silence.
        self._sound = bytearray(2 * MARGIN)

    @property
    def has_more(self) -> bool:
        """Sound enough for another window is there already."""
        return self._unheard >= _NEEDED

    @property
    def is_late(self) -> bool:
        """More is there than came just now."""
        return self._unheard >= _NEEDED + _LATE

    @property
    def _unheard(self) -> int:
        return len(self._sound) + self._fed - self._taken

    def next_window(self) -> bytes | None:
        """The next 768 samples with the margin before and after them, if they are there."""
        if self._closed or self._lost:
            return None
        if self.epoch < self._wanted:
            self._begin(self._wanted)
        while len(self._sound) < _NEEDED:
            try:
                epoch, pcm = self._inbox.popleft()
            except IndexError:
                return None
            self._taken += len(pcm)
            if epoch < self._wanted:
                continue
            if len(pcm) % 2:
                raise ValueError("half a sample")
            if epoch != self.epoch:
                self._begin(epoch)
            self._sound += pcm
        window = bytes(self._sound[:_NEEDED])
        del self._sound[:_HEARD]
        return window

    def lose(self) -> bool:
        """This stream cannot be heard any more. Returns whether that is new."""
        before, self._lost = self._lost, True
        return not before


class VadWorker:
    """The thread that listens for all streams.

    Args:
        post: brings results to the thread that the streams belong to, those of a whole batch at once; without
            it they are handed out in the worker's.
    """

    def __init__(self, post: Post = lambda call: call()) -> None:
        self._post = post
        self._resampler, self._model = WindowResampler(), Silero()
        self._pace = Pace()
        self._streams: set[VadStream] = set()
        self._ready: dict[VadStream, None] = {}
        self._changed = threading.Condition()
        self._idle = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="voice-activity", daemon=True)
        self._thread.start()

    @property
    def behind_s(self) -> float:
        """Seconds of sound that wait to be heard, of the stream that has most."""
        with self._changed:
            return max((stream.behind_s for stream in self._streams), default=0.0)

    def stream(self, heard: Heard, failed: Failed) -> VadStream:
        """A new stream; `heard` and `failed` are called as `post` has it, and must return at once."""
        stream = VadStream(self, heard, failed)
        with self._changed:
            self._streams.add(stream)
        return stream

    def wake(self, stream: VadStream) -> None:
        with self._changed:
            self._ready[stream] = None
            # A thread that is woken for every piece of sound takes the others' time, and gathers nothing.
            if self._idle:
                self._idle = False
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
        behind = False
        while streams := self._wait(behind):
            batch: list[tuple[VadStream, bytes]] = []
            for stream in streams:
                try:
                    window = stream.next_window()
                except Exception as error:
                    self._report([stream], error)
                else:
                    if window is not None:
                        batch.append((stream, window))
            if batch:
                self._pace.began(time.monotonic(), len(batch))
                self._hear(batch)
            behind = self._requeue([stream for stream, _ in batch])

    def _wait(self, behind: bool) -> list[VadStream]:
        """The streams that may have a window; none once the worker is stopped. `behind`: sound that came in
        time is not heard yet, so nothing waits for more."""
        with self._changed:
            if not behind and (pause := self._pace.pause_s(time.monotonic())):
                self._changed.wait_for(lambda: self._stopping, pause)
            while not self._ready and not self._stopping:
                self._idle = True
                self._changed.wait()
            self._idle = False
            if self._stopping:
                return []
            streams = list(self._ready)[:_LARGEST_BATCH]
            for stream in streams:
                del self._ready[stream]
            return streams

    def _requeue(self, streams: list[VadStream]) -> bool:
        """What has more than the window it had queues behind those that wait. Returns whether any is late."""
        behind = False
        with self._changed:
            for stream in streams:
                if stream.has_more and stream in self._streams:
                    self._ready[stream] = None
                    behind = behind or stream.is_late
        return behind

    def _hear(self, batch: list[tuple[VadStream, bytes]]) -> None:
        streams = [stream for stream, _ in batch]
        try:
            windows = self._resampler.windows([window for _, window in batch])
            probabilities = self._model.hear(windows, [stream.state for stream in streams])
        except Exception as error:
            if len(batch) == 1:
                self._report(streams, error)
            else:
                # No state has advanced: each alone, so that what fails for one is not the others' end.
                for one in batch:
                    self._hear([one])
            return
        epochs = [stream.epoch for stream in streams]
        results = list(zip(streams, epochs, probabilities.tolist(), strict=True))
        self._post(lambda: _deliver(results))

    def _report(self, streams: list[VadStream], error: Exception) -> None:
        log.error("voice activity detection failed on %d streams", len(streams), exc_info=error)
        message = f"Voice activity detection failed: {error}"
        for stream in streams:
            if stream.lose():
                self._post(functools.partial(stream.tell_lost, message))


def _deliver(results: list[tuple[VadStream, int, float]]) -> None:
    """What one stream's owner does with its result is none of the others' business."""
    for stream, epoch, probability in results:
        try:
            stream.deliver(epoch, probability)
        except Exception:
            log.exception("what was heard of a stream could not be taken")
