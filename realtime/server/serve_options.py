"""The options of `chroma-realtime serve`, in groups as its help shows them."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from engine import EngineSettings
from engine.models import ECHO, NANO, PUBLISHED
from realtime.server.limit_settings import Limits, option
from realtime.server.settings import ServerSettings


def add_options(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML file of these options; [sglang] is SGLang's table"
    )
    for add in (_add_model, _add_language, _add_answers, _add_access, _add_ray, _add_observing, _add_limits):
        add(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    engine = EngineSettings(model="")
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--model", help=f"{NANO} (default), hub id ({PUBLISHED}), checkpoint folder, or {ECHO}"
    )
    group.add_argument(
        "--random-weights", metavar="SHAPE", help="measure speed without weights: chroma-4b, chroma-mid"
    )
    group.add_argument("--revision", help="branch, tag or commit of a hub id")
    group.add_argument("--transcriber", metavar="whisper:ID", help="a Whisper model for clients that name it")
    group.add_argument("--device", default=engine.device, help="auto, cuda, cuda:1, cpu")
    group.add_argument("--dtype", default=engine.dtype, help="auto, bfloat16, float16, float32")
    group.add_argument(
        "--weights",
        choices=["full", "int8"],
        default=engine.weights,
        help="int8: less memory, on a CPU less time a frame, and not quite the model's sound",
    )
    group.add_argument("--slots", type=int, default=engine.slots, help="most answers spoken at once")
    group.add_argument("--context", type=int, help="most tokens of a conversation and its answer")
    group.add_argument(
        "--no-cuda-graphs",
        action="store_true",
        help="start sooner and answer slower: the GPU waits for the host",
    )
    group.add_argument(
        "--fused-kernels",
        action="store_true",
        help="compile a GPU's small kernels into few at start-up; not measured yet",
    )
    group.add_argument("--in-process", action="store_true", help="run the engine in the gateway's process")
    group.add_argument(
        "--watchdog-s",
        type=float,
        default=engine.watchdog_s,
        help="seconds in which the engine has to give a sign of life; 0: for ever",
    )


def _add_language(parser: argparse.ArgumentParser) -> None:
    engine = EngineSettings(model="")
    group = parser.add_argument_group("the language model", "docs/operations.md")
    group.add_argument(
        "--reasoner",
        choices=["auto", "transformers", "sglang"],
        default=engine.reasoner,
        help="what runs the language model; auto: SGLang where there are a GPU and SGLang",
    )
    group.add_argument("--tp", type=int, default=engine.tp, help="GPUs that share the language model")
    group.add_argument(
        "--gpus", type=_gpus, default=(), metavar="0,1,…", help="one engine on each of these GPUs"
    )
    group.add_argument(
        "--sglang",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any option of SGLang's server; --sglang.NAME VALUE does as well",
    )


def _add_answers(parser: argparse.ArgumentParser) -> None:
    engine = EngineSettings(model="")
    server = ServerSettings()
    group = parser.add_argument_group("answers")
    group.add_argument("--voice", help="default voice; see 'chroma-realtime voice list'")
    group.add_argument("--voices-dir", type=Path, help="folder of your voices")
    group.add_argument("--temperature", type=float, default=engine.temperature, help="0 is greedy")
    group.add_argument(
        "--top-k", type=int, default=engine.top_k, help=f"likeliest codes to sample from ({engine.top_k})"
    )
    group.add_argument("--max-seconds", type=float, default=engine.max_seconds, help="longest answer")
    group.add_argument(
        "--early-answers",
        choices=("off", "auto", "on"),
        default=server.early_answers,
        help="begin an answer while it is not sure yet that a turn is over: never, where there is room"
        " (default), always",
    )
    group.add_argument(
        "--watermark",
        metavar="MODULE:FUNCTION",
        help="what marks all outgoing sound; see docs/threat-model.md",
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    server = ServerSettings()
    group = parser.add_argument_group("who may come in", "docs/threat-model.md")
    group.add_argument("--host", default=server.host, help=f"address to listen on ({server.host})")
    group.add_argument("--port", type=int, default=server.port, help=f"port ({server.port}); 0 takes any")
    group.add_argument("--open", action="store_true", help="let everybody in who reaches --host")
    group.add_argument("--keys", type=Path, help="file of the keys that let clients in, one a line")
    group.add_argument(
        "--secret-file", type=Path, help="what client secrets are signed with; share it among replicas"
    )
    group.add_argument("--ssl-certfile", type=Path, help="serve wss:// with this certificate")
    group.add_argument(
        "--ssl-keyfile", type=Path, help="the certificate's key, where it is not in the same file"
    )
    group.add_argument(
        "--origin", action="append", default=[], help="a site whose pages may come in; '*' is all of them"
    )
    group.add_argument("--stun", help="STUN server for WebRTC calls, such as stun:stun.example.com:3478")
    group.add_argument("--audio-folder", type=Path, help="let requests over HTTP name files in this folder")


def _add_ray(parser: argparse.ArgumentParser) -> None:
    engine = EngineSettings(model="")
    group = parser.add_argument_group("several machines")
    group.add_argument(
        "--ray", metavar="ADDRESS", help="run the engines in this Ray cluster: its address, auto, or local"
    )
    group.add_argument("--ray-engines", type=int, default=engine.ray_engines, help="how many (1)")
    group.add_argument(
        "--ray-max-engines",
        type=int,
        help="as many as this while sessions speak; never fewer than the former",
    )
    group.add_argument(
        "--ray-idle-s",
        type=float,
        default=engine.ray_idle_s,
        help=f"seconds for which one of them has to be spare before it is drained ({engine.ray_idle_s:g})",
    )


def _add_observing(parser: argparse.ArgumentParser) -> None:
    server = ServerSettings()
    group = parser.add_argument_group("seeing it", "docs/observing.md")
    group.add_argument("--log", choices=("plain", "json"), default="plain", help="json: one object a line")
    group.add_argument(
        "--log-events",
        choices=("off", "ids", "all"),
        default=server.log_events,
        help="log each event: never (default), its type and ids, or all of it, words and sound included",
    )
    group.add_argument(
        "--traces", action="store_true", help="send a trace of each turn to $OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    group.add_argument(
        "--record", type=Path, metavar="FOLDER", help="record every session, words and sound included"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits", "what one too many is told: docs/limits.md")
    for one in fields(Limits):
        group.add_argument(
            option(one.name),
            type=type(one.default),
            default=one.default,
            metavar="N",
            help=f"{one.metadata['what']} ({one.default})",
        )


def _gpus(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of GPUs such as 0,1") from None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value or "true"
