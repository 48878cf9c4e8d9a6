"""HTTP for those who have no socket: chat with sound, voices, speech, transcriptions, by stock clients."""

import base64
import io
import json
import shutil
import subprocess

import httpx
import numpy as np
import openai
import pytest
import soundfile
from serving import GOLDEN, SPEECH, app

from engine import Engine, EngineSettings, Finished, Started, TextDelta, Usage, Voice
from engine.chroma.engine import ChromaEngine
from engine.echo import EchoEngine
from realtime.server.rest.chat_request import read_chat

QUESTION, SAMPLE = (SPEECH / "question.wav").read_bytes(), (SPEECH / "long.wav").read_bytes()
TIME = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "question.wav").write_bytes(QUESTION)
    return folder


@pytest.fixture(scope="module")
def base(folder, tmp_path_factory):
    voices = tmp_path_factory.mktemp("voices")
    engine = EchoEngine(EngineSettings(model="echo", voices_dir=voices))
    with app(
        engine, voices_dir=voices, audio_folder=folder, max_body_bytes=2_000_000, max_upload_s=20
    ) as url:
        yield url.replace("ws", "http", 1) + "/v1"


@pytest.fixture
def client(base):
    return openai.OpenAI(api_key="none", base_url=base, max_retries=0)


def encoded(data=QUESTION):
    return base64.b64encode(data).decode()


def heard(data):
    """Samples and rate of a file."""
    sound, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert np.abs(sound).max() > 0.01
    return len(sound) / rate


def asked(*parts):
    return [{"role": "system", "content": "Be kind."}, {"role": "user", "content": list(parts)}]


SOUND = {"type": "input_audio", "input_audio": {"data": encoded(), "format": "wav"}}
WORDS = {"type": "text", "text": "one two three"}


@pytest.mark.parametrize("container", ["wav", "flac", "mp3", "opus", "pcm16"])
def test_sound_in_and_out_in_every_format(client, container):
    answer = client.chat.completions.create(
        model="chroma", messages=asked(SOUND), modalities=["text", "audio"],
        audio={"voice": "alloy", "format": container},
    )  # fmt: skip
    message = answer.choices[0].message
    assert message.content is None
    assert message.audio.transcript == "You said 2.7 seconds of sound."
    data = base64.b64decode(message.audio.data)
    seconds = len(data) / 48_000 if container == "pcm16" else heard(data)
    assert abs(seconds - 2.7) < 0.2
    usage = answer.usage
    assert usage.prompt_tokens_details.audio_tokens == 66
    assert usage.completion_tokens == usage.completion_tokens_details.audio_tokens + 6
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_words_alone(client):
    answer = client.chat.completions.create(model="chroma", messages=asked(WORDS), max_tokens=2)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two", "length")
    assert answer.usage.completion_tokens_details.audio_tokens == 0


def test_words_as_they_come(client):
    stream = client.chat.completions.create(
        model="chroma", messages=asked(WORDS), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 3


def test_sound_as_it_comes(client):
    stream = client.chat.completions.create(
        model="chroma", messages=asked(WORDS), stream=True, modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "pcm16"},
    )  # fmt: skip
    deltas = [chunk.choices[0].delta.model_dump().get("audio") or {} for chunk in stream]
    assert "".join((delta.get("transcript") or "") for delta in deltas) == "one two three"
    assert sum(len(base64.b64decode(delta.get("data") or "")) for delta in deltas) == 3 * 3 * 3840
    assert len({delta["id"] for delta in deltas if delta}) == 1


def test_what_tools_answered_is_told_in_the_order_of_the_calls():
    calls = [
        {"id": name, "type": "function", "function": {"name": "time", "arguments": "{}"}}
        for name in ("p", "r")
    ]
    body = {
        "messages": [
            {"role": "assistant", "tool_calls": calls},
            {"role": "user", "content": "Well?", "tool_calls": "what users call is nothing"},
            {"role": "tool", "tool_call_id": "r", "content": "Rome"},
            {"role": "tool", "tool_call_id": "p", "content": "Paris"},
        ]
    }
    told = read_chat(body, lambda *_: b"").request.messages[2:]
    assert [message.parts[0].output for message in told] == ["Paris", "Rome"]


