"""Opt-in recordings of sessions: every event both ways with its time, sound and words included.

A recording is a file of JSON lines, `SESSION.jsonl`. The first is
`{"recording": 1, "session": …, "model": …, "started": unix time}`, the others
`{"at": seconds since then, "from": "client" or "server", "event": …}`; a frame of the client that is no JSON
object has `"frame"` (text) or `"binary"` (base64) in place of `"event"`. Sound that came beside the events
(WebRTC) is recorded as an append; sound that went beside them is not.

`chroma-realtime replay` holds the conversation again.
"""

from __future__ import annotations

import base64
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import orjson

from engine import EngineError
from realtime.server.frames import Reader
from realtime.server.transport import Through, Transport

log = logging.getLogger(__name__)
VERSION = 1
_MOST_WAITING = 64 * 1024 * 1024
"""Bytes of all recordings that may wait for the disk."""
_CLOSE_S = 10.0


class Recorder:
    """Writes recordings into a folder, in a thread of its own: no session waits for a disk, and a disk that
    is full, or too slow, ends the recording and not the session.

    Raises:
        EngineError: `invalid_setting`, where the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise EngineError("invalid_setting", f"--record {folder}: {error.strerror}") from None
        self._lines: queue.SimpleQueue[tuple[Path, bytes | None] | None] = queue.SimpleQueue()
        self._waiting = 0
        """Bytes of all lines that are not written yet."""
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def begin(self, session_id: str, model: str) -> Recording:
        """The recording of a session that begins now."""
        path = self._folder / f"{session_id}.jsonl"

        over = False

        def write(line: dict[str, Any] | None) -> None:
            nonlocal over
            if over:
                return
            text = None if line is None else orjson.dumps(line) + b"\n"
            if text is not None and not self._room_for(text):
                log.error("the recording %s ends here: the disk is too slow", path.name)
                text = None
            over = text is None
            self._lines.put((path, text))

        return Recording(write, session_id, model)

    def close(self) -> None:
        """Returns once all is written, or the disk has hung for some seconds."""
        self._lines.put(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            log.error("the ends of recordings are lost: the disk is too slow")

    def _room_for(self, text: bytes) -> bool:
        with self._counting:
            if self._waiting + len(text) > _MOST_WAITING:
                return False
            self._waiting += len(text)
            return True

    def _run(self) -> None:
        files: dict[Path, IO[bytes] | None] = {}
        while (line := self._lines.get()) is not None:
            path, text = line
            with self._counting:
                self._waiting -= len(text or b"")
            try:
                if path not in files:
                    files[path] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
                file = files[path]
                if file is not None and text is not None:
                    file.write(text)
            except OSError as error:
                log.error("the recording %s ends here: %s", path.name, error)
                files[path] = None
            if text is None:
                _end(files.pop(path, None))
        for file in files.values():
            _end(file)


def _end(file: IO[bytes] | None) -> None:
    if file is not None:
        try:
            file.close()
        except OSError as error:
            log.error("the end of a recording is lost: %s", error)


class Recording:
    """One session's."""

    def __init__(self, write: Callable[[dict[str, Any] | None], None], session_id: str, model: str) -> None:
        self._write = write
        self._begin = time.monotonic()
        write({"recording": VERSION, "session": session_id, "model": model, "started": round(time.time(), 3)})

    def received(self, frame: str | bytes) -> None:
        """A frame of the client."""
        if isinstance(frame, bytes):
            self._line("client", "binary", base64.b64encode(frame).decode())
            return
        try:
            event = orjson.loads(frame)
        except orjson.JSONDecodeError:
            event = None
        if isinstance(event, dict):
            # As it was written: what is nested deep can be read, but not written anew. Line breaks can only
            # stand between its tokens, and a line of the file is one event.
            self._line("client", "event", orjson.Fragment(frame.replace("\r", " ").replace("\n", " ")))
        else:
            self._line("client", "frame", frame)

    def heard(self, pcm: bytes) -> None:
        """Sound that came beside the events: PCM16 mono at 24 kHz."""
        event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}
        self._line("client", "event", event)

    def sent(self, frame: str) -> None:
        """An event for the client."""
        self._line("server", "event", orjson.Fragment(frame))

    def end(self) -> None:
        """The session is over."""
        self._write(None)

    def _line(self, side: str, kind: str, what: Any) -> None:
        self._write({"at": round(time.monotonic() - self._begin, 4), "from": side, kind: what})


class RecordedTransport:
    """A transport whose frames are recorded."""

    def __init__(self, transport: Transport, recording: Recording) -> None:
        self._transport, self._recording = transport, recording

    async def read(self, reader: Reader) -> None:
        await self._transport.read(Through(reader, self._received))

    def _received(self, frame: str | bytes) -> str | bytes:
        self._recording.received(frame)
        return frame

    async def send(self, frame: str) -> None:
        self._recording.sent(frame)
        await self._transport.send(frame)

    async def close(self, code: int, reason: str) -> None:
        await self._transport.close(code, reason)
