"""Whatever comes, in whatever order: the protocol's invariants hold and nothing raises."""

import copy
import itertools
import json
from typing import Any

import invariants
import numpy as np
from driving import FRAME, USAGE, Driver, event_of, types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import AudioDelta, Finished, Started, TextDelta, ToolCall
from realtime.session.effects import Detect, Judge, ResetDetector

WINDOW = 768
MOST_SAMPLES = 65_536
"""A sample tells its own position, in 16 bits."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
positions = st.integers(-2, 6).map(lambda place: f"<item {place}>")
"""Stands for an item that there is, or is not, when the event is sent."""


def event(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


def session(patch: dict[str, Any]) -> dict[str, Any]:
    return {"type": "realtime", **patch}


def message(role: str, kind: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": "Hi"}]}


FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}

patches = st.sampled_from(
    [
        session({}),
        session({"output_modalities": ["text"]}),
        session({"output_modalities": ["audio"], "instructions": "Be brief.", "tracing": "auto"}),
        session({"audio": {"input": {"turn_detection": None}}}),
        session({"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 40}}}}),
        session({"audio": {"input": {"turn_detection": {"interrupt_response": False, "threshold": 0.3}}}}),
        session({"audio": {"input": {"turn_detection": {"create_response": False}}}}),
        session({"audio": {"input": {"turn_detection": {"prefix_padding_ms": 1000}}}}),
        session({"audio": {"output": {"voice": "bob", "speed": 1.0}}}),
        session({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}}),
        session({"audio": {"input": {"turn_detection": {"interrupt_after_ms": 200}}}}),
        session({"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}}}),
        session({"audio": {"input": {"transcription": {"model": "any", "language": "en"}}}}),
        session({"audio": {"input": {"transcription": None}}}),
        session({"audio": {"output": {"format": {"type": "audio/pcmu"}, "speed": 1.5}}}),
        session({"tools": [FUNCTION], "tool_choice": "required"}),
        session({"tools": [], "tool_choice": "auto", "truncation": "disabled"}),
    ]
)
items = st.sampled_from(
    [
        message("user", "input_text"),
        message("system", "input_text"),
        message("assistant", "output_text"),
        CALL,
        {"type": "function_call_output", "call_id": "c", "output": "Noon."},
    ]
)
responses = st.sampled_from(
    [
        None,
        {"output_modalities": ["text"], "metadata": {"a": "b"}},
        {"max_output_tokens": 5, "audio": {"output": {"voice": "bob"}}},
        {"conversation": "none", "input": [message("user", "input_text")], "metadata": {"a": "b"}},
        {"conversation": "none", "output_modalities": ["text"]},
        {"input": [], "tools": [FUNCTION], "parallel_tool_calls": False},
    ]
)
valid_events = st.one_of(
    event("session.update", session=patches),
    event("input_audio_buffer.commit"),
    event("input_audio_buffer.clear"),
    event("conversation.item.create", item=items, previous_item_id=positions | st.none() | st.just("root")),
    event("conversation.item.retrieve", item_id=positions),
    event("conversation.item.delete", item_id=positions),
    event(
        "conversation.item.truncate",
        item_id=positions,
        content_index=st.just(0),
        audio_end_ms=st.integers(0, 400),
    ),
    event("response.create", response=responses),
    event("response.cancel"),
)


def places(value: Any) -> list[list[Any]]:
    """The path of everything in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [[], *([key, *path] for key, child in inner for path in places(child))]


def broken(event: dict[str, Any], at: int, value: Any) -> Any:
    """The event with something in it replaced; `at` says what."""
    paths = places(event)
    path = paths[at % len(paths)]
    if not path:
        return value
    event = copy.deepcopy(event)
    target: Any = event
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return event


broken_events = st.builds(broken, valid_events, st.integers(0, 20), json_values)
engine_events = st.sampled_from(
    [
        Started(USAGE),
        TextDelta("Hello "),
        TextDelta("there."),
        AudioDelta(FRAME),
        ToolCall("f", '{"a": 1}'),
        Started(USAGE, left_out=1),
        Finished("completed", USAGE),
        Finished("length", USAGE),
        Finished("failed", code="engine_died", message="It died."),
    ]
)
levels = st.sampled_from([0.0, 0.4, 0.9])
utterances = st.lists(st.tuples(levels, st.integers(1, 4)), min_size=1, max_size=4).map(
    lambda runs: [level for level, count in runs for _ in range(count)]
)
"""Probabilities as speech and silence make them: some windows alike, then others."""
step = st.one_of(
    st.tuples(st.just("client"), valid_events),
    st.tuples(st.just("client"), broken_events),
    st.tuples(st.just("append"), st.integers(0, 6 * WINDOW)),
    st.tuples(st.just("engine"), st.lists(engine_events, min_size=1, max_size=3)),
    st.tuples(st.just("judged"), st.sampled_from([None, 0.1, 0.9])),
    st.tuples(st.just("time"), st.sampled_from([0.5, 10.0])),
    st.tuples(st.just("late engine"), st.lists(engine_events, min_size=1, max_size=3)),
    st.tuples(st.just("heard"), utterances),
    st.tuples(st.just("spoken"), utterances),
    st.tuples(st.just("old epoch"), st.just([0.9, 0.9])),
)
steps = st.lists(step, min_size=12, max_size=60)

