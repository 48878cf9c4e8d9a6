"""What is left out of a conversation that is too long."""

import pytest

from engine import Call, CallOutput, EngineError, Message, Text, Truncation
from engine.fitting import fit


def say(role, words):
    return Message(role, (Text("w " * words),))


def count(messages):
    """Words, and two more around all, as a template has them."""
    return 2 + sum(len(getattr(p, "text", "w w").split()) for m in messages for p in m.parts)


SYSTEM, LONG = say("system", 10), [say("user" if n % 2 == 0 else "assistant", 10) for n in range(9)]


def test_what_fits_stays_whole():
    fitted = fit([SYSTEM, *LONG], None, 102, count)
    assert (fitted.messages, fitted.left_out) == ((SYSTEM, *LONG), 0)


@pytest.mark.parametrize(("retention", "left_out"), [(1.0, 1), (0.8, 3), (0.5, 6), (0.0, 8)])
def test_the_oldest_leave_until_so_much_of_the_room_is_taken(retention, left_out):
    fitted = fit([SYSTEM, *LONG], Truncation(retention), 100, count)
    assert fitted.left_out == left_out
    assert fitted.messages == (SYSTEM, *LONG[left_out:])
    assert count(fitted.messages) <= 100


def test_a_limit_after_the_instructions():
    fitted = fit([SYSTEM, *LONG], Truncation(1.0, 35), 1000, count)
    assert count(fitted.messages) <= count([SYSTEM]) + 35


def test_system_messages_stay_wherever_they_are():
    late = say("system", 5)
    fitted = fit([SYSTEM, *LONG[:4], late, *LONG[4:]], Truncation(0.5), 100, count)
    assert [m for m in fitted.messages if m.role == "system"] == [SYSTEM, late]


def test_an_answer_of_a_tool_never_stays_without_its_call():
    call, output = Message("assistant", (Call("f", "{}"),)), Message("tool", (CallOutput("x"),))
    fitted = fit([say("user", 50), call, output, output, say("user", 50)], Truncation(), 57, count)
    assert [m.role for m in fitted.messages] == ["user"]
    assert fitted.left_out == 4
    kept = fit([say("user", 80), say("user", 5), call, output], Truncation(), 20, count)
    assert [m.role for m in kept.messages] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("truncation", [None, Truncation(), Truncation(0.5, 3)])
def test_a_last_turn_that_is_too_long_by_itself_fails(truncation):
    with pytest.raises(EngineError) as caught:
        fit([SYSTEM, say("user", 200)], truncation, 100, count)
    assert caught.value.code == "context_length_exceeded"
