"""The command line. Each command's module is imported where its parser is made; heavy imports wait
until it runs."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    from engine import EngineError, doctor
    from engine.voices import cli as voice
    from realtime.bench import command as bench
    from realtime.bench import replay
    from realtime.server import key, serve, talk
    from realtime.server.settings_file import expand

    parser = argparse.ArgumentParser(
        prog="chroma-realtime",
        description="An OpenAI-compatible realtime server for FlashLabs Chroma: speech in, speech out.",
        epilog="first steps: 'chroma-realtime doctor' says what is missing, 'chroma-realtime serve' serves,"
        " and 'chroma-realtime talk question.wav --out answer.wav' speaks with it. 'COMMAND --help' tells"
        " more.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, talk, bench, replay, voice, key, doctor):
        command.add_parser(commands)
    try:
        options = parser.parse_args(expand(sys.argv[1:] if arguments is None else arguments))
    except EngineError as error:
        parser.exit(1, f"chroma-realtime: {error.message}\n")
    return int(options.func(options))


if __name__ == "__main__":
    sys.exit(main())