ANSWERS = {
    "session.update": ["session.updated"],
    "input_audio_buffer.commit": ["input_audio_buffer.committed"],
    "input_audio_buffer.clear": ["input_audio_buffer.cleared"],
    "conversation.item.create": ["conversation.item.added", "conversation.item.done"],
    "conversation.item.retrieve": ["conversation.item.retrieved"],
    "conversation.item.delete": ["conversation.item.deleted"],
    "conversation.item.truncate": ["conversation.item.truncated"],
    "response.create": ["response.created"],
    "response.cancel": ["response.done"],
}


class Run:
    """Drives a session as the server would: windows that were asked for, engine events of real requests."""

    def __init__(self, *, early: bool, **turn_detection: Any) -> None:
        self.driver = Driver(early_answers="on" if early else "off")
        self.finished: set[str] = set()
        # Short enough for turns to end within an utterance, long enough for an answer to be begun before.
        silence = 200 if early else 50
        turn_detection |= {"silence_duration_ms": silence, "prefix_padding_ms": 100}
        self.driver.configure(turn_detection=turn_detection)
        self.epoch, self.windows = 0, 0.0
        self.appended = 0
        self.numbers = itertools.count()

    def take(self, kind: str, value: Any) -> None:
        seen = len(self.driver.effects)
        if kind == "client":
            self.send(value)
        elif kind == "append":
            self.append(value)
        elif kind == "heard":
            self.hear(value)
        elif kind == "spoken":
            self.append(len(value) * WINDOW)
            self.follow(seen)
            seen = len(self.driver.effects)
            self.hear(value)
        elif kind == "judged":
            self.judge(value)
        elif kind == "time":
            self.driver.at(self.driver.now + value)
        elif kind == "old epoch":
            assert self.driver.session.heard(self.epoch - 1, value) == []
        else:
            self.answer(kind == "engine", value)
        self.follow(seen)

    def append(self, samples: int) -> None:
        count = min(samples, MOST_SAMPLES - self.appended)
        sound = np.arange(self.appended, self.appended + count).astype("<u2").tobytes()
        assert self.driver.append(sound) == []
        self.appended += count

    def hear(self, probabilities: list[float]) -> None:
        count = min(len(probabilities), int(self.windows))
        self.windows -= count
        self.driver.do(self.driver.session.heard(self.epoch, probabilities[:count]))

    def judge(self, probability: float | None) -> None:
        pauses = [effect.pause for effect in self.driver.effects if isinstance(effect, Judge)]
        if pauses:
            self.driver.do(self.driver.session.judged(pauses[-1], probability))

    def answer(self, newest: bool, events: list[Any]) -> None:
        requests = self.driver.requests()
        for event in events if requests else ():
            request = requests[-1 if newest else 0]
            running = request.id not in self.ended()
            effects = self.driver.session.engine(request.id, event)
            if isinstance(event, Finished):
                self.finished.add(request.id)
            assert effects == [] or running, "what an old answer still yields is dropped"
            self.driver.do(effects)

    def ended(self) -> set[str]:
        """Responses that are over."""
        done = [event for event in self.driver.events if event["type"] == "response.done"]
        return {event["response"]["id"] for event in done}

    def follow(self, seen: int) -> None:
        """What the detector is told."""
        for effect in self.driver.effects[seen:]:
            if isinstance(effect, ResetDetector):
                self.epoch, self.windows = effect.epoch, 0.0
            elif isinstance(effect, Detect):
                assert effect.epoch == self.epoch
                self.windows += len(effect.pcm) / (2 * WINDOW)

    def send(self, value: Any) -> None:
        """A client event is answered, or is an error that names it: never both, never neither."""
        name = f"mine_{next(self.numbers)}"
        frame = json.dumps({**value, "event_id": name} if isinstance(value, dict) else value)
        for place, item in enumerate(self.items()):
            frame = frame.replace(f"<item {place}>", item)
        events = self.driver.do(self.driver.session.receive(frame))
        errors = [event["error"] for event in events if event["type"] == "error"]
        if errors:
            assert len(events) == 1
            assert errors[0]["event_id"] == (name if isinstance(value, dict) else None)
        else:
            assert set(ANSWERS[value["type"]]) <= set(types(events))

    def items(self) -> list[str]:
        """The conversation, as its client knows it."""
        items: list[str] = []
        for event in self.driver.events:
            if event["type"] == "conversation.item.added":
                items.append(event["item"]["id"])
            elif event["type"] == "conversation.item.deleted":
                items.remove(event["item_id"])
        return items


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.booleans(), st.booleans(), st.booleans())
def test_invariants_hold_for_any_sequence(sequence, interrupt, answer, early):
    hold(sequence, interrupt, answer, early)


def hold(sequence: list[tuple[str, Any]], interrupt: bool, answer: bool, early: bool) -> None:
    run = Run(early=early, interrupt_response=interrupt, create_response=answer)
    for kind, value in sequence:
        run.take(kind, value)
    driver = run.driver
    asked = {"instructions": "Whatever was said is shown to the model.", "tool_choice": "auto"}
    driver.send("response.create", response=asked)
    effects = driver.session.close()
    assert not any(map(event_of, effects)), "nothing is sent to a connection that is gone"
    invariants.check([*driver.effects, *effects], driver.events, run.finished)
