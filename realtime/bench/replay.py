"""`chroma-realtime replay`: a recorded session held again with any server, each client event at its time.

What the server names itself (items, responses, calls) has other names now: the client's events that speak of
them get the new ones, by the order in which the server first used them, and wait until it has.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realtime.bench.address import any_certificate, socket_url

_ID = re.compile(r'"((?:item|resp|call)_[A-Za-z0-9_-]+)"')
_PATIENCE_S = 10.0
"""How long the server may take to use a name, and to answer the last event."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser("replay", help="hold a recorded session again, with any server")
    parser.add_argument("recording", type=Path, help="a file that serve --record wrote")
    parser.add_argument("url", metavar="URL", help="of any OpenAI-compatible realtime server")
    parser.add_argument("--speed", type=float, default=1.0, help="times as fast as it was (default 1)")
    parser.add_argument("--model", default="gpt-realtime", help="where the URL names none")
    parser.add_argument("--api-key", default=os.environ.get("OPENAI_API_KEY"), help="$OPENAI_API_KEY")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate of a wss:// server")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Returns the exit code: 0 where the responses ended as they did then, and no error is new."""
    from websockets.exceptions import WebSocketException

    try:
        if options.speed <= 0:
            raise ReplayError("--speed must be more than 0")
        recorded = read(options.recording)
        now = asyncio.run(_hold(recorded, options))
    except ReplayError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    except (OSError, TimeoutError, WebSocketException) as error:
        print(f"replay: {options.url}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    then = Outcome()
    for line in recorded.lines:
        if line["from"] == "server":
            then.hear(line["at"], line["event"])
    print(compare(then, now))
    return 0 if now.statuses == then.statuses and now.errors == then.errors else 1


class ReplayError(Exception):
    """One line for the person at the terminal."""


@dataclass(frozen=True)
class Recorded:
    """A recording: its first line, and the others."""

    head: dict[str, Any]
    lines: list[dict[str, Any]]


def read(path: Path) -> Recorded:
    """A recording's file; one that was cut off within its last line is taken up to there.

    Raises:
        ReplayError: it is none.
    """
    import orjson

    try:
        texts = path.read_bytes().splitlines()
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror}") from None
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(texts, 1):
        try:
            lines.append(orjson.loads(text))
        except orjson.JSONDecodeError:
            if number < len(texts):
                raise ReplayError(f"{path}, line {number}: not JSON") from None
    if not lines or not isinstance(lines[0], dict) or lines[0].get("recording") != 1:
        raise ReplayError(f"{path} is no recording of serve --record")
    return Recorded(lines[0], lines[1:])


@dataclass
class Outcome:
    """What a server did: how its responses ended, errors by code, and how long each answer was waited for."""

    kinds: Counter[str] = field(default_factory=Counter)
    statuses: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    """Seconds from a commit, or a response's beginning where there was none, to its first sound."""
    _asked: float | None = None
    _waiting: bool = False

    @property
    def steps(self) -> int:
        """Events, without those that come in as many parts as they like."""
        return sum(count for kind, count in self.kinds.items() if not kind.endswith(".delta"))

    def hear(self, at: float, event: dict[str, Any]) -> None:
        """An event of the server, at so many seconds."""
        kind = event["type"]
        self.kinds[kind] += 1
        if kind == "input_audio_buffer.committed":
            self._asked = at
        elif kind == "response.created":
            self._asked, self._waiting = self._asked if self._asked is not None else at, True
        elif kind == "response.output_audio.delta" and self._waiting and self._asked is not None:
            self.waits.append(at - self._asked)
            self._waiting, self._asked = False, None
        elif kind == "response.done":
            self.statuses.append(event["response"]["status"])
            self._asked = None
        elif kind == "error":
            self.errors[event["error"].get("code") or event["error"]["type"]] += 1


def compare(then: Outcome, now: Outcome) -> str:
    """Both, side by side."""
    rows = [("", "then", "now")]
    rows += [(kind, str(then.kinds[kind]), str(now.kinds[kind])) for kind in sorted(then.kinds | now.kinds)]
    rows += [
        ("responses", " ".join(then.statuses) or "–", " ".join(now.statuses) or "–"),
        ("errors", _counted(then.errors), _counted(now.errors)),
        ("first audio, ms", _waited(then.waits), _waited(now.waits)),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _counted(errors: Counter[str]) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(errors.items())) or "none"


