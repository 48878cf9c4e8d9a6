"""What has to hold for everything that a session ever sends, checked on the whole of it."""

from collections import defaultdict
from typing import Any

import numpy as np

from engine import Audio
from realtime.session.effects import Cancel, Start

Event = dict[str, Any]


def check(effects: list[Any], events: list[Event]) -> None:
    """All of them."""
    assert events[0]["type"] == "session.created"
    identifiers = [event["event_id"] for event in events]
    assert len(identifiers) == len(set(identifiers))
    check_responses(events)
    check_order(events)
    check_listening(events)
    check_requests(effects, events)


def check_responses(events: list[Event]) -> None:
    """One response at a time; one end for each and nothing after it; items and parts open and close around
    their deltas; what was said is the same wherever it stands."""
    active: str | None = None
    begun: set[str] = set()
    final: set[str] = set()
    opened: list[str] = []
    said: dict[str, str] = defaultdict(str)
    for event in events:
        kind = event["type"]
        if kind == "conversation.item.done":
            final.add(event["item"]["id"])
        elif kind == "response.created":
            assert active is None, "one active response at a time"
            active, opened = event["response"]["id"], []
            assert active not in begun
            begun.add(active)
            assert (event["response"]["output"], event["response"]["usage"]) == ([], None)
        elif kind.startswith("response."):
            assert (event["response"]["id"] if kind == "response.done" else event["response_id"]) == active
            if kind == "response.done":
                assert opened == [], "what was opened is closed"
                active = None
                check_end(event["response"], said)
            elif kind.endswith("item.added"):
                assert opened == []
                opened = ["item"]
                assert (event["item"]["status"], event["item"]["content"]) == ("in_progress", [])
            elif kind.endswith("part.added"):
                assert opened == ["item"]
                opened = ["item", "part"]
            elif kind.endswith("part.done"):
                assert opened == ["item", "part"]
                opened = ["item"]
                assert words(event["part"]) == said[event["item_id"]]
            elif kind.endswith("item.done"):
                assert opened == ["item"]
                opened = []
                assert event["item"]["id"] in final, "the conversation's item is final first"
                assert words(event["item"]["content"][0]) == said[event["item"]["id"]]
            else:
                assert opened == ["item", "part"]
                if kind.endswith((".output_text.delta", "transcript.delta")):
                    said[event["item_id"]] += event["delta"]
                elif kind.endswith((".output_text.done", "transcript.done")):
                    assert words(event) == said[event["item_id"]]


def words(part: Event) -> str:
    return part["text"] if "text" in part else part["transcript"]


def check_end(response: Event, said: dict[str, str]) -> None:
    status, details, usage = response["status"], response["status_details"], response["usage"]
    assert status in ("completed", "cancelled", "incomplete", "failed")
    assert (details or {"type": "completed"})["type"] == status
    for item in response["output"]:
        assert item["status"] == ("completed" if status == "completed" else "incomplete")
        assert words(item["content"][0]) == said[item["id"]]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert status != "failed" or usage["total_tokens"] == 0
    for side in ("input", "output"):
        details = usage[f"{side}_token_details"]
        assert usage[f"{side}_tokens"] == details["text_tokens"] + details["audio_tokens"]


def check_order(events: list[Event]) -> None:
    """A client that mirrors the conversation by `previous_item_id` always finds the item it names."""
    mirror: list[str] = []
    before: dict[str, str | None] = {}
    pending: set[str] = set()
    for event in events:
        if event["type"] == "conversation.item.added":
            item_id, previous = event["item"]["id"], event["previous_item_id"]
            assert item_id not in mirror
            mirror.insert(mirror.index(previous) + 1 if previous else 0, item_id)
            before[item_id] = previous
            pending.add(item_id)
        elif event["type"] == "conversation.item.done":
            item_id = event["item"]["id"]
            assert event["previous_item_id"] == before[item_id]
            pending.remove(item_id)
            assert event["item"]["status"] != "in_progress"
        elif event["type"] == "conversation.item.deleted":
            mirror.remove(event["item_id"])
        elif event["type"] == "input_audio_buffer.committed":
            assert event["previous_item_id"] == (mirror[-1] if mirror else None)
    assert len(pending) <= 1, "only the item of an answer that the connection took along"


def check_listening(events: list[Event]) -> None:
    """Turns begin and end in turn, in order, under one id; only a clear or an update leaves one open."""
    speaking, last = None, 0
    for event in events:
        kind = event["type"]
        if kind == "input_audio_buffer.speech_started":
            assert speaking is None
            assert event["audio_start_ms"] >= last
            last, speaking = event["audio_start_ms"], event["item_id"]
        elif kind == "input_audio_buffer.speech_stopped":
            assert event["item_id"] == speaking
            assert event["audio_end_ms"] >= last
            last, speaking = event["audio_end_ms"], None
        elif kind == "input_audio_buffer.committed":
            assert speaking is None
        elif kind == "input_audio_buffer.cleared" or (
            kind == "session.updated" and not event["session"]["audio"]["input"]["turn_detection"]
        ):
            speaking = None


def check_requests(effects: list[Any], events: list[Event]) -> None:
    """One request for each response, which ends or is told to. An audio id means the same bytes for ever,
    and all sound is a run of what was appended: in order, without a gap, nothing twice."""
    requests = [effect.request for effect in effects if isinstance(effect, Start)]
    identifiers = [request.id for request in requests]
    assert identifiers == [event["response"]["id"] for event in events if event["type"] == "response.created"]
    ended = {event["response"]["id"] for event in events if event["type"] == "response.done"}
    cancelled = {effect.request_id for effect in effects if isinstance(effect, Cancel)}
    assert set(identifiers) <= ended | cancelled
    assert cancelled >= {
        event["response"]["id"] for event in events if event.get("response", {}).get("status") == "cancelled"
    }, "the engine is told to stop what is cancelled"
    sounds: dict[str, bytes] = {}
    for request in requests:
        for part in (part for message in request.messages for part in message.parts):
            if isinstance(part, Audio):
                assert sounds.setdefault(part.id, part.pcm) == part.pcm
    seen: set[int] = set()
    for pcm in sounds.values():
        samples = np.frombuffer(pcm, "<u2")
        assert (np.diff(samples) == 1).all(), "a run without a gap"
        positions = set(samples.tolist())
        assert not positions & seen, "nothing twice"
        seen |= positions
