"""What has to hold for everything that a session ever sends, checked on the whole of it."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import numpy as np

from engine import Audio
from realtime.session.effects import Cancel, Start

Event = dict[str, Any]


def check(effects: list[Any], events: list[Event], finished: Collection[str] = ()) -> None:
    """All of them. `finished`: ids of the requests that the engine came to an end with by itself."""
    assert events[0]["type"] == "session.created"
    identifiers = [event["event_id"] for event in events]
    assert len(identifiers) == len(set(identifiers))
    check_responses(events)
    check_order(events)
    check_listening(events)
    check_requests(effects, events, finished)


def check_responses(events: list[Event]) -> None:
    """One response at a time writes to the conversation, others run beside it. Each, taken by itself: one end
    and nothing after it; items and parts open and close around their deltas; what was said is the same
    wherever it stands. Nothing of one beside the conversation is in the conversation."""
    streams: dict[str, list[Event]] = {}
    beside: set[str] = set()
    active: str | None = None
    final: set[str] = set()
    for event in events:
        kind = event["type"]
        if kind == "conversation.item.done":
            final.add(event["item"]["id"])
        elif kind == "response.created":
            response = event["response"]["id"]
            assert response not in streams
            streams[response] = []
            if event["response"]["conversation_id"] is None:
                beside.add(response)
            else:
                assert active is None, "one active response at a time"
                active = response
            assert (event["response"]["output"], event["response"]["usage"]) == ([], None)
        elif kind.startswith("response."):
            response = event["response"]["id"] if kind == "response.done" else event["response_id"]
            streams[response].append(event)
            if kind == "response.output_item.done":
                # The conversation's item is final first.
                assert (event["item"]["id"] in final) == (response not in beside)
            if kind == "response.done" and response == active:
                active = None
    for stream in streams.values():
        check_response(stream)


def check_response(events: list[Event]) -> None:
    """One response's own events."""
    said: dict[str, str] = defaultdict(str)
    opened: list[str] = []
    over = False
    index = -1
    for event in events:
        assert not over, "nothing comes after the end"
        kind = event["type"]
        if kind == "response.done":
            assert opened == [], "what was opened is closed"
            over = True
            check_end(event["response"], said)
        elif kind.endswith("item.added"):
            assert opened == []
            index += 1
            opened = [event["item"]["type"]]
            assert event["item"]["status"] == "in_progress"
            assert not event["item"].get("content")
            assert not event["item"].get("arguments")
        elif kind.endswith("part.added"):
            assert opened == ["message"]
            opened.append("part")
        elif kind.endswith("part.done"):
            assert opened.pop() == "part"
            assert words(event["part"]) == said[event["item_id"]]
        elif kind.endswith("item.done"):
            assert opened == [event["item"]["type"]]
            opened = []
            assert item_words(event["item"]) == said[event["item"]["id"]]
        elif "function_call" in kind:
            assert opened == ["function_call"]
            if kind.endswith("delta"):
                said[event["item_id"]] += event["delta"]
            else:
                assert event["arguments"] == said[event["item_id"]]
        else:
            assert opened == ["message", "part"]
            if kind.endswith((".output_text.delta", "transcript.delta")):
                said[event["item_id"]] += event["delta"]
            elif kind.endswith((".output_text.done", "transcript.done")):
                assert words(event) == said[event["item_id"]]
        assert event.get("output_index", index) == index


def item_words(item: Event) -> str:
    return item["arguments"] if item["type"] == "function_call" else words(item["content"][0])


def words(part: Event) -> str:
    return part["text"] if "text" in part else part["transcript"]


def check_end(response: Event, said: dict[str, str]) -> None:
    status, details, usage = response["status"], response["status_details"], response["usage"]
    assert status in ("completed", "cancelled", "incomplete", "failed")
    assert (details or {"type": "completed"})["type"] == status
    for item in response["output"]:
        cut = status != "completed" and item["type"] == "message" and item is response["output"][-1]
        assert not cut or item["status"] == "incomplete"
        assert status != "completed" or item["status"] == "completed"
        assert item_words(item) == said[item["id"]]
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


def check_requests(effects: list[Any], events: list[Event], finished: Collection[str]) -> None:
    """One request for each response, which ends or is told to; one begun early is answered or thrown away. An
    audio id means the same bytes for ever, of which a sound that is not whole is the beginning, and all sound
    is a run of what was appended: in order, without a gap, nothing twice."""
    requests = [effect.request for effect in effects if isinstance(effect, Start)]
    check_transcriptions([request.id for request in requests if request.transcribe], events)
    requests = [request for request in requests if not request.transcribe]
    early = {request.id for request in requests for sound in list(request.sounds())[-1:] if not sound.whole}
    identifiers = [request.id for request in requests]
    created = [event["response"]["id"] for event in events if event["type"] == "response.created"]
    assert len(identifiers) == len(set(identifiers))
    assert set(created) <= set(identifiers)
    assert [each for each in identifiers if each not in early] == [
        each for each in created if each not in early
    ]
    ended = {event["response"]["id"] for event in events if event["type"] == "response.done"}
    cancelled = {effect.request_id for effect in effects if isinstance(effect, Cancel)}
    assert set(identifiers) <= ended | cancelled | early.intersection(finished)
    assert cancelled >= {
        event["response"]["id"] for event in events if event.get("response", {}).get("status") == "cancelled"
    }, "the engine is told to stop what is cancelled"
    sounds: dict[str, bytes] = {}
    for request in requests:
        for part in (part for message in request.messages for part in message.parts):
            if isinstance(part, Audio) and part.whole:
                assert sounds.setdefault(part.id, part.pcm) == part.pcm
    for request in requests:
        for sound in request.sounds():
            assert sound.whole or sounds.get(sound.id, sound.pcm).startswith(sound.pcm)
    seen: set[int] = set()
    for pcm in sounds.values():
        # Where nobody said anything for long, silence makes up for sound that is not there.
        samples = np.trim_zeros(np.frombuffer(pcm, "<u2"), "b")
        assert (np.diff(samples) == 1).all(), "a run without a gap"
        positions = set(samples.tolist())
        assert not positions & seen, "nothing twice"
        seen |= positions


def check_transcriptions(requests: list[str], events: list[Event]) -> None:
    """Each item is written down at most once, and what was shown of it is what was written in the end."""
    said: dict[str, str] = defaultdict(str)
    over: set[str] = set()
    for event in events:
        if not event["type"].startswith("conversation.item.input_audio_transcription."):
            continue
        item = event["item_id"]
        assert item not in over
        if event["type"].endswith("delta"):
            said[item] += event["delta"]
            continue
        over.add(item)
        assert event["type"].endswith("failed") or event["transcript"] == said[item]
    assert len(said.keys() | over) <= len(requests)
