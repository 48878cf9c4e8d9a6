"""`chroma-realtime talk`: a stock client speaks a recording to a server and keeps the answer.

It uses the openai package's own client, so what it shows is what any such client gets.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from realtime.audio.recording import RATE, RecordingError, read_recording
from realtime.bench.address import any_certificate
from realtime.server.playback import Answer

_APPEND_MS = 40
_TRAILING_SILENCE_S = 1.5
"""Silence sent after the recording, so that the server hears the turn end."""
_PATIENCE_S = 5.0
"""How long after that a turn may still be found."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser("talk", help="speak a recording to a server and save its answer")
    parser.add_argument("recording", type=Path, nargs="?", help="any wav, flac, ogg or mp3")
    parser.add_argument("--out", type=Path, help="where the answer goes (wav)")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/realtime")
    parser.add_argument("--text", help="type a turn in place of a recording")
    parser.add_argument("--voice", help="voice of the answer")
    parser.add_argument("--instructions", help="system prompt")
    parser.add_argument("--manual", action="store_true", help="commit by hand: no voice activity detection")
    parser.add_argument("--api-key", default=os.environ.get("OPENAI_API_KEY", "none"), help="$OPENAI_API_KEY")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait after the recording")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate of a wss:// server")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Hold the conversation; returns the exit code."""
    import openai
    from websockets.exceptions import WebSocketException

    if (options.recording is None) == (options.text is None):
        print("talk: give a recording, or words with --text", file=sys.stderr)
        return 2
    try:
        talk = Talk(options)
        return asyncio.run(asyncio.wait_for(talk.hold(), talk.seconds + options.timeout))
    except TimeoutError:
        print(f"talk: no whole answer within {options.timeout:g} seconds", file=sys.stderr)
    except (_TalkError, RecordingError) as error:
        print(f"talk: {error}", file=sys.stderr)
    except (OSError, WebSocketException, openai.OpenAIError) as error:
        print(f"talk: {options.url}: {error or type(error).__name__}", file=sys.stderr)
    return 1


class _TalkError(Exception):
    """One line for the person at the terminal."""


class Talk:
    """One recording, the turns that the server finds in it, and their answers."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._question = read_recording(options.recording) if options.recording else b""
        self._begin = time.monotonic()
        self._spoke_from = 0.0
        self._silence_ms = 0
        self._all_asked = False
        self._owed = False
        self._over = asyncio.Event()
        self._turns = 0
        self._next = Answer()
        self._answer: Answer | None = None
        self._answers: list[Answer] = []

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return len(self._question) / 2 / RATE

    async def hold(self) -> int:
        """Connect, ask, listen to the end; returns the exit code."""
        import openai
        from websockets.exceptions import ConnectionClosed

        base = self._options.url.split("?")[0].removesuffix("/").removesuffix("/realtime")
        if base.startswith("http"):
            base = base.replace("http", "ws", 1)
        client = openai.AsyncOpenAI(api_key=self._options.api_key, base_url=base, websocket_base_url=base)
        extra: Any = {"ssl": any_certificate()} if self._options.insecure else {}
        async with client.realtime.connect(model="chroma", websocket_connection_options=extra) as connection:
            asking = asyncio.create_task(self._ask(connection))
            listening = asyncio.create_task(self._listen(connection))
            try:
                await asyncio.wait({asking, listening}, return_when=asyncio.FIRST_COMPLETED)
                if asking.done() and not isinstance(asking.exception(), ConnectionClosed):
                    asking.result()
                else:
                    # A server that closes the connection says why before.
                    await listening
            finally:
                asking.cancel()
                listening.cancel()
        self._report()
        return 0

    async def _ask(self, connection: Any) -> None:
        """Ask everything, and wait until it is answered."""
        await connection.session.update(session=self._session())
        if self._options.text is None:
            await self._ask_aloud(connection)
        else:
            content = [{"type": "input_text", "text": self._options.text}]
            item = {"type": "message", "role": "user", "content": content}
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            self._next.asked = self._now()
        self._all_asked = True
        self._settle()
        if self._options.text is None and not self._options.manual:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), _PATIENCE_S)
            if not self._turns:
                raise _TalkError(f"the server heard no speech in {self._options.recording}")
        await self._over.wait()

    async def _ask_aloud(self, connection: Any) -> None:
        self._spoke_from = self._now()
        await self._speak(connection, self._question)
        self._log(f"spoke {self.seconds:.1f} s")
        if self._options.manual:
            self._next.speech_end = self._now()
            await connection.input_audio_buffer.commit()
            await connection.response.create()
        else:
            await self._speak(connection, bytes(int(_TRAILING_SILENCE_S * RATE) * 2))

    async def _speak(self, connection: Any, pcm: bytes) -> None:
        """Send sound at the pace at which it would be spoken."""
        step = RATE * _APPEND_MS // 1000 * 2
        begin = time.monotonic()
        for sent in range(0, len(pcm), step):
            audio = base64.b64encode(pcm[sent : sent + step]).decode()
            await connection.input_audio_buffer.append(audio=audio)
            await asyncio.sleep(max(0.0, begin + (sent + step) / 2 / RATE - time.monotonic()))

    def _session(self) -> Any:
        turns = None if self._options.manual else {"type": "server_vad"}
        audio: dict[str, Any] = {"input": {"turn_detection": turns}}
        if self._options.voice:
            audio["output"] = {"voice": self._options.voice}
        session: dict[str, Any] = {"type": "realtime", "audio": audio}
        if self._options.instructions is not None:
            session["instructions"] = self._options.instructions
        return session

    async def _listen(self, connection: Any) -> None:
        async for event in connection:
            self._hear(event)
            self._settle()
        raise _TalkError("the server closed the connection before the answer was whole")

    def _settle(self) -> None:
        """It is over once all is asked, and whatever was taken as a turn has its answer."""
        if self._all_asked and self._answers and self._answer is None and not self._owed:
            self._over.set()

    def _hear(self, event: Any) -> None:
        kind = event.type
        if kind == "error":
            raise _TalkError(f"the server says: {event.error.message}")
        if kind.endswith(".delta"):
            self._hear_delta(event)
            return
        note = ""
        if kind == "session.updated":
            turns = event.session.audio.input.turn_detection
            self._silence_ms = turns.silence_duration_ms if turns else 0
        elif kind == "input_audio_buffer.speech_started":
            self._owed = True
            self._turns += 1
            note = f"at {event.audio_start_ms} ms"
        elif kind == "input_audio_buffer.speech_stopped":
            # Sent at real-time pace, so a place in the sound is a time.
            self._next.speech_end = self._spoke_from + (event.audio_end_ms - self._silence_ms) / 1000
            note = f"at {event.audio_end_ms} ms"
        elif kind == "input_audio_buffer.committed":
            self._next.asked = self._now()
        elif kind == "response.created":
            self._answer, self._next, self._owed = self._next, Answer(), False
        elif kind in ("response.output_audio_transcript.done", "response.output_text.done"):
            note = repr(event.transcript if "transcript" in kind else event.text)
        elif kind == "response.output_audio.done" and self._answer:
            played = self._answer.playback
            note = f"{played.deltas} deltas, {played.seconds:.2f} s of sound"
        elif kind == "response.done":
            note = self._finish(event.response)
        self._log(f"{kind}: {note}" if note else kind)

    def _hear_delta(self, event: Any) -> None:
        """Deltas are many: the first of each kind is told, the rest counted."""
        first = False
        if self._answer is not None and event.type == "response.output_audio.delta":
            first = self._answer.playback.first is None
            self._answer.playback.add(self._now(), base64.b64decode(event.delta))
        elif self._answer is not None:
            first, self._answer.words = not self._answer.words, True
        if first:
            self._log(f"{event.type}: the first")

    def _finish(self, response: Any) -> str:
        if response.status == "failed":
            error = response.status_details.error if response.status_details else None
            raise _TalkError(f"the response failed: {error.message if error else 'no reason given'}")
        if self._answer is not None:
            self._answers.append(self._answer)
        self._answer = None
        return f"{response.status}, {response.usage.total_tokens if response.usage else 0} tokens"

    def _report(self) -> None:
        for answer in self._answers:
            print("", *answer.report(), sep="\n")
        sound = b"".join(answer.playback.pcm for answer in self._answers)
        if self._options.out and sound:
            import numpy as np
            import soundfile

            soundfile.write(self._options.out, np.frombuffer(sound, "<i2"), RATE)
            print(f"saved                         {self._options.out}")

    def _now(self) -> float:
        return time.monotonic() - self._begin

    def _log(self, line: str) -> None:
        print(f"{self._now():8.3f}  {line}", flush=True)
