"""Every client event and its wrong forms: one error that names what was wrong; the session lives on."""

import base64
import json

import orjson
import pytest
from driving import ANSWER, Driver, types

MISSING, TYPE, VALUE, UNSUPPORTED = (
    "missing_required_parameter",
    "invalid_type",
    "invalid_value",
    "unsupported_value",
)


def session(**fields):
    return {"session": {"type": "realtime", **fields}}


def audio_in(**fields):
    return session(audio={"input": fields})


def audio_out(**fields):
    return session(audio={"output": fields})


def message(*content, role="user", **fields):
    return {"item": {"type": "message", "role": role, "content": list(content), **fields}}


def response(**fields):
    return {"response": fields}


def vad(**fields):
    return audio_in(turn_detection={"type": "server_vad", **fields})


WORDS = {"type": "input_text", "text": "Hi"}
FUNCTION = {"type": "function", "name": "f"}
VAD = "session.audio.input.turn_detection"
TRUNCATE = {"item_id": "x", "content_index": 0, "audio_end_ms": 0}

TABLE = [
    ("session.update", {}, MISSING, "session"),
    ("session.update", {"session": 5}, TYPE, "session"),
    ("session.update", {"session": {}}, MISSING, "session.type"),
    ("session.update", {"session": {"type": "transcription"}}, VALUE, "session.type"),
    ("session.update", {"session": {"type": "other"}}, VALUE, "session.type"),
    ("session.update", {"session": {"type": []}}, VALUE, "session.type"),
    ("session.update", session(tracing=5), VALUE, "session.tracing"),
    ("session.update", session(include=""), UNSUPPORTED, "session.include"),
    ("session.update", audio_out(voice=""), VALUE, "session.audio.output.voice"),
    ("session.update", audio_out(voice={"id": 5}), TYPE, "session.audio.output.voice"),
    ("session.update", audio_out(speed="fast"), TYPE, "session.audio.output.speed"),
    ("session.update", session(instructions=5), TYPE, "session.instructions"),
    ("session.update", session(output_modalities=["audio", "text"]), VALUE, "session.output_modalities"),
    ("session.update", session(output_modalities=[]), VALUE, "session.output_modalities"),
    ("session.update", session(output_modalities=["smell"]), VALUE, "session.output_modalities[0]"),
    ("session.update", session(output_modalities="audio"), TYPE, "session.output_modalities"),
    ("session.update", session(max_output_tokens=0), "integer_below_min_value", "session.max_output_tokens"),
    ("session.update", session(max_output_tokens=5000), "integer_above_max_value", "session.max_output_tokens"),
    ("session.update", session(max_output_tokens="many"), TYPE, "session.max_output_tokens"),
    ("session.update", session(max_output_tokens=True), TYPE, "session.max_output_tokens"),
    ("session.update", session(tools={}), TYPE, "session.tools"),
    ("session.update", session(tools=[{"type": "mcp", "server_label": "x"}]), VALUE, "session.tools[0].type"),
    ("session.update", session(tools=[{"name": "f"}]), MISSING, "session.tools[0].type"),
    ("session.update", session(tools=[{"type": "function"}]), MISSING, "session.tools[0].name"),
    ("session.update", session(tools=[{"type": "function", "name": "a b"}]), VALUE, "session.tools[0].name"),
    ("session.update", session(tools=[{"type": "function", "name": "f", "parameters": []}]), TYPE, "session.tools[0].parameters"),
    ("session.update", session(tools=[{"type": "function", "name": "f", "description": 5}]), TYPE, "session.tools[0].description"),
    ("session.update", session(tools=[{"type": "function", "name": "f", "parameters": {"x": "y" * 70_000}}]), VALUE, "session.tools[0].parameters"),
    ("session.update", session(tools=[FUNCTION, FUNCTION]), VALUE, "session.tools[1].name"),
    ("session.update", session(tools=[FUNCTION] * 129), VALUE, "session.tools"),
    ("session.update", session(tools=["f"]), TYPE, "session.tools[0]"),
    ("session.update", session(tool_choice="required"), VALUE, "session.tool_choice"),
    ("session.update", session(tool_choice={"type": "function", "name": "f"}), VALUE, "session.tool_choice"),
    ("session.update", session(tools=[FUNCTION], tool_choice={"type": "function", "name": "g"}), VALUE, "session.tool_choice"),
    ("session.update", session(tool_choice={"type": "mcp", "server_label": "x"}), VALUE, "session.tool_choice"),
    ("session.update", session(tool_choice={"type": "function"}), VALUE, "session.tool_choice"),
    ("session.update", session(tool_choice="maybe"), VALUE, "session.tool_choice"),
    ("session.update", session(truncation={"type": "retention_ratio"}), MISSING, "session.truncation.retention_ratio"),
    ("session.update", session(truncation={"type": "retention_ratio", "retention_ratio": 2}), "decimal_above_max_value", "session.truncation.retention_ratio"),
    ("session.update", session(truncation={"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 0}}), "integer_below_min_value", "session.truncation.token_limits.post_instructions"),
    ("session.update", session(truncation={"type": "other"}), VALUE, "session.truncation.type"),
    ("session.update", session(truncation="never"), VALUE, "session.truncation"),
    ("session.update", session(prompt={"id": "p"}), UNSUPPORTED, "session.prompt"),
    ("session.update", session(reasoning={"effort": "low"}), UNSUPPORTED, "session.reasoning"),
    ("session.update", session(parallel_tool_calls="yes"), TYPE, "session.parallel_tool_calls"),
    ("session.update", session(include=["item.input_audio_transcription.logprobs"]), UNSUPPORTED, "session.include"),
    ("session.update", session(audio=[]), TYPE, "session.audio"),
    ("session.update", audio_in(format={"type": 5}), VALUE, "session.audio.input.format.type"),
    ("session.update", audio_in(format={"type": "mp3"}), VALUE, "session.audio.input.format.type"),
    ("session.update", audio_in(format={"rate": 16000}), VALUE, "session.audio.input.format.rate"),
    ("session.update", audio_in(transcription={"model": 5}), TYPE, "session.audio.input.transcription.model"),
    ("session.update", audio_in(transcription={"language": "English"}), VALUE, "session.audio.input.transcription.language"),
    ("session.update", audio_in(transcription={"prompt": "x" * 5000}), VALUE, "session.audio.input.transcription.prompt"),
    ("session.update", audio_in(transcription={"keywords": ["x"]}), UNSUPPORTED, "session.audio.input.transcription.keywords"),
    ("session.update", audio_in(transcription="whisper-1"), TYPE, "session.audio.input.transcription"),
    ("session.update", audio_in(noise_reduction={"type": "near_field"}), UNSUPPORTED, "session.audio.input.noise_reduction"),
    ("session.update", audio_in(turn_detection={"type": "semantic_vad", "eagerness": "max"}), VALUE, f"{VAD}.eagerness"),
    ("session.update", audio_in(turn_detection={"type": "none"}), VALUE, f"{VAD}.type"),
    ("session.update", vad(threshold=1.5), "decimal_above_max_value", f"{VAD}.threshold"),
    ("session.update", vad(threshold=-1), "decimal_below_min_value", f"{VAD}.threshold"),
    ("session.update", vad(threshold="high"), TYPE, f"{VAD}.threshold"),
    ("session.update", vad(prefix_padding_ms=-1), "integer_below_min_value", f"{VAD}.prefix_padding_ms"),
    ("session.update", vad(silence_duration_ms=1.5), TYPE, f"{VAD}.silence_duration_ms"),
    ("session.update", vad(silence_duration_ms=10**9), "integer_above_max_value", f"{VAD}.silence_duration_ms"),
    ("session.update", vad(create_response="yes"), TYPE, f"{VAD}.create_response"),
    ("session.update", vad(idle_timeout_ms=4999), "integer_below_min_value", f"{VAD}.idle_timeout_ms"),
    ("session.update", vad(idle_timeout_ms=30001), "integer_above_max_value", f"{VAD}.idle_timeout_ms"),
    ("session.update", vad(interrupt_after_ms=-1), "integer_below_min_value", f"{VAD}.interrupt_after_ms"),
    ("session.update", audio_out(voice="nobody"), VALUE, "session.audio.output.voice"),
    ("session.update", audio_out(voice=7), TYPE, "session.audio.output.voice"),
    ("session.update", audio_out(speed=1.6), "decimal_above_max_value", "session.audio.output.speed"),
    ("session.update", audio_out(format={"type": "audio/opus"}), VALUE, "session.audio.output.format.type"),
    ("input_audio_buffer.append", {}, MISSING, "audio"),
    ("input_audio_buffer.append", {"audio": None}, MISSING, "audio"),
    ("input_audio_buffer.append", {"audio": 5}, TYPE, "audio"),
    ("input_audio_buffer.append", {"audio": "not base64!"}, VALUE, "audio"),
    ("input_audio_buffer.append", {"audio": "AAA"}, VALUE, "audio"),
    ("input_audio_buffer.append", {"audio": "é"}, VALUE, "audio"),
    ("input_audio_buffer.append", {"audio": "A" * 3000}, VALUE, "audio"),
    ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty", None),
    ("conversation.item.create", {}, MISSING, "item"),
    ("conversation.item.create", {"item": "Hi"}, TYPE, "item"),
    ("conversation.item.create", {"item": {}}, MISSING, "item.type"),
    ("conversation.item.create", {"item": {"type": "poem"}}, VALUE, "item.type"),
    ("conversation.item.create", {"item": {"type": {}}}, VALUE, "item.type"),
    ("conversation.item.create", message({"type": []}), VALUE, "item.content[0].type"),
    ("conversation.item.create", message({"type": "input_audio", "audio": "AAAA" * 4, "transcript": 5}), TYPE, "item.content[0].transcript"),
    ("conversation.item.create", {"item": {"type": "function_call"}}, MISSING, "item.name"),
    ("conversation.item.create", {"item": {"type": "function_call", "name": "f"}}, MISSING, "item.arguments"),
    ("conversation.item.create", {"item": {"type": "function_call", "name": "f", "arguments": {}}}, TYPE, "item.arguments"),
    ("conversation.item.create", {"item": {"type": "function_call", "name": "f", "arguments": "", "id": ""}}, VALUE, "item.id"),
    ("conversation.item.create", {"item": {"type": "function_call_output"}}, MISSING, "item.call_id"),
    ("conversation.item.create", {"item": {"type": "function_call_output", "call_id": "c"}}, MISSING, "item.output"),
    ("conversation.item.create", {"item": {"type": "function_call_output", "call_id": "c", "output": {}}}, TYPE, "item.output"),
    ("conversation.item.create", {"item": {"type": "mcp_call"}}, UNSUPPORTED, "item.type"),
    ("conversation.item.create", {"item": {"type": "message"}}, MISSING, "item.role"),
    ("conversation.item.create", message(WORDS, role="developer"), VALUE, "item.role"),
    ("conversation.item.create", message(), VALUE, "item.content"),
    ("conversation.item.create", message("Hi"), TYPE, "item.content[0]"),
    ("conversation.item.create", message({}), MISSING, "item.content[0].type"),
    ("conversation.item.create", message({"type": "output_text", "text": "Hi"}), VALUE, "item.content[0].type"),
    ("conversation.item.create", message(WORDS, {"type": "input_text"}), MISSING, "item.content[1].text"),
    ("conversation.item.create", message({"type": "input_text", "text": 5}), TYPE, "item.content[0].text"),
    ("conversation.item.create", message({"type": "input_image", "image_url": "x"}), UNSUPPORTED, "item.content[0].type"),
    ("conversation.item.create", message({"type": "input_audio"}), MISSING, "item.content[0].audio"),
    ("conversation.item.create", message({"type": "input_audio", "audio": "?"}), VALUE, "item.content[0].audio"),
    ("conversation.item.create", message({"type": "input_audio", "audio": "AAAA"}), VALUE, "item.content[0].audio"),
    ("conversation.item.create", message({"type": "output_audio", "audio": "AAAA"}, role="assistant"), MISSING, "item.content[0].text"),
    ("conversation.item.create", message(WORDS, id="taken"), "item_create_duplicate_item_id", "item.id"),
    ("conversation.item.create", message(WORDS, id=5), TYPE, "item.id"),
    ("conversation.item.create", message(WORDS, id=""), VALUE, "item.id"),
    ("conversation.item.create", message(WORDS) | {"previous_item_id": "x"}, "item_create_invalid_previous_item_id", "previous_item_id"),
    ("conversation.item.create", message(WORDS) | {"previous_item_id": 5}, TYPE, "previous_item_id"),
    ("conversation.item.retrieve", {}, MISSING, "item_id"),
    ("conversation.item.retrieve", {"item_id": 5}, TYPE, "item_id"),
    ("conversation.item.retrieve", {"item_id": "x"}, "item_retrieve_invalid_item_id", "item_id"),
    ("conversation.item.delete", {}, MISSING, "item_id"),
    ("conversation.item.delete", {"item_id": "x"}, "item_delete_invalid_item_id", None),
    ("conversation.item.truncate", {}, MISSING, "item_id"),
    ("conversation.item.truncate", TRUNCATE, "item_truncate_invalid_item_id", "item_id"),
    ("conversation.item.truncate", TRUNCATE | {"audio_end_ms": -1}, "integer_below_min_value", "audio_end_ms"),
    ("conversation.item.truncate", TRUNCATE | {"audio_end_ms": 1.5}, TYPE, "audio_end_ms"),
    ("conversation.item.truncate", TRUNCATE | {"item_id": "taken", "content_index": 1}, VALUE, "content_index"),
    ("conversation.item.truncate", TRUNCATE | {"content_index": -1}, "integer_below_min_value", "content_index"),
    ("conversation.item.truncate", {"item_id": "taken"}, MISSING, "content_index"),
    ("conversation.item.truncate", TRUNCATE | {"item_id": "taken"}, "unsupported_content_type", "content_index"),
    ("response.create", {"response": 5}, TYPE, "response"),
    ("response.create", response(conversation=5), TYPE, "response.conversation"),
    ("response.create", response(conversation="conv_other"), VALUE, "response.conversation"),
    ("response.create", response(audio={"output": {"voice": ""}}), VALUE, "response.audio.output.voice"),
    ("response.create", response(input={}), TYPE, "response.input"),
    ("response.create", response(input=["x"]), TYPE, "response.input[0]"),
    ("response.create", response(input=[{}]), MISSING, "response.input[0].type"),
    ("response.create", response(input=[{"type": "item_reference"}]), MISSING, "response.input[0].id"),
    ("response.create", response(input=[{"type": "item_reference", "id": "x"}]), VALUE, "response.input[0].id"),
    ("response.create", response(input=[message(WORDS)["item"], message({"type": "input_text"})["item"]]), MISSING, "response.input[1].content[0].text"),
    ("response.create", response(tools=[{"type": "function"}]), MISSING, "response.tools[0].name"),
    ("response.create", response(tool_choice="required"), VALUE, "response.tool_choice"),
    ("response.create", response(prompt={"id": "p"}), UNSUPPORTED, "response.prompt"),
    ("response.create", response(reasoning={"effort": "low"}), UNSUPPORTED, "response.reasoning"),
    ("response.create", response(parallel_tool_calls=1), TYPE, "response.parallel_tool_calls"),
    ("response.create", response(max_output_tokens=0), "integer_below_min_value", "response.max_output_tokens"),
    ("response.create", response(output_modalities=["text", "audio"]), VALUE, "response.output_modalities"),
    ("response.create", response(instructions=5), TYPE, "response.instructions"),
    ("response.create", response(metadata={"k": 5}), TYPE, "response.metadata.k"),
    ("response.create", response(metadata={"k" * 65: "v"}), VALUE, "response.metadata"),
    ("response.create", response(metadata={str(n): "v" for n in range(17)}), VALUE, "response.metadata"),
    ("response.create", response(audio={"output": {"voice": "nobody"}}), VALUE, "response.audio.output.voice"),
    ("response.create", response(audio={"output": {"format": {"type": "wav"}}}), VALUE, "response.audio.output.format.type"),
    ("response.cancel", {"response_id": "resp_x"}, "response_cancel_not_active", None),
    ("response.cancel", {}, "response_cancel_not_active", None),
    ("response.cancel", {"response_id": 5}, TYPE, "response_id"),
    ("output_audio_buffer.clear", {}, VALUE, "type"),
    ("conversation.item.created", {}, VALUE, "type"),
    ("", {}, VALUE, "type"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "code", "param"), TABLE)
def test_what_is_wrong_is_named_and_nothing_changes(kind, fields, code, param):
    driver = Driver(max_append_bytes=1500)
    driver.send("conversation.item.create", **message(WORDS, id="taken"))
    before = driver.session._configuration.settings.model_dump()
    error = driver.error(kind, **fields)
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert driver.session._configuration.settings.model_dump() == before
    assert types(driver.engine(driver.respond(), *ANSWER))[-1] == "response.done", "the session lives on"
    assert len(driver.requests()[0].messages) == 2, "no item came of it"


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        ('{"type": NaN}', "invalid_json", None),
        ("[]", "invalid_event", None),
        ("null", "invalid_event", None),
        ('"response.create"', "invalid_event", None),
        ("{}", MISSING, "type"),
        ('{"type": null}', MISSING, "type"),
        ('{"type": 5}', VALUE, "type"),
        ('{"type": {"a": 1}}', VALUE, "type"),
        ('{"type": "response.create", "event_id": 5}', TYPE, "event_id"),
        (json.dumps({"type": "response.create", "event_id": "x" * 513}), VALUE, "event_id"),
        (b"\xff\xfe", "invalid_json", None),
        ('{"type": "session.update", "session": ' + '{"a":' * 2000 + "1" + "}" * 2001, "invalid_json", None),
    ],
)
def test_frames_that_are_no_events(frame, code, param):
    driver = Driver()
    (event,) = driver.do(driver.session.receive(frame))
    assert (event["error"]["code"], event["error"]["param"]) == (code, param)
    assert event["error"]["event_id"] is None
    assert driver.respond()


def test_a_binary_frame_is_no_event(driver):
    (event,) = driver.do(driver.session.receive_binary(b"\0\1"))
    assert event["error"]["code"] == "invalid_event"


def test_a_second_response_names_the_first(driver):
    running = driver.respond()
    error = driver.error("response.create")
    assert error["code"] == "conversation_already_has_active_response"
    assert running in error["message"]
    assert types(driver.engine(running, *ANSWER))[-1] == "response.done"


def test_cancelling_another_response_is_an_error(driver):
    running = driver.respond()
    error = driver.error("response.cancel", response_id="resp_other")
    assert error["message"].startswith("Cancellation failed")
    assert types(driver.engine(running, *ANSWER))[-1] == "response.done"


def test_a_full_conversation_says_so():
    driver = Driver(max_items=2)
    driver.say("One")
    item_id = driver.say("Two")[0]["item"]["id"]
    assert driver.error("conversation.item.create", **message(WORDS))["code"] == "conversation_full"
    assert driver.error("response.create")["code"] == "conversation_full"
    driver.append(bytes(1536 * 40))
    events = driver.hear(0.9, 0.9, *[0] * 38)
    speech = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"]
    assert types(events) == [*speech, "error"]
    assert events[-1]["error"]["code"] == "conversation_full"
    driver.append(bytes(1536 * 40))
    assert driver.error("input_audio_buffer.commit")["code"] == "conversation_full"
    driver.send("conversation.item.delete", item_id=item_id)
    assert types(driver.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


DEEP = "[" * 900 + "]" * 900
LONG = '"' + "k" * 2_000_000 + '"'


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": %s}',
        '{"type": "session.update", "session": {"type": %s}}',
        '{"type": "session.update", "session": {"type": "realtime", "tracing": %s}}',
        '{"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": %s}}}}',
        '{"type": "conversation.item.create", "item": {"type": %s}}',
        '{"type": "conversation.item.delete", "item_id": %s}',
        '{"type": "response.create", "response": {"metadata": %s}}',
        '{"type": "response.create", "response": {"conversation": %s}}',
        '{"type": "response.cancel", "response_id": %s}',
    ],
)
@pytest.mark.parametrize("value", [DEEP, LONG], ids=["deep", "long"])
def test_an_error_repeats_nothing_that_a_client_could_not_read(driver, frame, value):
    (event,) = driver.do(driver.session.receive(frame % value))
    assert event["type"] == "error"
    assert len(orjson.dumps(event)) < 2000


def test_a_commit_that_is_too_short_tells_how_long_it_was(driver):
    driver.configure(turn_detection=None)
    driver.append(bytes(48 * 40))
    assert "only has 40.00ms of audio" in driver.error("input_audio_buffer.commit")["message"]
    driver.append(bytes(48 * 60))
    assert types(driver.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_half_a_sample_of_an_item_is_refused_by_length(driver):
    part = {"type": "input_audio", "audio": base64.b64encode(b"abc").decode()}
    assert "whole number" in driver.error("conversation.item.create", **message(part))["message"]
