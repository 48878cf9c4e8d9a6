"""What `/metrics` says after real conversations, read by prometheus_client's own parser."""

import asyncio
import re

import httpx
import pytest
from caller import SILENCE, Caller, connect, recording
from prometheus_client.parser import text_string_to_metric_families
from serving import GOLDEN, app

from engine import EngineSettings
from engine.echo import EchoEngine
from engine.factory import create
from realtime.server.access import Access
from realtime.server.client_secrets import ClientSecrets
from realtime.server.keys import Keyring
from realtime.server.observe.metrics import Metrics
from realtime.server.observe.requests import CountRequests


def scrape(url: str, **headers: str) -> dict[str, float]:
    """Samples by name and labels, as Prometheus writes them."""
    answer = httpx.get(f"{url.replace('ws', 'http', 1)}/metrics", headers=headers, timeout=20)
    assert answer.status_code == 200
    return {
        sample.name
        + "".join(f"{{{label}={of}}}" for label, of in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def spoken_turn(caller: Caller) -> None:
    await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 400})
    await caller.append(recording("question") + SILENCE)
    await caller.until("response.done")


def test_a_spoken_turn_is_counted_and_timed(echo):
    async def talk() -> dict[str, float]:
        async with connect(echo) as caller:
            await spoken_turn(caller)
            await caller.refused("response.cancel")
            return await asyncio.to_thread(scrape, echo)

    before = scrape(echo)
    during = asyncio.run(talk())
    assert during["chroma_realtime_sessions"] == 1
    assert during["chroma_realtime_ready"] == during["chroma_engine_up"] == 1

    def more(name: str) -> float:
        return during[name] - before.get(name, 0.0)

    assert more("chroma_realtime_sessions_opened_total") == 1
    assert more("chroma_realtime_responses_total{route=realtime}{status=completed}") == 1
    assert more("chroma_realtime_errors_total{code=response_cancel_not_active}{where=event}") == 1
    for since in ("speech_end", "commit", "response"):
        assert more(f"chroma_realtime_first_audio_seconds_count{{since={since}}}") == 1
    total = "chroma_realtime_first_audio_seconds_sum"
    waits = [during[f"{total}{{since={since}}}"] for since in ("commit", "response")]
    assert waits[0] >= waits[1], "the response begins after the commit"
    seconds = len(recording("question") + SILENCE) / 48_000
    assert more("chroma_realtime_audio_seconds_total{direction=in}") == pytest.approx(seconds, abs=0.05)
    assert more("chroma_realtime_audio_seconds_total{direction=out}") > 1
    assert during["chroma_engine_frames_total"] > before["chroma_engine_frames_total"]
    assert during["process_resident_memory_bytes"] > 1e6


def test_an_interrupted_answer_and_one_over_http(paced):
    async def talk() -> None:
        async with connect(paced) as caller:
            await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 400})
            await caller.append(recording("question") + SILENCE)
            await caller.until("response.output_audio.delta")
            await caller.append(recording("question2"))
            await caller.until("response.done")

    asyncio.run(talk())
    base = paced.replace("ws", "http", 1)
    asked = {"messages": [{"role": "user", "content": "good morning"}]}
    assert httpx.post(f"{base}/v1/chat/completions", json=asked).status_code == 200
    assert httpx.post(f"{base}/v1/chat/completions", json={}).status_code == 400
    assert httpx.get(f"{base}/no/such/page").status_code == 404
    found = scrape(paced)
    assert found["chroma_realtime_responses_total{route=realtime}{status=cancelled}"] == 1
    assert found["chroma_realtime_responses_total{route=chat}{status=completed}"] == 1
    assert found["chroma_realtime_http_requests_total{route=/v1/chat/completions}{status=200}"] == 1
    assert found["chroma_realtime_http_requests_total{route=/v1/chat/completions}{status=400}"] == 1
    assert found["chroma_realtime_http_requests_total{route=none}{status=404}"] == 1
    assert any(re.match(r"chroma_realtime_errors_total{code=\w+}{where=http}", name) for name in found)


def test_the_engine_hands_its_numbers_over_the_wall():
    async def talk(url: str) -> None:
        async with connect(url) as caller:
            await caller.say("good morning")
            await caller.do.response.create()
            await caller.until("response.done")

    # Without admission, which makes the number of slots the machine's and not the setting's.
    engine = create(EngineSettings(model=str(GOLDEN), slots=3, admission=False))
    with app(engine) as url:
        before = scrape(url)
        asyncio.run(talk(url))
        found = scrape(url)
    assert found["chroma_engine_slots"] == 3
    assert found["chroma_engine_starts_total"] == 1
    assert found["chroma_engine_frames_total"] > before["chroma_engine_frames_total"]
    assert found["chroma_engine_prompt_tokens_total{source=read}"] > 0
    assert 0 < found["chroma_engine_kv_tokens{state=held}"] < found["chroma_engine_kv_tokens{state=room}"]
    assert found["chroma_engine_answers{state=speaking}"] == 0
    assert found["chroma_engine_memory_bytes"] > 1e7
    assert found["chroma_engine_cpu_seconds_total"] > 0


def test_an_engine_that_does_not_answer_is_told_as_down():
    class Silent(EchoEngine):
        async def stats(self):
            await asyncio.get_running_loop().create_future()

    with app(Silent(EngineSettings(model="echo"))) as url:
        found = scrape(url)
    assert found["chroma_engine_up"] == 0
    assert found["chroma_realtime_ready"] == 1
    assert "chroma_engine_slots" not in found


def test_where_there_are_keys_metrics_want_one():
    keys = Keyring.read(["ann sk-0123456789abcdef"], "keys")
    with app(EchoEngine(EngineSettings(model="echo")), access=Access(keys, ClientSecrets(b"x"))) as url:
        assert httpx.get(f"{url.replace('ws', 'http', 1)}/metrics").status_code == 401
        found = scrape(url, authorization="Bearer sk-0123456789abcdef")
    assert found["chroma_realtime_errors_total{code=invalid_api_key}{where=http}"] == 1


def test_an_answer_that_a_hang_up_cut_off_is_counted(paced):
    cancelled = "chroma_realtime_responses_total{route=realtime}{status=cancelled}"

    async def talk() -> None:
        async with connect(paced) as caller:
            await caller.say("a story that takes its time")
            await caller.do.response.create()
            await caller.until("response.output_audio.delta")

    asyncio.run(talk())
    while cancelled not in (found := scrape(paced)):
        pass
    assert found[cancelled] == 1
    assert found["chroma_realtime_audio_seconds_total{direction=out}"] > 0


def test_a_request_that_breaks_is_counted():
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    metrics = Metrics()
    with pytest.raises(RuntimeError):
        asyncio.run(CountRequests(broken, metrics)({"type": "http"}, broken, broken))
    assert metrics.requests.labels("none", "500")._value.get() == 1
