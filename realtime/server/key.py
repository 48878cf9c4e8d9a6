"""`chroma-realtime key`: a new key for a client."""

from __future__ import annotations

import argparse

from realtime.server.keys import new_key


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = commands.add_parser("key", help="make a key; append its line to the file of serve --keys")
    parser.add_argument("name", help="whom it is for")
    parser.add_argument("--sessions", type=int, help="most sessions at once")
    parser.add_argument("--tokens-per-minute", type=int)
    parser.add_argument("--requests-per-minute", type=int)
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Print the line; returns the exit code."""
    limits = ("sessions", "tokens_per_minute", "requests_per_minute")
    given = [f"{name}={getattr(options, name)}" for name in limits if getattr(options, name) is not None]
    print(" ".join([options.name, new_key(), *given]))
    return 0
