"""`chroma-realtime serve`: its options, checked before anything is loaded."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from dataclasses import fields
from pathlib import Path

from engine import EngineError, EngineSettings
from engine.models import ECHO, NANO, PUBLISHED, WHISPER
from realtime.server.limit_settings import Limits, option, wrong
from realtime.server.settings import ServerSettings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    engine, server = EngineSettings(model=""), ServerSettings()
    parser = commands.add_parser("serve", help="serve a model to OpenAI Realtime clients")
    parser.add_argument(
        "--model", help=f"{NANO} (default), hub id ({PUBLISHED}), checkpoint folder, or {ECHO}"
    )
    parser.add_argument(
        "--random-weights", metavar="SHAPE", help="measure speed without weights: chroma-4b, chroma-mid"
    )
    parser.add_argument("--revision", help="branch, tag or commit of a hub id")
    parser.add_argument(
        "--transcriber", metavar="whisper:ID", help="a Whisper model for clients that name it"
    )
    parser.add_argument("--voice", help="default voice; see 'chroma-realtime voice list'")
    parser.add_argument("--voices-dir", type=Path, help="folder of your voices")
    parser.add_argument("--host", default=server.host, help=f"address to listen on ({server.host})")
    parser.add_argument("--port", type=int, default=server.port, help=f"port ({server.port}); 0 takes any")
    parser.add_argument("--keys", type=Path, help="file of the keys that let clients in, one a line")
    parser.add_argument(
        "--secret-file", type=Path, help="what client secrets are signed with; share it among replicas"
    )
    parser.add_argument("--open", action="store_true", help="let everybody in who reaches --host")
    parser.add_argument("--ssl-certfile", type=Path, help="serve wss:// with this certificate")
    parser.add_argument(
        "--ssl-keyfile", type=Path, help="the certificate's key, where it is not in the same file"
    )
    parser.add_argument("--device", default=engine.device, help="auto, cuda, cuda:1, cpu")
    parser.add_argument("--dtype", default=engine.dtype, help="auto, bfloat16, float16, float32")
    parser.add_argument(
        "--weights",
        choices=["full", "int8"],
        default=engine.weights,
        help="int8: less memory, on a CPU less time a frame, and not quite the model's sound",
    )
    parser.add_argument(
        "--reasoner",
        choices=["auto", "transformers", "sglang"],
        default=engine.reasoner,
        help="what runs the language model; auto: SGLang where there are a GPU and SGLang",
    )
    parser.add_argument("--tp", type=int, default=engine.tp, help="GPUs that share the language model")
    parser.add_argument(
        "--gpus", type=_gpus, default=(), metavar="0,1,…", help="one engine on each of these GPUs"
    )
    parser.add_argument(
        "--sglang",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any option of SGLang's server; --sglang.NAME VALUE does as well",
    )
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="TOML file of these options; [sglang] is SGLang's table"
    )
    parser.add_argument("--slots", type=int, default=engine.slots, help="most answers spoken at once")
    parser.add_argument("--context", type=int, help="most tokens of a conversation and its answer")
    parser.add_argument(
        "--no-cuda-graphs",
        action="store_true",
        help="start sooner and answer slower: the GPU waits for the host",
    )
    parser.add_argument("--temperature", type=float, default=engine.temperature, help="0 is greedy")
    parser.add_argument(
        "--top-k", type=int, default=engine.top_k, help=f"likeliest codes to sample from ({engine.top_k})"
    )
    parser.add_argument("--max-seconds", type=float, default=engine.max_seconds, help="longest answer")
    parser.add_argument(
        "--early-answers",
        choices=("off", "auto", "on"),
        default=server.early_answers,
        help="begin an answer while it is not sure yet that a turn is over: never, where there is room"
        " (default), always",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="run the engines in this Ray cluster: its address, auto, or local"
    )
    parser.add_argument("--ray-engines", type=int, default=engine.ray_engines, help="how many (1)")
    parser.add_argument(
        "--ray-max-engines",
        type=int,
        help="as many as this while sessions speak; never fewer than the former",
    )
    parser.add_argument(
        "--ray-idle-s",
        type=float,
        default=engine.ray_idle_s,
        help=f"seconds for which one of them has to be spare before it is drained ({engine.ray_idle_s:g})",
    )
    parser.add_argument(
        "--watchdog-s",
        type=float,
        default=engine.watchdog_s,
        help="seconds in which the engine has to give a sign of life; 0: for ever",
    )
    parser.add_argument("--stun", help="STUN server for WebRTC calls, such as stun:stun.example.com:3478")
    parser.add_argument("--audio-folder", type=Path, help="let requests over HTTP name files in this folder")
    parser.add_argument(
        "--origin", action="append", default=[], help="a site whose pages may come in; '*' is all of them"
    )
    parser.add_argument("--log", choices=("plain", "json"), default="plain", help="json: one object a line")
    parser.add_argument(
        "--log-events",
        choices=("off", "ids", "all"),
        default=server.log_events,
        help="log each event: never (default), its type and ids, or all of it, words and sound included",
    )
    parser.add_argument(
        "--traces", action="store_true", help="send a trace of each turn to $OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    parser.add_argument(
        "--record", type=Path, metavar="FOLDER", help="record every session, words and sound included"
    )
    parser.add_argument("--in-process", action="store_true", help="run the engine in the gateway's process")
    parser.add_argument(
        "--watermark",
        metavar="MODULE:FUNCTION",
        help="what marks all outgoing sound; see docs/threat-model.md",
    )
    _add_limits(parser)
    parser.set_defaults(func=run)


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


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; returns the exit code."""
    # Imported here, so that the other commands need not wait for a web server and a detector.
    from engine.factory import create
    from engine.logs import configure
    from realtime.server.serving import Serving

    configure(options.log, "gateway")
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    server_settings = ServerSettings(
        host=options.host,
        port=options.port,
        ssl_certfile=options.ssl_certfile,
        ssl_keyfile=options.ssl_keyfile,
        keys_file=options.keys,
        secret_file=options.secret_file,
        open=options.open,
        voices_dir=options.voices_dir,
        audio_folder=options.audio_folder,
        stun=options.stun,
        origins=tuple(options.origin),
        watermark=options.watermark,
        early_answers=options.early_answers,
        **{one.name: getattr(options, one.name) for one in fields(Limits)},
        log_events=options.log_events,
        traces=options.traces,
        record=options.record,
    )
    try:
        _check(options)
        if problem := wrong(server_settings):
            raise EngineError("invalid_setting", problem)
        engine = create(
            EngineSettings(
                model=f"random:{options.random_weights}" if options.random_weights else options.model or NANO,
                revision=options.revision,
                voice=options.voice,
                voices_dir=options.voices_dir,
                device=options.device,
                dtype=options.dtype,
                weights=options.weights,
                slots=options.slots,
                context=options.context,
                cuda_graphs=not options.no_cuda_graphs,
                max_seconds=options.max_seconds,
                temperature=options.temperature,
                top_k=options.top_k,
                reasoner=options.reasoner,
                tp=options.tp,
                gpus=options.gpus,
                sglang=tuple(options.sglang),
                watchdog_s=options.watchdog_s,
                ray=options.ray,
                ray_engines=options.ray_engines,
                ray_max_engines=options.ray_max_engines,
                ray_idle_s=options.ray_idle_s,
                logs=options.log,
                in_process=options.in_process,
            )
        )
        transcriber = None
        if options.transcriber:
            transcriber = create(
                EngineSettings(
                    model=options.transcriber,
                    device=options.device,
                    dtype=options.dtype,
                    watchdog_s=options.watchdog_s,
                    logs=options.log,
                )
            )
        serving = Serving(engine, server_settings, transcriber)
        if options.model is None:
            print(
                f"No --model is given: this is {NANO}, the toy that comes in the box."
                f" The real one, for an NVIDIA GPU: --model {PUBLISHED}",
                file=sys.stderr,
            )
        return serving.run()
    except EngineError as error:
        print(f"chroma-realtime: {error.message}", file=sys.stderr)
        return 1


