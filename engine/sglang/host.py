"""The process that hosts SGLang: `python -m engine.sglang.host FD`, started by `engine.sglang.keeper` alone.

SGLang ends its host when one of its own processes dies; so this one holds nothing else. It notices such a
death by itself at once, and ends; the keeper starts another.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from engine.api import EngineError
from engine.logs import configure
from engine.processes import end_group, end_with
from engine.sglang.messages import (
    Answer,
    Block,
    Launch,
    Launched,
    NotLaunched,
    Over,
    Read,
    Said,
    Stop,
    Weigh,
    Weighed,
)
from engine.sglang.names import ARCHITECTURE, ROWS
from engine.sglang.options import parsed
from engine.wire import pack, receive

log = logging.getLogger(__name__)

_ENVIRONMENT = {
    "SGLANG_EXTERNAL_MODEL_PACKAGE": "engine.sglang.models",
    "SGLANG_EXTERNAL_MM_PROCESSOR_PACKAGE": "engine.sglang.processors",
    "SGLANG_EXTERNAL_MM_MODEL_ARCH": ARCHITECTURE,
}
"""What SGLang's processes load of us."""
_AT_ONCE = 64
"""Tokens of a forced text that are read at once."""


class Host:
    """One SGLang engine and the socket that it is asked over."""

    def __init__(self, engine: Any, writer: asyncio.StreamWriter) -> None:
        self._engine, self._writer = engine, writer
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._retracted: dict[str, int] = {}
        self._out: list[Said | Weighed | Over] = []

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Do what is asked until the engine's process has gone."""
        while True:
            match await receive(reader):
                case Answer() as asked:
                    self._start(asked.id, self._answer(asked))
                case Read() as asked:
                    self._start(asked.id, self._read(asked.id, asked.ids, asked.blocks))
                case Weigh() as asked:
                    self._start(asked.id, self._weigh(asked))
                case Stop(request_id):
                    if request_id in self._tasks:
                        self._tasks[request_id].cancel()

    def _start(self, request_id: str, work: Coroutine[Any, Any, object]) -> None:
        task = self._tasks[request_id] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._finish(request_id, done))

    def _finish(self, request_id: str, task: asyncio.Task[object]) -> None:
        """Say that it is over: from then on nothing reads its sound. Also of one that was stopped before it
        had begun."""
        del self._tasks[request_id]
        error = None
        if task.cancelled():
            error = "it was stopped"
        elif wrong := task.exception():
            error = str(wrong)
            if not isinstance(wrong, ValueError):
                log.error("request %s failed", request_id, exc_info=wrong)
                error = f"{type(wrong).__name__}: {wrong}"
        self._send(Over(request_id, error, self._retracted.pop(request_id, 0)))

    async def _answer(self, asked: Answer) -> None:
        ids = asked.ids
        if asked.forced:
            await self._forced(asked)
            ids = [*ids, *asked.forced]
        most = asked.most - len(asked.forced)
        if most <= 0 or asked.forced[-1:] == (asked.end,):
            return
        sampling = {
            "temperature": 0,
            "max_new_tokens": most,
            "stop_token_ids": [asked.end] if asked.end >= 0 else [],
            "ignore_eos": True,
        }
        async for chunk in self._generate(asked.id, ids, asked.blocks, sampling, return_hidden_states="last"):
            meta = chunk["meta_info"]
            rows = tuple(meta.get(ROWS, ()))
            if len(rows) != len(chunk["output_ids"]):
                raise RuntimeError(f"{len(chunk['output_ids'])} tokens came with {len(rows)} rows")
            self._retracted[asked.id] = meta["num_retractions"]
            if chunk["output_ids"]:
                self._send(Said(asked.id, tuple(chunk["output_ids"]), rows, meta["cached_tokens"]))

    async def _forced(self, asked: Answer) -> None:
        """Say a text that is given. Its tokens are not the model's choice: the hidden state before each of
        them is the last one of a prompt that ends there, and all but that one token is in the cache."""
        forced = list(asked.forced[: asked.most])
        whole = [*asked.ids, *forced]
        cached = await self._read(f"{asked.id}r", whole, asked.blocks)
        for begin in range(0, len(forced), _AT_ONCE):
            some = range(begin, min(begin + _AT_ONCE, len(forced)))
            rows = await asyncio.gather(
                *(
                    self._row(f"{asked.id}-{place}", whole[: len(asked.ids) + place], asked.blocks)
                    for place in some
                )
            )
            tokens = tuple(forced[place] for place in some)
            self._send(Said(asked.id, tokens, tuple(rows), min(cached, len(asked.ids))))

    async def _row(self, request_id: str, ids: list[int], blocks: Sequence[Block]) -> bytes:
        """The hidden state after a prompt."""
        sampling = {"temperature": 0, "max_new_tokens": 1, "ignore_eos": True}
        async for chunk in self._generate(request_id, ids, blocks, sampling, return_hidden_states="last"):
            if rows := chunk["meta_info"].get(ROWS):
                return bytes(rows[0])
        raise RuntimeError("a prompt came back without its hidden state")

    async def _read(self, request_id: str, ids: list[int], blocks: Sequence[Block]) -> int:
        """Read a prompt. Returns how many of its tokens had been read before."""
        cached = 0
        async for chunk in self._generate(request_id, ids, blocks, {"max_new_tokens": 0}):
            cached = chunk["meta_info"]["cached_tokens"]
        return cached

    async def _weigh(self, asked: Weigh) -> None:
        sampling = {"temperature": 0, "max_new_tokens": 1, "ignore_eos": True}
        wanted = {"return_logprob": True, "token_ids_logprob": [*asked.one, *asked.other]}
        async for chunk in self._generate(asked.id, asked.ids, asked.blocks, sampling, **wanted):
            for logprobs in chunk["meta_info"].get("output_token_ids_logprobs") or ():
                self._send(Weighed(asked.id, share([each[0] for each in logprobs], len(asked.one))))
                return

    async def _generate(
        self,
        request_id: str,
        ids: list[int],
        blocks: Sequence[Block],
        sampling: dict[str, Any],
        **wanted: Any,
    ) -> AsyncIterator[dict[str, Any]]:
        """SGLang's chunks. Ending this early ends the request, and its cache is free at once.

        Raises:
            ValueError: SGLang refuses the prompt.
        """
        stream = await self._engine.async_generate(
            input_ids=ids,
            audio_data=[block for block in blocks if block.start < len(ids)] or None,
            sampling_params=sampling,
            rid=request_id,
            stream=True,
            **wanted,
        )
        ended = False
        try:
            async for chunk in stream:
                reason = chunk["meta_info"]["finish_reason"]
                if reason is not None and reason["type"] == "abort":
                    raise ValueError(reason.get("message") or "SGLang ended it")
                ended = reason is not None
                yield chunk
        finally:
            if not ended:
                self._engine.tokenizer_manager.abort_request(request_id)

    def _send(self, message: Said | Weighed | Over) -> None:
        """Send it with all else that comes of the same step."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(message)

    def _flush(self) -> None:
        self._writer.write(pack(self._out))
        self._out = []


def share(logprobs: Sequence[float], of: int) -> float:
    """What the first `of` of some log-probabilities have of the probability of all."""
    weights = [math.exp(each) for each in logprobs]
    return sum(weights[:of]) / sum(weights)


def launch(asked: Launch) -> Any:
    """A running SGLang engine.

    Raises:
        EngineError: `invalid_setting`.
    """
    os.environ.update(_ENVIRONMENT, SGLANG_DISABLED_MODEL_ARCHS=",".join(_other_models()))
    from sglang.srt.entrypoints.engine import Engine
    from sglang.srt.server_args import ServerArgs

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    ServerArgs.add_cli_args(parser)
    return Engine(model_path=str(asked.folder), **{**asked.arguments, **parsed(asked.options, parser)})


def _other_models() -> list[str]:
    """SGLang's own models but for the one that ours is built on: each of its processes imports them all
    otherwise, which takes longer than everything else that it starts with."""
    spec = importlib.util.find_spec("sglang")
    assert spec is not None
    assert spec.origin is not None
    models = Path(spec.origin).parent / "srt" / "models"
    return sorted(path.stem for path in models.glob("*.py") if path.stem != "qwen2")


def end_with_children() -> None:
    """End this process as soon as one of SGLang's has died."""
    sentinels = [child.sentinel for child in multiprocessing.active_children()]

    def watch() -> None:
        wait(sentinels)
        log.error("a process of SGLang's has died")
        end_group()

    threading.Thread(target=watch, name="sglang-watch", daemon=True).start()


async def run(connection: socket.socket) -> None:
    """Launch what the first message asks for, say so, and serve it."""
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    asked = await receive(reader)
    assert isinstance(asked, Launch)
    try:
        engine = launch(asked)
    except EngineError as error:
        writer.write(pack(NotLaunched(error.code, error.message)))
        await writer.drain()
        return
    except Exception as error:
        log.exception("SGLang does not start")
        message = f"SGLang does not start: {type(error).__name__}: {error}"
        writer.write(pack(NotLaunched("reasoner_start_failed", message)))
        await writer.drain()
        return
    end_with_children()
    info = engine._scheduler_init_result.scheduler_infos[0]
    writer.write(pack(Launched(info["max_total_num_tokens"])))
    await Host(engine, writer).serve(reader)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure("plain", "sglang")
    logging.getLogger("sglang").setLevel(logging.ERROR)
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    # Those of SGLang's that are only starting do not end with this one by themselves.
    end_with(connection, group=True)
    try:
        asyncio.run(run(connection))
    except Exception:
        log.exception("the host of SGLang failed")
    end_group()


if __name__ == "__main__":
    main()