def test_a_tool_round_trip(client):
    call = '<tool_call>{"name": "time", "arguments": {"city": "Köln"}}</tool_call>'
    messages = asked({"type": "text", "text": call})
    answer = client.chat.completions.create(model="chroma", messages=messages, tools=[TIME])
    assert answer.choices[0].finish_reason == "tool_calls"
    (made,) = answer.choices[0].message.tool_calls
    assert (made.function.name, made.function.arguments) == ("time", '{"city": "Köln"}')
    messages += [answer.choices[0].message.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": made.id, "content": "It is noon."}]
    answer = client.chat.completions.create(model="chroma", messages=messages, tools=[TIME])
    assert answer.choices[0].message.content == "It is noon."
    forced = client.chat.completions.create(
        model="chroma", messages=asked(WORDS), tools=[TIME], stream=True,
        tool_choice={"type": "function", "function": {"name": "time"}},
    )  # fmt: skip
    calls = [call for chunk in forced for call in chunk.choices[0].delta.tool_calls or ()]
    assert [call.function.arguments for call in calls] == ['{"text": "one two three"}']


# The official server's own form.


def test_the_official_form_with_a_voice_for_once(base):
    body = {
        "model": "chroma",
        "messages": asked({"type": "audio", "audio": f"data:audio/wav;base64,{encoded()}"}),
        "prompt_text": "What time is it?",
        "prompt_audio": encoded(SAMPLE),
        "return_audio": True,
        "max_tokens": 1000,
        "temperature": 1.0,
        "top_p": 1.0,
    }
    answer = httpx.post(f"{base}/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "You said 2.7 seconds of sound."
    assert abs(heard(base64.b64decode(answer["audio"])) - 2.7) < 0.2
    silent = httpx.post(f"{base}/chat/completions", json=body | {"return_audio": False}).json()
    assert "audio" not in silent


def test_the_official_form_by_the_openai_client(client):
    answer = client.chat.completions.create(
        model="chroma", messages=asked({"type": "audio", "audio": "question.wav"}),
        extra_body={"audio_format": "flac"},
    )  # fmt: skip
    assert heard(base64.b64decode(answer.model_extra["audio"])) > 2


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_the_official_form_by_curl(base, tmp_path):
    body = json.dumps({"messages": asked({"type": "audio", "audio": encoded()})})
    out = tmp_path / "answer.wav"
    pipe = (
        f"curl -s {base}/chat/completions -H 'Content-Type: application/json' -d @-"
        f" | jq -r .audio | base64 -d > {out}"
    )
    subprocess.run(["bash", "-c", pipe], input=body.encode(), check=True, timeout=30)
    assert heard(out.read_bytes()) > 2


BAD = [
    ({"messages": []}, 400, "messages"),
    ({}, 400, "messages"),
    ({"messages": [{"role": "poet", "content": "x"}]}, 400, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content"),
    ({"messages": asked({"type": "image_url", "image_url": {"url": "x"}})}, 400, "messages[1].content[0].type"),
    ({"messages": asked({"type": "audio", "audio": "https://example.com/a.wav"})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "audio", "audio": "../secret.wav"})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "audio", "audio": "/etc/secret.wav"})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "audio", "audio": "missing.wav"})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "audio", "audio": "????"})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "audio", "audio": encoded(b"RIFF no sound")})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "audio", "audio": encoded(QUESTION[:40])})}, 400, "messages[1].content[0].audio"),
    ({"messages": asked({"type": "input_audio"})}, 400, "messages[1].content[0].input_audio"),
    ({"messages": asked(WORDS), "prompt_text": "Hi"}, 400, "prompt_audio"),
    ({"messages": asked(WORDS), "prompt_audio": encoded(SAMPLE)}, 400, "prompt_text"),
    ({"messages": asked(WORDS), "audio": {"voice": "alloy", "format": "aac"}}, 400, "audio.format"),
    ({"messages": asked(WORDS), "audio": {"voice": "alloy", "format": "wav"}, "stream": True}, 400, "audio.format"),
    ({"messages": asked(WORDS), "temperature": 3}, 400, "temperature"),
    ({"messages": asked(WORDS), "top_p": "x"}, 400, "top_p"),
    ({"messages": asked(WORDS), "n": 2}, 400, "n"),
    ({"messages": asked(WORDS), "logprobs": True}, 400, "logprobs"),
    ({"messages": asked(WORDS), "response_format": {"type": "json_object"}}, 400, "response_format"),
    ({"messages": asked(WORDS), "tools": [{"type": "function", "function": {"name": "a b"}}]}, 400, "tools[0].function.name"),
    ({"messages": asked(WORDS), "tool_choice": "required"}, 400, "tool_choice"),
    ({"messages": [{"role": "assistant", "audio": {"id": "x"}}]}, 400, "messages[0].audio"),
    ({"messages": asked(WORDS), "modalities": ["text", "audio"], "audio": {"voice": "nobody", "format": "wav"}}, 400, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "param"), BAD)
