"""Conversations over a real socket, held with the openai package's own clients."""

import asyncio
import base64

import openai
from caller import SERVER_EVENT, SILENCE, connect, encoded, recording, sound, types

ITEM = ["conversation.item.added", "conversation.item.done"]
OPEN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
CLOSE = ["response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done"]


def without_deltas(events):
    return [kind for kind in types(events) if not kind.endswith(".delta")]


def test_a_text_turn(echo):
    async def talk():
        async with connect(echo) as caller:
            await caller.say("good morning to you")
            await caller.do.response.create(response={"output_modalities": ["text"]})
            events = await caller.until("response.done")
            assert without_deltas(events) == [*OPEN, "response.output_text.done", *CLOSE]
            words = "".join(event.delta for event in events if event.type.endswith(".delta"))
            assert words == "good morning to you"
            done = events[-1].response
            assert done.status == "completed"
            assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 0

    asyncio.run(talk())


def test_a_manual_turn(echo):
    question = recording("question")

    async def talk():
        async with connect(echo) as caller:
            session = await caller.configure(turn_detection=None)
            assert session.audio.input.turn_detection is None
            await caller.append(question)
            await caller.do.input_audio_buffer.commit()
            events = await caller.until("conversation.item.done")
            assert types(events) == ["input_audio_buffer.committed", *ITEM]
            await caller.do.response.create()
            events = await caller.until("response.done")
            audio = ["response.output_audio.done", "response.output_audio_transcript.done"]
            assert without_deltas(events) == [*OPEN, *audio, *CLOSE]
            heard = sound(events)
            assert heard[: len(question)] == question
            assert not any(heard[len(question) :])
            deltas = [event for event in events if event.type == "response.output_audio.delta"]
            assert all(len(base64.b64decode(delta.delta)) <= 9600 for delta in deltas)
            ids = [event.event_id for event in caller.events]
            assert len(set(ids)) == len(ids)

    asyncio.run(talk())


def test_two_turns_found_by_voice_activity(echo):
    """Streamed as a microphone would, only faster."""

    async def talk():
        async with connect(echo) as caller:
            previous = None
            for name in ("question", "question2"):
                await caller.append(recording(name) + SILENCE)
                events = await caller.until("response.done")
                kinds = without_deltas(events)
                assert kinds[:3] == [
                    "input_audio_buffer.speech_started",
                    "input_audio_buffer.speech_stopped",
                    "input_audio_buffer.committed",
                ]
                started, stopped, committed = events[:3]
                assert started.item_id == stopped.item_id == committed.item_id
                assert committed.previous_item_id == previous
                assert stopped.audio_end_ms - started.audio_start_ms > 2000
                # The answer was begun early: it does not hold the end of the silence that ended the turn.
                assert len(sound(events)) / 48 + 350 >= stopped.audio_end_ms - started.audio_start_ms
                previous = events[-1].response.output[0].id

    asyncio.run(talk())


def test_one_append_with_two_turns_loses_nothing(echo):
    pcm = recording("two_turns")

    async def talk():
        async with connect(echo) as caller:
            await caller.configure(turn_detection={"type": "server_vad", "create_response": False})
            await caller.append(pcm, size=len(pcm))
            turns = [await caller.until("conversation.item.done") for _ in range(2)]
            end = 0
            for started, stopped, *_, item in turns:
                assert end <= started.audio_start_ms < stopped.audio_end_ms
                end = stopped.audio_end_ms
                await caller.do.conversation.item.retrieve(item_id=item.item.id)
                (retrieved,) = await caller.until("conversation.item.retrieved")
                held = base64.b64decode(retrieved.item.content[0].audio)
                at = pcm.index(held)
                assert abs(at / 48 - started.audio_start_ms) <= 1
                assert abs((at + len(held)) / 48 - stopped.audio_end_ms) <= 1

    asyncio.run(talk())


def test_barge_in(paced):
    async def talk():
        async with connect(paced) as caller:
            await caller.append(recording("question") + SILENCE)
            first = (await caller.until("response.output_audio.delta"))[-1].response_id
            await caller.append(recording("question2"))
            events = await caller.until("input_audio_buffer.speech_started")
            assert types(events[:-1]).count("response.done") == 0
            events = await caller.until("response.done")
            done = events[-1].response
            assert "response.output_audio.delta" not in types(events)
            assert (done.id, done.status, done.status_details.reason) == (
                first,
                "cancelled",
                "turn_detected",
            )
            assert done.output[0].status == "incomplete"
            await caller.append(SILENCE)
            events = await caller.until("response.output_audio.delta")
            assert events[-1].response_id != first
            assert all(getattr(event, "response_id", None) != first for event in events)

    asyncio.run(talk())


def test_response_cancel(paced):
    async def talk():
        async with connect(paced) as caller:
            await caller.say("one two three four five six seven eight nine ten")
            await caller.do.response.create()
            await caller.until("response.output_audio.delta")
            await caller.do.response.cancel()
            done = (await caller.until("response.done"))[-1].response
            assert (done.status, done.status_details.reason) == ("cancelled", "client_cancelled")
            error = await caller.refused("response.cancel")
            assert error.code == "response_cancel_not_active"
            # The session is none the worse for it.
            await caller.do.response.create(response={"output_modalities": ["text"]})
            assert (await caller.until("response.done"))[-1].response.status == "completed"

    asyncio.run(talk())


def test_the_synchronous_client(echo):
    client = openai.OpenAI(api_key="none", base_url=echo.replace("ws", "http", 1) + "/v1")
    with client.realtime.connect(model="gpt-realtime") as connection:

        def until(kind):
            events = [SERVER_EVENT.validate_json(connection.recv_bytes())]
            while events[-1].type != kind:
                assert events[-1].type != "error"
                events.append(SERVER_EVENT.validate_json(connection.recv_bytes()))
            return events

        assert until("session.created")[-1].session.model == "echo"
        connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        until("session.updated")
        connection.input_audio_buffer.append(audio=encoded(recording("question")))
        connection.input_audio_buffer.commit()
        connection.response.create()
        events = until("response.done")
        assert sound(events)[: len(recording("question"))] == recording("question")


def test_sessions_side_by_side_keep_apart(echo):
    async def one(name: str) -> None:
        async with connect(echo) as caller:
            await caller.configure(turn_detection=None)
            await caller.append(recording(name))
            await caller.do.input_audio_buffer.commit()
            await caller.do.response.create()
            heard = sound(await caller.until("response.done"))
            assert heard[: len(recording(name))] == recording(name)

    async def all_of_them():
        await asyncio.gather(*(one(name) for name in ("question", "question2", "long") * 3))

    asyncio.run(all_of_them())
