"""The pure life cycles, by themselves: any happenings in any order."""

from dataclasses import replace

from driving import FRAME, USAGE
from hypothesis import given
from hypothesis import strategies as st

from engine import AudioDelta, Finished, Started, TextDelta, ToolCall
from realtime.session import idle, response_life, transcription_life, turn_detection
from realtime.session.response_life import CloseMessage, End, Finish, OpenMessage, ResponseState, ShowCall
from realtime.session.turn_detection import WINDOW, Thresholds, TurnEnded, TurnPaused, TurnStarted, TurnState

happenings = st.lists(
    st.sampled_from(
        [
            Started(USAGE),
            TextDelta("a"),
            TextDelta(""),
            AudioDelta(FRAME),
            AudioDelta(b""),
            ToolCall("f", "{}"),
            End("completed", usage=USAGE),
            End("cancelled", "client_cancelled"),
            End("incomplete", "max_output_tokens"),
            End("failed", error={"code": "x"}),
        ]
    ),
    max_size=12,
)


@given(happenings, st.booleans(), st.booleans())
def test_a_response_opens_closes_calls_and_ends_in_order(happenings, spoken, parallel):
    state, shown = ResponseState(spoken=spoken, parallel=parallel), []
    for happening in happenings:
        before = state
        state, steps = response_life.next_state(state, happening)
        assert before == replace(before), "states are values"
        shown += steps
        if before.status != "in_progress":
            assert (state, steps) == (before, ())
    kinds = [type(step).__name__ for step in shown]
    assert (
        kinds.count("Finish")
        == (state.status != "in_progress")
        == any(isinstance(happening, End) for happening in happenings)
    )
    assert "Finish" not in kinds[:-1]
    assert kinds.count("OpenMessage") <= 1
    assert kinds.count("CloseMessage") == kinds.count("OpenMessage") * (state.message == "closed")
    inside = called = False
    for step in shown:
        called = called or isinstance(step, ShowCall)
        if isinstance(step, OpenMessage):
            assert not called
            inside = True
        elif isinstance(step, CloseMessage):
            inside = False
        elif isinstance(step, ShowCall | Finish):
            assert not inside
        else:
            assert inside
    assert parallel or kinds.count("ShowCall") <= 1
    assert spoken or "ShowSound" not in kinds
    if state.status == "failed":
        assert state.usage.output_text_tokens == 0


@given(
    st.lists(st.sampled_from([0.0, 0.4, 0.9]), max_size=120),
    st.sampled_from([0, 700, 5000]),
    st.sampled_from([None, 1536]),
    st.integers(1, 4),
)
def test_turns_begin_pause_and_end_in_order(probabilities, padding, pause, speech):
    limits = Thresholds(probability=0.5, padding=padding, silence=3000, speech=speech, pause=pause)
    state, ended, open_from = TurnState(position=0), 0, None
    for count, probability in enumerate(probabilities, 1):
        state, happening = turn_detection.next_window(state, probability, limits)
        assert state.position == count * WINDOW
        assert state.floor <= state.needed_from(limits) <= state.position
        if isinstance(happening, TurnStarted):
            assert open_from is None
            assert ended <= happening.start < state.position
            open_from = happening.start
        elif isinstance(happening, TurnPaused):
            assert pause is not None
            assert happening == TurnPaused(open_from, state.position)
        elif isinstance(happening, TurnEnded):
            assert happening.start == open_from
            assert happening.start < happening.end <= state.position
            ended, open_from = happening.end, None
        assert state.start == open_from


def test_a_transcription_ends_once():
    state = transcription_life.TranscriptionState()
    state, step = transcription_life.next_state(state, TextDelta("a"))
    state, done = transcription_life.next_state(state, Finished("length", USAGE))
    assert (step, done) == (transcription_life.ShowText("a"), transcription_life.Complete("a", USAGE))
    assert transcription_life.next_state(state, TextDelta("b")) == (state, None)
    assert transcription_life.next_state(state, Finished("failed")) == (state, None)


def test_an_idle_timeout_comes_once():
    state, over = idle.next_state(idle.IdleState(), idle.Answered(10.0), 5000)
    assert (idle.next_state(state, idle.Passed(14.9), 5000), over) == ((state, False), False)
    state, over = idle.next_state(state, idle.Passed(15.0), 5000)
    assert over
    assert idle.next_state(state, idle.Passed(99.0), 5000) == (state, False)
    state, _ = idle.next_state(state, idle.Answered(10.0), 5000)
    assert idle.next_state(state, idle.Stirred(), 5000) == (idle.IdleState(), False)