def test_what_is_wrong_is_named(base, body, status, param):
    response = httpx.post(f"{base}/chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_limits(base):
    too_large = httpx.post(f"{base}/chat/completions", content=b"x" * 2_100_000)
    assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "too_large")
    assert httpx.post(f"{base}/chat/completions", content=b"{").json()["error"]["code"] == "invalid_json"
    long = io.BytesIO()
    soundfile.write(long, np.zeros(21 * 8000), 8000, format="WAV", subtype="PCM_U8")
    body = {"messages": asked({"type": "audio", "audio": encoded(long.getvalue())})}
    response = httpx.post(f"{base}/chat/completions", json=body)
    assert "longer than 20 seconds" in response.json()["error"]["message"]


def test_paths_are_not_opened_unless_allowed():
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        body = {"messages": asked({"type": "audio", "audio": "question.wav"})}
        response = httpx.post(f"{url.replace('ws', 'http', 1)}/v1/chat/completions", json=body)
    assert "paths are not opened" in response.json()["error"]["message"]


class Watched(Engine):
    """Answers for ever, or fails; tells when it is cancelled."""

    model = "watched"

    def __init__(self):
        self.ended = []
        self.forgotten = []

    async def open(self): ...
    async def close(self): ...
    async def cancel(self, request_id): ...

    async def forget(self, audio_ids):
        self.forgotten += audio_ids

    async def voices(self):
        return [Voice("ada", "", 5.0)]

    async def respond(self, request):
        import asyncio

        if request.id.startswith("resp_"):
            async for event in EchoEngine(EngineSettings("echo")).respond(request):
                yield event
            return
        try:
            yield Started(Usage())
            if "fail" in str(request.messages):
                yield Finished("failed", code="engine_died", message="It died.")
                return
            yield TextDelta("Well,")
            if "break" in str(request.messages):
                yield Finished("failed", code="engine_died", message="It died.")
                return
            while True:
                await asyncio.sleep(0.01)
                yield TextDelta(" and")
        finally:
            self.ended.append(request.id)


@pytest.fixture(scope="module")
def watched():
    class Ready(Watched):
        async def respond(self, request):
            if request.id.startswith("resp_"):
                from engine import AudioDelta

                yield AudioDelta(bytes(3840))
                yield Finished("completed")
                return
            async for event in super().respond(request):
                yield event

    engine = Ready()
    with app(engine) as url:
        yield engine, url.replace("ws", "http", 1) + "/v1/chat/completions"


def test_an_engine_that_fails_is_a_status_or_an_event(watched):
    _, url = watched
    failed = httpx.post(url, json={"messages": asked({"type": "text", "text": "fail"})})
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, "engine_died")
    broken = httpx.post(url, json={"messages": asked({"type": "text", "text": "break"}), "stream": True})
    assert broken.status_code == 200
    assert json.loads(broken.text.splitlines()[-2].removeprefix("data: "))["error"]["code"] == "engine_died"
    assert "[DONE]" not in broken.text


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_cancels_its_answer(watched, stream):
    engine, url = watched
    before = len(engine.ended)
    with httpx.Client(timeout=0.5) as http, pytest.raises(httpx.ReadTimeout):
        body = {"messages": asked(SOUND), "stream": stream}
        with http.stream("POST", url, json=body) as response:
            if stream:
                for _ in zip(response.iter_lines(), range(3), strict=False):
                    pass
                raise httpx.ReadTimeout("gone")
            response.read()
    with httpx.Client() as http:
        for _ in range(200):
            if len(engine.ended) > before:
                break
            http.get(url.replace("/v1/chat/completions", "/health"))
    assert len(engine.ended) == before + 1
    assert engine.forgotten


# Voices.


def test_a_voice_is_added_with_consent_used_and_deleted(base):
    fields = {"name": "grace", "transcript": "What time is it?", "consent": "Grace agreed on 1 May."}
    files = {"file": ("me.wav", SAMPLE, "audio/wav")}
    for missing in fields:
        given = {key: value for key, value in fields.items() if key != missing}
        response = httpx.post(f"{base}/audio/voices", data=given, files=files)
        assert (response.status_code, response.json()["error"]["param"]) == (400, missing)
    added = httpx.post(f"{base}/audio/voices", data=fields, files=files)
    assert added.status_code == 201
    assert added.json() | fields == added.json()
    assert httpx.post(f"{base}/audio/voices", data=fields, files=files).status_code == 409
    listed = httpx.get(f"{base}/audio/voices").json()["data"]
    assert {"grace": False} | {voice["name"]: voice["builtin"] for voice in listed} == {
        voice["name"]: voice["builtin"] for voice in listed
    }
    body = {
        "messages": asked(WORDS),
        "modalities": ["text", "audio"],
        "audio": {"voice": "grace", "format": "wav"},
    }
    assert httpx.post(f"{base}/chat/completions", json=body).status_code == 200
    assert httpx.delete(f"{base}/audio/voices/grace").json()["deleted"]
    assert httpx.delete(f"{base}/audio/voices/grace").status_code == 404
    builtin = next(voice["name"] for voice in listed if voice["builtin"])
    assert httpx.delete(f"{base}/audio/voices/{builtin}").status_code == 403
    again = httpx.post(f"{base}/audio/voices", json=fields | {"audio": encoded(SAMPLE)})
    assert again.status_code == 201
    httpx.delete(f"{base}/audio/voices/grace")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"audio": encoded(b"no sound at all")}, "voice_not_readable"),
        ({"name": "../grace"}, "voice_name_invalid"),
        ({"transcript": "x" * 100_000}, "voice_text_too_long"),
    ],
)
def test_a_voice_that_cannot_be_is_refused(base, change, code):
    fields = {"name": "x", "transcript": "Hi", "consent": "Yes.", "audio": encoded(SAMPLE)}
    response = httpx.post(f"{base}/audio/voices", json=fields | change)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert "/tmp" not in response.text


