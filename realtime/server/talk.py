"""`chroma-realtime talk`: a stock client speaks a recording to a server and keeps the answer.

It uses the openai package's own client, so what it shows is what any such client gets.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
import time
from pathlib import Path
from typing import Any

from realtime.server.playback import Playback

RATE = 24_000
_APPEND_MS = 40
_TRAILING_SILENCE_S = 1.5
"""Silence sent after the recording, so that the server hears the turn end."""


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
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for the answer")
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
        return asyncio.run(asyncio.wait_for(Talk(options).hold(), options.timeout))
    except TimeoutError:
        print(f"talk: no whole answer within {options.timeout:g} seconds", file=sys.stderr)
    except _TalkError as error:
        print(f"talk: {error}", file=sys.stderr)
    except (OSError, WebSocketException, openai.OpenAIError) as error:
        print(f"talk: {options.url}: {error or type(error).__name__}", file=sys.stderr)
    return 1


class _TalkError(Exception):
    """One line for the person at the terminal."""


def read_recording(path: Path) -> bytes:
    """Any recording as PCM16 mono at 24 kHz.

    Raises:
        _TalkError: it cannot be read.
    """
    import numpy as np
    import soundfile
    import soxr

    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise _TalkError(f"{path}: {error}") from None
    mono = soxr.resample(sound.mean(axis=1), rate, RATE)
    return (np.clip(mono, -1, 1) * 32767).astype("<i2").tobytes()


class Talk:
    """One question and its answer."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._question = read_recording(options.recording) if options.recording else b""
        self._begin = time.monotonic()
        self._speech_end: float | None = None
        self._committed: float | None = None
        self._playback = Playback()
        self._sounds = 0

    async def hold(self) -> int:
        """Connect, ask, listen to the end; returns the exit code."""
        import openai

        url = (
            self._options.url.replace("http", "ws", 1)
            if self._options.url.startswith("http")
            else self._options.url
        )
        base = url.split("?")[0].removesuffix("/").removesuffix("/realtime")
        client = openai.AsyncOpenAI(api_key="none", base_url=base, websocket_base_url=base)
        extra: Any = {"ssl": _any_certificate()} if self._options.insecure else {}
        async with client.realtime.connect(model="chroma", websocket_connection_options=extra) as connection:
            await connection.session.update(session=self._session())
            asking = asyncio.create_task(self._ask(connection))
            try:
                async for event in connection:
                    if self._hear(event):
                        break
                else:
                    raise _TalkError("the server closed the connection before the answer was whole")
            finally:
                asking.cancel()
        self._report()
        return 0

    def _session(self) -> Any:
        audio: dict[str, Any] = {
            "input": {"turn_detection": None if self._options.manual else {"type": "server_vad"}}
        }
        if self._options.voice:
            audio["output"] = {"voice": self._options.voice}
        session: dict[str, Any] = {"type": "realtime", "audio": audio}
        if self._options.instructions is not None:
            session["instructions"] = self._options.instructions
        return session

    async def _ask(self, connection: Any) -> None:
        if self._options.text is not None:
            content = [{"type": "input_text", "text": self._options.text}]
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": content}
            )
            await connection.response.create()
            self._committed = self._now()
            return
        await self._speak(connection, self._question)
        self._speech_end = self._now()
        self._log(f"spoke {len(self._question) / 2 / RATE:.1f} s")
        if self._options.manual:
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

    def _hear(self, event: Any) -> bool:
        """Take one server event; True at the end of the answer."""
        kind = event.type
        if kind == "response.output_audio.delta":
            pcm = base64.b64decode(event.delta)
            if not self._playback.pcm:
                self._log("response.output_audio.delta: first sound")
            self._playback.add(self._now(), pcm)
            self._sounds += 1
            return False
        if kind == "response.output_audio.done":
            self._log(f"{kind}: {self._sounds} deltas, {self._playback.seconds:.2f} s of sound")
        elif kind.endswith("transcript.delta") or kind.endswith("text.delta"):
            self._log(f"{kind}: {event.delta!r}")
        elif kind == "error":
            raise _TalkError(f"the server says: {event.error.message}")
        elif kind == "response.done":
            status = event.response.status
            details = event.response.status_details
            self._log(f"{kind}: {status}, {event.response.usage.total_tokens} tokens")
            if status == "failed":
                raise _TalkError(
                    f"the response failed: {details.error.message if details.error else 'no reason'}"
                )
            # A barge-in by the rest of the recording is followed by the answer to all of it.
            return status != "cancelled"
        else:
            self._log(kind)
            if kind == "input_audio_buffer.committed":
                self._committed = self._now()
        return False

    def _report(self) -> None:
        first = self._playback.first
        if first is None:
            print("\nThe answer has no sound.")
            return
        print()
        if self._speech_end is not None:
            print(f"end of speech to first sound  {(first - self._speech_end) * 1000:7.0f} ms")
        if self._committed is not None:
            print(f"commit to first sound         {(first - self._committed) * 1000:7.0f} ms")
        seconds, took, gaps = self._playback.seconds, self._playback.took, self._playback.gaps
        print(f"answer                        {seconds:7.2f} s of sound in {took:.2f} s")
        print(f"real-time factor              {took / seconds:7.2f}")
        print(
            f"gaps a listener hears         {len(gaps):7d}"
            + (f", longest {max(gaps) * 1000:.0f} ms" if gaps else "")
        )
        if self._options.out:
            import numpy as np
            import soundfile

            soundfile.write(self._options.out, np.frombuffer(self._playback.pcm, "<i2"), RATE)
            print(f"saved                         {self._options.out}")

    def _now(self) -> float:
        return time.monotonic() - self._begin

    def _log(self, line: str) -> None:
        print(f"{self._now():8.3f}  {line}", flush=True)


def _any_certificate() -> Any:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