def _gpus(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of GPUs such as 0,1") from None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value or "true"


def _check(options: argparse.Namespace) -> None:
    """Raises EngineError for a setting that cannot be."""
    wrong = [
        (
            bool(options.transcriber) and not options.transcriber.startswith(WHISPER),
            f"--transcriber has to be {WHISPER} and a hub id or folder, such as whisper:openai/whisper-base",
        ),
        (options.tp < 1, "--tp must be at least 1"),
        (options.tp > 1 and options.reasoner == "transformers", "--tp needs --reasoner sglang"),
        (bool(options.sglang) and options.reasoner == "transformers", "--sglang needs --reasoner sglang"),
        (bool(options.gpus) and options.in_process, "--gpus cannot be in the gateway's own process"),
        (options.slots < 1, "--slots must be at least 1"),
        (options.context is not None and options.context < 256, "--context must be at least 256"),
        (not 0 <= options.temperature < math.inf, "--temperature must be 0 or more"),
        (options.top_k < 1, "--top-k must be at least 1"),
        (not 0 < options.max_seconds < math.inf, "--max-seconds must be more than 0"),
        (options.ray_engines < 1, "--ray-engines must be at least 1"),
        (
            options.ray_max_engines is not None and options.ray_max_engines < options.ray_engines,
            "--ray-max-engines must be at least --ray-engines",
        ),
        (not 0 <= options.ray_idle_s < math.inf, "--ray-idle-s must be 0 or more"),
        (not 0 <= options.watchdog_s < math.inf, "--watchdog-s must be 0 or more"),
        (not 0 <= options.port <= 65535, "--port must be between 0 and 65535"),
        (bool(options.ssl_keyfile) and not options.ssl_certfile, "--ssl-keyfile needs --ssl-certfile"),
    ]
    for broken, message in wrong:
        if broken:
            raise EngineError("invalid_setting", message)