# Speech and transcriptions.


@pytest.mark.parametrize("container", ["mp3", "opus", "flac", "wav", "pcm"])
def test_speech(client, container):
    spoken = client.audio.speech.create(
        model="chroma", voice="alloy", input="one two three four", response_format=container
    ).read()
    seconds = len(spoken) / 48_000 if container == "pcm" else heard(spoken)
    assert abs(seconds - 4 * 0.24) < 0.1


def test_speech_at_another_speed_and_what_is_wrong_with_it(client, base):
    slow = client.audio.speech.create(
        model="chroma", voice="alloy", input="one two", response_format="pcm", speed=0.5
    ).read()
    assert len(slow) == 2 * 2 * 3 * 3840
    for body, param in [
        ({"input": ""}, "input"),
        ({"input": "x" * 5000}, "input"),
        ({"input": "Hi", "speed": 4}, "speed"),
        ({"input": "Hi", "response_format": "aac"}, "response_format"),
        ({"input": "Hi", "voice": "nobody"}, None),
    ]:
        response = httpx.post(f"{base}/audio/speech", json={"model": "m", "voice": "alloy"} | body)
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_transcriptions(client, base):
    file = ("question.wav", QUESTION)
    written = client.audio.transcriptions.create(model="whisper-1", file=file, language="en", prompt="time")
    assert written.text == "You said 2.7 seconds of sound."
    assert written.usage.input_token_details.audio_tokens == 66
    plain = client.audio.transcriptions.create(model="m", file=file, response_format="text")
    assert plain == "You said 2.7 seconds of sound.\n"
    events = list(client.audio.transcriptions.create(model="m", file=file, stream=True))
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == written.text
    for fields, param in [
        ({"response_format": "srt"}, "response_format"),
        ({"language": "English"}, "language"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities"),
    ]:
        response = httpx.post(
            f"{base}/audio/transcriptions", data={"model": "m"} | fields, files={"file": file}
        )
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert httpx.post(f"{base}/audio/transcriptions", data={"model": "m"}).json()["error"]["param"] == "file"


def test_the_model_itself_answers_speaks_and_writes_down():
    engine = ChromaEngine(EngineSettings(model=str(GOLDEN), device="cpu", slots=2, max_seconds=3))
    with app(engine) as url:
        client = openai.OpenAI(api_key="none", base_url=url.replace("ws", "http", 1) + "/v1", max_retries=0)
        answer = client.chat.completions.create(
            model="m", messages=asked(SOUND), modalities=["text", "audio"], max_tokens=30, temperature=0.5,
            top_p=0.9, audio={"voice": "alloy", "format": "wav"},
            extra_body={"prompt_text": "What time is it?", "prompt_audio": encoded(SAMPLE)},
        )  # fmt: skip
        assert answer.usage.completion_tokens == 30
        assert len(base64.b64decode(answer.model_extra["audio"])) > 3840
        said = client.audio.speech.create(model="m", voice="alloy", input="ab", response_format="pcm").read()
        assert len(said) >= 3840
        written = client.audio.transcriptions.create(model="m", file=("q.wav", QUESTION))
        assert written.usage.input_token_details.audio_tokens > 60


def test_a_voice_too_many_is_refused(tmp_path):
    fields = {"transcript": "Hi", "consent": "Yes.", "audio": encoded(SAMPLE)}
    engine = EchoEngine(EngineSettings(model="echo", voices_dir=tmp_path))
    with app(engine, voices_dir=tmp_path, max_voices=1) as url:
        voices = f"{url.replace('ws', 'http', 1)}/v1/audio/voices"
        assert httpx.post(voices, json=fields | {"name": "one"}).status_code == 201
        refused = httpx.post(voices, json=fields | {"name": "two"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "voice_store_full")
        httpx.delete(f"{voices}/one")
        assert httpx.post(voices, json=fields | {"name": "two"}).status_code == 201
