"""`chroma-realtime serve`: its options, checked before anything is loaded."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from dataclasses import fields

from engine import EngineError, EngineSettings
from engine.garbage import settle
from engine.models import NANO, PUBLISHED, WHISPER
from realtime.server.limit_settings import Limits, wrong
from realtime.server.serve_options import add_options
from realtime.server.settings import ServerSettings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser("serve", help="serve a model to OpenAI Realtime clients")
    add_options(parser)
    parser.set_defaults(func=run)


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
                fused_kernels=options.fused_kernels,
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
        settle()
        return serving.run()
    except EngineError as error:
        print(f"chroma-realtime: {error.message}", file=sys.stderr)
        return 1


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
