"""Server events to text frames. Sound is most of what is sent, so its frame is put together by hand."""

from __future__ import annotations

from typing import Any

import orjson
import pybase64

from realtime.session.effects import SendAudio


def encode(event: dict[str, Any]) -> str:
    """Any event as JSON."""
    return orjson.dumps(event).decode()


def encode_audio(effect: SendAudio) -> str:
    """A `response.output_audio.delta`. Its ids are the server's own: nothing in them needs escaping."""
    return (
        f'{{"type":"response.output_audio.delta","event_id":"{effect.event_id}",'
        f'"response_id":"{effect.response_id}","item_id":"{effect.item_id}",'
        f'"output_index":{effect.output_index},"content_index":{effect.content_index},'
        f'"delta":"{pybase64.b64encode_as_string(effect.pcm)}"}}'
    )