def _waited(waits: Iterable[float]) -> str:
    return " ".join(f"{1000 * wait:.0f}" for wait in waits) or "–"


class Names:
    """What a server calls things, in the order in which it first did; what the client named is left out."""

    def __init__(self) -> None:
        self._of_client: set[str] = set()
        self.places: dict[str, tuple[str, int]] = {}
        """Kind and number of each name."""
        self._names: dict[str, list[str]] = {"item": [], "resp": [], "call": []}

    def sent(self, text: str) -> None:
        """The client sends this."""
        self._of_client.update(name for name in _ID.findall(text) if name not in self.places)

    def heard(self, text: str) -> None:
        """The server sends this."""
        for name in _ID.findall(text):
            if name not in self.places and name not in self._of_client:
                kind = name.partition("_")[0]
                self.places[name] = kind, len(self._names[kind])
                self._names[kind].append(name)

    def at(self, place: tuple[str, int]) -> str | None:
        """The name in a place; None: there is none yet."""
        kind, number = place
        names = self._names[kind]
        return names[number] if number < len(names) else None


async def _hold(recorded: Recorded, options: argparse.Namespace) -> Outcome:
    """Hold the session again.

    Raises:
        ReplayError: the server never named what the recording speaks of.
    """
    from websockets.asyncio.client import connect

    headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else None
    secure: Any = {"ssl": any_certificate()} if options.insecure else {}
    url = socket_url(options.url, options.model)
    async with connect(url, additional_headers=headers, compression=None, max_size=None, **secure) as socket:
        return await Replay(recorded, socket, options.speed).hold()


class Replay:
    """One session, held again on an open connection."""

    def __init__(self, recorded: Recorded, socket: Any, speed: float) -> None:
        self._recorded, self._socket, self._speed = recorded, socket, speed
        self._then, self._now = Names(), Names()
        self._outcome = Outcome()
        self._heard = asyncio.Condition()
        self._clock = asyncio.get_running_loop()
        self._begin = self._clock.time()

    async def hold(self) -> Outcome:
        """Returns what the server did, once it has said as much as then, or is silent for long."""
        from websockets.exceptions import ConnectionClosed

        listening = asyncio.create_task(self._listen())
        try:
            try:
                await self._speak()
            except ConnectionClosed:
                # The server may have ended the session then, too.
                await listening
                return self._outcome
            wanted = sum(
                line["from"] == "server" and not line["event"]["type"].endswith(".delta")
                for line in self._recorded.lines
            )
            await self._until(lambda: self._outcome.steps >= wanted or listening.done())
        except TimeoutError:
            pass
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        return self._outcome

    async def _speak(self) -> None:
        import orjson

        for line in self._recorded.lines:
            if line["from"] == "server":
                self._then.heard(orjson.dumps(line["event"]).decode())
                continue
            await asyncio.sleep(self._begin + line["at"] / self._speed - self._clock.time())
            if "binary" in line:
                await self._socket.send(base64.b64decode(line["binary"]))
                continue
            text = line["frame"] if "frame" in line else orjson.dumps(line["event"]).decode()
            self._then.sent(text)
            text = await self._renamed(text)
            self._now.sent(text)
            await self._socket.send(text)

    async def _renamed(self, text: str) -> str:
        for name in set(_ID.findall(text)):
            place = self._then.places.get(name)
            if place is None:
                continue
            try:
                await self._until(lambda place=place: self._now.at(place) is not None)
            except TimeoutError:
                raise ReplayError(f"the server has not made what was {name} in the recording") from None
            text = text.replace(f'"{name}"', f'"{self._now.at(place)}"')
        return text

    async def _listen(self) -> None:
        import orjson
        from websockets.exceptions import ConnectionClosed

        try:
            async for frame in self._socket:
                event = orjson.loads(frame)
                async with self._heard:
                    if event["type"] != "response.output_audio.delta":
                        self._now.heard(frame if isinstance(frame, str) else frame.decode())
                    self._outcome.hear(self._clock.time() - self._begin, event)
                    self._heard.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._heard:
                self._heard.notify_all()

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(_PATIENCE_S), self._heard:
            await self._heard.wait_for(holds)
