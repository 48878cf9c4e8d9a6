"""`chroma-realtime voice add | list | remove`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.api import EngineError
from engine.models import NANO
from engine.voices.store import CONSENT_NOT_STATED, VoiceStore


def add_parser(subparsers: Any) -> None:
    """Add `voice` to a command line; each of its commands sets `func`, Namespace to exit code.

    Args:
        subparsers: what `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser("voice", help="add, list and remove reference voices")
    commands = parser.add_subparsers(dest="voice_command", required=True, metavar="{add,list,remove}")

    add = commands.add_parser("add", help="keep a recording as a voice")
    add.add_argument("name", metavar="NAME", help="letters, digits, '-' and '_'")
    add.add_argument("sample", metavar="SAMPLE", type=Path, help="3 to 30 seconds of one person speaking")
    add.add_argument("--text", required=True, help="what the recording says, word for word")
    add.add_argument("--consent", default="", help="who agreed to the use of this voice, and when")
    add.set_defaults(func=_guarded(_add))

    show = commands.add_parser("list", help="the voices there are, the default one first")
    show.add_argument("--model", help=f"the model that is to speak, which may bring voices (default: {NANO})")
    show.set_defaults(func=_guarded(_list))

    remove = commands.add_parser("remove", help="delete a voice that you added")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(func=_guarded(_remove))

    for command in (add, show, remove):
        command.set_defaults(model=NANO)
        command.add_argument("--voices-dir", type=Path, metavar="DIR", help="folder of your voices")


def _guarded(command: Any) -> Any:
    """The command with an EngineError told in one line and exit code 1."""

    def run(args: argparse.Namespace) -> int:
        try:
            command(VoiceStore(args.voices_dir, args.model), args)
        except EngineError as error:
            print(f"error: {error.message} [{error.code}]", file=sys.stderr)
            return 1
        return 0

    return run


def _add(store: VoiceStore, args: argparse.Namespace) -> None:
    voice = store.add(args.name, args.sample, args.text, args.consent)
    print(f"added voice {voice.name}: {voice.seconds:.1f} s in {voice.sample.parent}")
    if voice.consent == CONSENT_NOT_STATED:
        print(
            "note: no consent is on record. Use a person's voice only with their leave, and write down who "
            f'gave it and when: --consent "…", or in {voice.sample.with_name("consent.txt")}'
        )


def _list(store: VoiceStore, args: argparse.Namespace) -> None:
    voices = store.list()
    width = max((len(voice.name) for voice in voices), default=0)
    for voice in voices:
        origin = "builtin" if voice.builtin else f"consent: {voice.consent.splitlines()[0]}"
        print(f"{voice.name:<{width}}  {voice.seconds:5.1f} s  {origin}")
    print(f"your voices are in {store.folder}")


def _remove(store: VoiceStore, args: argparse.Namespace) -> None:
    store.remove(args.name)
    print(f"removed voice {args.name}")
