"""Coverage-guided fuzzing of all that reads what comes from outside, with atheris (libFuzzer for Python).

`python tests/fuzz/fuzz_decoders.py TARGET [libFuzzer options]`, for example `sound -max_total_time=600`;
`all` takes turns. It ends with the first input that raises anything but the error which is meant for it.
"""

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["realtime", "engine"]):
    from engine import EngineError, ToolCall
    from engine.sound_reader import UnreadableSound, read_mono
    from engine.tool_calls import CallReader
    from realtime.audio.formats import SoundDecoder
    from realtime.protocol import beta
    from realtime.protocol.errors import ProtocolError
    from realtime.protocol.events import decode_audio, parse
    from realtime.server.client_secrets import ClientSecrets, SecretError
    from realtime.server.rest.chat_request import read_chat
    from realtime.server.rest.sound_files import fetch
    from realtime.session.config import SessionConfig
    from realtime.session.session import Session

TEXT = [{"type": "input_text", "text": "Hi"}]
SOUND = [{"type": "input_audio", "audio": "AAAA"}]
EVENTS = [
    {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "ada"}}}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": TEXT}},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": SOUND}},
    {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 0},
    {"type": "response.create", "response": {"conversation": "none", "metadata": {"a": "b"}}},
]
CHATS = [
    {"messages": [{"role": "user", "content": "Hi"}], "modalities": ["text", "audio"]},
    {"messages": [{"role": "user", "content": [{"type": "audio", "audio": "data:;base64,AA=="}]}]},
    {"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]},
]


def seeds(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def sounds() -> list[bytes]:
    """A little of each kind of file."""
    import numpy as np
    import soundfile

    files = []
    for kind in ("WAV", "FLAC", "OGG", "MP3"):
        file = io.BytesIO()
        soundfile.write(file, np.zeros((2_000, 2)), 16_000, format=kind)
        files.append(file.getvalue())
    return files


def sound(data: bytes) -> None:
    with contextlib.suppress(UnreadableSound):
        assert len(read_mono(data, 1.0)) <= 2 * 24_000 + 100


def events(data: bytes) -> None:
    """A session takes whatever comes: a frame a line."""
    session = Session(SessionConfig("chroma", voices=("ada",), max_items=50), clock=lambda: 0.0)
    for frame in data.splitlines()[:20]:
        session.receive(frame)
    session.close()


def dialect(data: bytes) -> None:
    """The beta's words are translated or left as they are."""
    try:
        event = parse(data)
    except ProtocolError:
        return
    assert isinstance(beta.incoming(event), dict)


def wire(data: bytes) -> None:
    """Sound on the wire, cut anywhere, is the same sound; and base64 that is none says so."""
    with contextlib.suppress(ProtocolError):
        decode_audio(data.decode("latin-1"), "audio", 1_000)
    cut = data[0] % (len(data) or 1) if data else 0
    for kind in ("audio/pcm", "audio/pcmu", "audio/pcma"):
        whole, parts = SoundDecoder(kind), SoundDecoder(kind)
        assert (
            whole.add(data) + whole.flush() == parts.add(data[:cut]) + parts.add(data[cut:]) + parts.flush()
        )


def calls(data: bytes) -> None:
    """A model's text, cut anywhere, holds the same words and calls."""
    text = data.decode(errors="replace")
    assert read_calls([text]) == read_calls(list(text))


def read_calls(pieces: list[str]) -> tuple[str, list[tuple[str, str]], str | None]:
    reader = CallReader(["f"])
    found: list[str | ToolCall] = []
    broken = None
    try:
        for piece in pieces:
            found += reader.add(piece)
        found += reader.rest()
    except EngineError as error:
        broken = error.code
    if broken:
        # How much was told before depends on where the text was cut.
        return "", [], broken
    words = "".join(one for one in found if isinstance(one, str))
    return words, [(one.name, one.arguments) for one in found if isinstance(one, ToolCall)], None


def chat(data: bytes) -> None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(body, dict):
        with contextlib.suppress(ProtocolError):
            read_chat(body, lambda given, param, _: fetch(given, param, None, 1_000))


SECRETS = ClientSecrets(b"a secret of the fuzzer's", clock=lambda: 0.0)


def secret(data: bytes) -> None:
    with contextlib.suppress(SecretError):
        SECRETS.read(data.decode("latin-1"))


CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "sound": (sound, sounds()),
    "events": (events, seeds(*EVENTS)),
    "dialect": (dialect, seeds(*EVENTS)),
    "wire": (wire, [b"AAAA", bytes(range(256))]),
    "calls": (calls, [CALL.encode(), f"Wait. {CALL}\n{CALL}".encode()]),
    "chat": (chat, seeds(*CHATS)),
    "secret": (secret, [SECRETS.mint("ada", {"type": "realtime"})[0].encode()]),
}


def each(data: bytes) -> None:
    """The first byte chooses."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)][0](data[1:])


def everything() -> list[bytes]:
    return [bytes([number]) + seed for number, (_, corpus) in enumerate(TARGETS.values()) for seed in corpus]


def main(name: str, options: list[str]) -> None:
    target, corpus = (each, everything()) if name == "all" else TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(corpus):
            (Path(folder) / str(number)).write_bytes(data)
        atheris.Setup([sys.argv[0], folder, *options], target)
        atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in (*TARGETS, "all"):
        sys.exit(f"usage: fuzz_decoders.py all|{'|'.join(TARGETS)} [libFuzzer options]")
    main(sys.argv[1], sys.argv[2:])
