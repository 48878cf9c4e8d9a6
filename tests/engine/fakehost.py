"""A host without SGLang: `python -m fakehost FD`. It says the numbers from 1 on, with hidden states that are
the number; what it was told is in what it does. Its environment says how it begins."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

from engine.processes import end_group, end_with
from engine.sglang.messages import Answer, Launched, NotLaunched, Over, Read, Said, Stop, Weigh, Weighed
from engine.wire import pack, receive

HIDDEN = 4
DIES, ENDLESS, REFUSED = 666, 777, 888
"""First tokens of prompts that are answered in their own way."""


def row(number: int) -> bytes:
    return struct.pack(f"{HIDDEN}f", *[float(number)] * HIDDEN)


def count_start(file: Path) -> int:
    """How often one was started: each start is another process."""
    starts = len(file.read_text()) + 1 if file.exists() else 1
    file.write_text("x" * starts)
    return starts


def start_child(file: Path) -> None:
    """A process that would outlive it."""
    file.write_text(str(subprocess.Popen(["sleep", "3600"]).pid))


async def run(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    launch = await receive(reader)
    if str(count_start(launch.folder / "starts")) in os.environ.get("FAKEHOST_FAILS", "").split(","):
        os._exit(3)
    if os.environ.get("FAKEHOST_REFUSES"):
        writer.write(pack(NotLaunched("invalid_setting", "no such option")))
        await writer.drain()
        return
    start_child(launch.folder / "child")
    writer.write(pack(Launched(room=1000)))

    def send(*messages) -> None:
        writer.write(pack(list(messages)))

    while True:
        match await receive(reader):
            case Answer(name, ids, _, _, end, most):
                if ids[0] == DIES:
                    send(Said(name, (1, 2), (row(1), row(2)), 0))
                    await writer.drain()
                    os._exit(9)
                if ids[0] == REFUSED:
                    send(Over(name, "the prompt is refused"))
                elif ids[0] == ENDLESS:
                    send(Said(name, (1,), (row(1),), 2))
                else:
                    count = min(most, end if end > 0 else most)
                    numbers = tuple(range(1, count + 1))
                    for number in numbers:
                        send(Said(name, (number,), (row(number),), 2))
                    send(Over(name))
            case Read(name, _, blocks):
                send(Over(name, None if blocks else "nothing to hear"))
            case Weigh(name, _, _, one, other):
                send(Weighed(name, len(one) / (len(one) + len(other))), Over(name))
            case Stop(name):
                send(Over(name, "it was stopped"))


if __name__ == "__main__":
    inherited = socket.socket(fileno=int(sys.argv[1]))
    inherited.set_inheritable(False)
    end_with(inherited, group=True)
    try:
        asyncio.run(run(inherited))
    except EOFError:
        end_group()
