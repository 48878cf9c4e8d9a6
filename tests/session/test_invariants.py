"""Whatever comes, in whatever order: the protocol's invariants hold and nothing raises."""

import base64
import json
from collections import defaultdict
from typing import Any

from driving import FRAME, USAGE, Driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import AudioDelta, Finished, Started, TextDelta
from realtime.session.effects import Cancel, Detect, ResetDetector, Start

SOUND = base64.b64encode(bytes(768 * 2 * 6)).decode()
WORDS = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
session_patches = st.fixed_dictionaries(
    {"type": st.just("realtime")},
    optional={
        "output_modalities": st.sampled_from([["audio"], ["text"], [], None]),
        "audio": st.sampled_from(
            [
                {"input": {"turn_detection": None}},
                {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 40}}},
                {"input": {"turn_detection": {"interrupt_response": False, "threshold": 0.3}}},
                {"output": {"voice": "bob"}},
                {"output": {"voice": "nobody"}},
            ]
        ),
        "instructions": json_values,
    },
)
item_ids = st.integers(1, 60).map(lambda number: f"item_{number}") | st.just("root") | st.none()
client_events = st.one_of(
    st.builds(lambda patch: {"type": "session.update", "session": patch}, session_patches),
    st.just({"type": "input_audio_buffer.append", "audio": SOUND}),
    st.builds(
        lambda audio: {"type": "input_audio_buffer.append", "audio": audio},
        st.sampled_from(["AAA=", "?", None]),
    ),
    st.just({"type": "input_audio_buffer.commit"}),
    st.just({"type": "input_audio_buffer.clear"}),
    st.builds(
        lambda after: {"type": "conversation.item.create", "item": WORDS, "previous_item_id": after}, item_ids
    ),
    st.builds(lambda item: {"type": "conversation.item.create", "item": item}, json_values),
    st.builds(
        lambda verb, item_id: {"type": f"conversation.item.{verb}", "item_id": item_id},
        st.sampled_from(["retrieve", "delete"]),
        item_ids,
    ),
    st.builds(
        lambda item_id, ms: {
            "type": "conversation.item.truncate",
            "item_id": item_id,
            "content_index": 0,
            "audio_end_ms": ms,
        },
        item_ids,
        st.integers(-1, 200),
    ),
    st.just({"type": "response.create"}),
    st.builds(lambda body: {"type": "response.create", "response": body}, json_values),
    st.just({"type": "response.cancel"}),
    st.builds(lambda kind, extra: {"type": kind, "x": extra}, st.text(max_size=20), json_values),
    json_values,
)
engine_events = st.sampled_from(
    [
        Started(USAGE),
        TextDelta("Hello "),
        TextDelta("there."),
        AudioDelta(FRAME),
        Finished("completed", USAGE),
        Finished("length", USAGE),
        Finished("failed", code="engine_died", message="It died."),
    ]
)
steps = st.lists(
    st.tuples(st.just("client"), client_events)
    | st.tuples(st.just("engine"), engine_events)
    | st.tuples(st.just("late engine"), engine_events)
    | st.tuples(st.just("heard"), st.lists(st.sampled_from([0.0, 0.4, 0.9]), max_size=8))
    | st.tuples(st.just("old epoch"), st.just([0.9, 0.9])),
    max_size=60,
)


class Run:
    """Drives a session as the server would: windows that were asked for, engine events of real requests."""

    def __init__(self) -> None:
        self.driver = Driver()
        self.epoch, self.windows = 0, 0.0

    def take(self, kind: str, value: Any) -> None:
        driver, seen = self.driver, len(self.driver.effects)
        if kind == "client":
            driver.do(driver.session.receive(json.dumps(value)))
        elif kind == "heard":
            count = min(len(value), int(self.windows))
            self.windows -= count
            driver.do(driver.session.heard(self.epoch, value[:count]))
        elif kind == "old epoch":
            driver.do(driver.session.heard(self.epoch - 1, value))
        elif requests := driver.requests():
            request = requests[-1 if kind == "engine" else 0]
            driver.do(driver.session.engine(request.id, value))
        for effect in driver.effects[seen:]:
            if isinstance(effect, ResetDetector):
                self.epoch, self.windows = effect.epoch, 0.0
            elif isinstance(effect, Detect):
                assert effect.epoch == self.epoch
                self.windows += len(effect.pcm) / 1536


def check_responses(driver: Driver) -> None:
    """One end for each response and nothing after it; parts and items open and close around their deltas."""
    created, ended = [], set()
    deltas: dict[tuple[str, str], str] = defaultdict(str)
    opened, closed = set(), set()
    for event in driver.events:
        kind = event["type"]
        if kind == "response.created":
            assert len(created) == len(ended), "one active response at a time"
            created.append(event["response"]["id"])
            continue
        response = event.get("response", {}).get("id") or event.get("response_id")
        if response is None:
            continue
        assert response in created
        assert response not in ended, f"{kind} after response.done"
        item = event.get("item_id") or event.get("item", {}).get("id")
        if kind == "response.output_item.added":
            opened.add(item)
        elif kind == "response.output_item.done":
            closed.add(item)
        elif kind == "response.done":
            ended.add(response)
            assert event["response"]["status"] != "in_progress"
            assert {item["id"] for item in event["response"]["output"]} <= closed
            usage = event["response"]["usage"]
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        else:
            assert item in opened
            assert item not in closed
        if kind.endswith((".output_audio_transcript.delta", ".output_text.delta")):
            deltas[response, item] += event["delta"]
        for key in ("transcript", "text"):
            if kind.endswith(f"{key}.done"):
                assert event[key] == deltas[response, item]


def check_listening(driver: Driver) -> None:
    """Turns begin and end in turn, in order, under one id."""
    speaking, last = None, 0
    for event in driver.events:
        if event["type"] == "input_audio_buffer.speech_started":
            assert event["audio_start_ms"] >= last
            last, speaking = event["audio_start_ms"], event["item_id"]
        elif event["type"] == "input_audio_buffer.speech_stopped":
            assert event["item_id"] == speaking
            assert event["audio_end_ms"] >= last
            last, speaking = event["audio_end_ms"], None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_invariants_hold_for_any_sequence(sequence):
    run = Run()
    for kind, value in sequence:
        run.take(kind, value)
    driver = run.driver
    driver.do(driver.session.close())
    identifiers = [event["event_id"] for event in driver.events]
    assert len(identifiers) == len(set(identifiers))
    check_responses(driver)
    check_listening(driver)
    started = [effect.request.id for effect in driver.effects if isinstance(effect, Start)]
    assert len(started) == len(set(started))
    ended = {event["response"]["id"] for event in driver.events if event["type"] == "response.done"}
    cancelled = {effect.request_id for effect in driver.effects if isinstance(effect, Cancel)}
    assert set(started) <= ended | cancelled, "every answer has ended or was told to"
