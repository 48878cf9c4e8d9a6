"""Server events to text frames. Sound is most of what is sent, so its frame is put together by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pybase64

from realtime.protocol.ids import random_id
from realtime.session.effects import SendAudio

_LONGEST_DELTA = 2 * 24_000 // 5
"""Bytes of 200 ms: clients take frames of 1 MiB at most, and play sooner what comes in small parts."""


def encode(event: dict[str, Any]) -> str:
    """Any event as JSON."""
    return orjson.dumps(event).decode()


def encode_audio(effect: SendAudio) -> Iterator[str]:
    """`response.output_audio.delta`, each of 200 ms at most. The ids are the server's own: nothing in
    them needs escaping."""
    for start in range(0, len(effect.sound), _LONGEST_DELTA):
        event_id = random_id("event") if start else effect.event_id
        sound = pybase64.b64encode_as_string(effect.sound[start : start + _LONGEST_DELTA])
        yield (
            f'{{"type":"response.output_audio.delta","event_id":"{event_id}",'
            f'"response_id":"{effect.response_id}","item_id":"{effect.item_id}",'
            f'"output_index":{effect.output_index},"content_index":{effect.content_index},'
            f'"delta":"{sound}"}}'
        )
