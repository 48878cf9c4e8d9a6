"""The model in the box behind a real server, for the tests that talk with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving import command


@contextlib.contextmanager
def nano_server(folder: Path) -> Iterator[str]:
    """`chroma-realtime serve` as it comes, caches and the user's voices in `folder`; yields its base URL."""
    environment = {"XDG_CACHE_HOME": str(folder), "CHROMA_REALTIME_VOICES": str(folder / "voices")}
    with command("--temperature", "0", environment=environment) as url:
        yield url


def transcript(events: list[Any]) -> str:
    """All words that were spoken among the events."""
    kind = "response.output_audio_transcript.delta"
    return "".join(event.delta for event in events if event.type == kind)
