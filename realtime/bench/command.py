"""`chroma-realtime bench URL`: many conversations with any OpenAI-compatible realtime server at once, and
what those who hold them get."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

from realtime.bench.address import metrics_url, socket_url


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser("bench", help="load a realtime server with conversations, and measure")
    add = parser.add_argument
    add("url", metavar="URL", help="of any OpenAI-compatible realtime server: host:port will do")
    add("recordings", type=Path, nargs="+", metavar="RECORDING", help="what the clients say (wav, flac, mp3)")
    add("--sessions", type=int, default=10, help="conversations at once (default 10)")
    add("--idle", type=int, default=0, help="more sessions, which are open and say nothing")
    add("--ramp", type=float, default=0.0, help="seconds over which the sessions are opened")
    add("--seconds", type=float, default=60.0, help="all of them talk for so long (default 60)")
    add("--every", type=float, default=12.0, help="seconds from a question to the next, answered or not (12)")
    add("--barge-in", type=int, default=4, metavar="N", help="interrupt every Nth answer (4); 0: none")
    add("--barge-in-after", type=float, default=1.0, metavar="S", help="s after its first sound (1)")
    add("--append-ms", type=int, default=20, help="sound of one append (default 20)")
    add("--manual", action="store_true", help="clients commit by hand: no turn detection")
    add("--probe", type=float, default=0.0, metavar="S", help="send an event there and back every S seconds")
    add("--model", default="gpt-realtime", help="where the URL names none")
    add("--voice", help="voice of the answers")
    add("--instructions", help="system prompt")
    add("--api-key", default=os.environ.get("OPENAI_API_KEY"), help="$OPENAI_API_KEY")
    add("--insecure", action="store_true", help="accept any certificate of a wss:// server")
    add("--pid", type=int, help="the server's process on this machine, to see what it takes")
    add("--processes", type=int, default=1, help="of clients: a core holds some hundred sessions (default 1)")
    add("--warm-up", type=float, default=0.0, help="first seconds, which are not counted")
    add("--json", type=Path, help="keep all figures in this file")
    add("--plots", type=Path, metavar="FOLDER", help="draw percentiles.svg and timeline.svg there")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Load the server; returns the exit code: 0 where any session was opened."""
    try:
        _check(options)
        # Imported here, so that the other commands need not have them.
        from realtime.bench import plots
        from realtime.bench.caller import read_speech
        from realtime.bench.figures import Figures
        from realtime.bench.load import Clients, Load
        from realtime.bench.run import Run
        from realtime.bench.server_load import ServerLoad
        from realtime.bench.show import report

        speeches = tuple(read_speech(path, options.append_ms / 1000) for path in options.recordings)
    except ImportError as error:
        print(f"bench: {error.name} is missing: pip install 'chroma-realtime[bench]'", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    load = Load(
        url=socket_url(options.url, options.model),
        sessions=options.sessions,
        idle=options.idle,
        speeches=speeches,
        ramp=options.ramp,
        seconds=options.seconds,
        every=options.every,
        interrupts=options.barge_in,
        after=options.barge_in_after,
        manual=options.manual,
        settings=_settings(options),
        probe_s=options.probe,
        key=options.api_key,
        insecure=options.insecure,
    )
    server = ServerLoad(metrics_url(load.url), load.key, options.pid, insecure=load.insecure)
    clients, figures = Clients(load, options.processes), Figures()
    try:
        timeline = Run(clients, server, figures, options.warm_up).watch()
    finally:
        clients.close()
        server.close()
    print(report(figures, server.summary()))
    if options.json:
        kept = {**_asked(options, load.url), **figures.summary()}
        kept |= {"server": server.summary(), "timeline": timeline}
        options.json.write_text(json.dumps(kept, indent=1))
        print(f"kept {options.json}")
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for path in plots.draw(options.plots, figures, timeline):
            print(f"drawn {path}")
    return 0 if figures.counts["opened"] else 1


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if options.voice:
        settings["audio"] = {"output": {"voice": options.voice}}
    if options.instructions is not None:
        settings["instructions"] = options.instructions
    return settings


def _asked(options: argparse.Namespace, url: str) -> dict[str, Any]:
    """What was done, without anything that is secret: queries may hold keys."""
    left_out = ("api_key", "func", "url", "json", "plots", "pid")
    return {
        "url": url.partition("?")[0],
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "options": {
            name: [str(each) for each in value] if name == "recordings" else value
            for name, value in vars(options).items()
            if name not in left_out
        },
    }


def _check(options: argparse.Namespace) -> None:
    """Raises ValueError for an option that cannot be."""
    wrong = [
        (options.sessions < 0 or options.idle < 0, "--sessions and --idle must be 0 or more"),
        (options.sessions + options.idle < 1, "there are no sessions to hold"),
        (options.seconds <= 0, "--seconds must be more than 0"),
        (options.ramp < 0 or options.warm_up < 0, "--ramp and --warm-up must be 0 or more"),
        (options.probe < 0, "--probe must be 0 or more"),
        (options.every <= 0, "--every must be more than 0"),
        (options.barge_in < 0, "--barge-in must be 0 or more"),
        (not 5 <= options.append_ms <= 1000, "--append-ms must be between 5 and 1000"),
        (not 1 <= options.processes <= 256, "--processes must be between 1 and 256"),
    ]
    for broken, message in wrong:
        if broken:
            raise ValueError(message)
