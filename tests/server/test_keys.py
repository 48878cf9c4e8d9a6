"""Keys and client secrets: every way in, every way that stays shut, over real sockets."""

import asyncio
import contextlib

import httpx
import openai
import pytest
from caller import connect as call
from serving import app
from test_socket import receive, say, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from engine import EngineError, EngineSettings
from engine.echo import EchoEngine
from realtime.server.access import Access
from realtime.server.client_secrets import ClientSecrets, SecretError, signing_secret
from realtime.server.keys import Keyring, new_key, read_keys
from realtime.server.limits import Meter

RIGHT, LIMITED, SECRET = "sk-0123456789abcdef", "sk-limited-0123456789", b"shared by all replicas"
LINES = [
    "# name key limits",
    f"ada {RIGHT}",
    f"bob {LIMITED} sessions=1 tokens_per_minute=60 requests_per_minute=30  # on trial",
    "",
]


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def access(clock=None, secret=SECRET):
    return Access(Keyring.read(LINES, "keys"), ClientSecrets(secret, clock or Clock()))


@pytest.fixture(scope="module")
def guarded():
    with app(EchoEngine(EngineSettings(model="echo")), access=access()) as url:
        yield url


def http(url):
    return url.replace("ws", "http", 1)


def refused(url, **options):
    """What a client is told whose key is wrong."""
    with connect(url, **options) as socket:
        event = receive(socket)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd.reason == f"{event['error']['type']}.{event['error']['code']}"
    return closed.value.rcvd.code, event["error"]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {"additional_headers": {"Authorization": f"Bearer {RIGHT}"}}),
        ("", {"additional_headers": {"api-key": RIGHT}}),
        (f"?api-key={RIGHT}", {}),
        ("", {"subprotocols": ["realtime", f"openai-insecure-api-key.{RIGHT}", "openai-organization.x"]}),
    ],
)
def test_a_key_is_taken_by_every_way_that_clients_have(guarded, query, options):
    with connect(f"{guarded}/v1/realtime{query}", **options) as socket:
        assert receive(socket)["type"] == "session.created"
        assert socket.subprotocol == ("realtime" if "subprotocols" in options else None)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"Authorization": "Bearer sk-wrong-0123456789"}},
        {"additional_headers": {"Authorization": f"Bearer {RIGHT}x"}},
        {"additional_headers": {"Authorization": "Bearer ek_AAAA"}},
        {"additional_headers": {"Authorization": f"Basic {RIGHT}"}},
        {"subprotocols": ["realtime", "openai-insecure-api-key.sk-wrong-0123456789"]},
    ],
)
def test_without_a_right_key_a_client_is_told_on_the_open_socket(guarded, options):
    code, error = refused(f"{guarded}/v1/realtime", **options)
    assert (code, error["code"]) == (3000, "invalid_api_key")


def test_http_asks_for_a_key_too_but_not_where_health_is_asked(guarded):
    with httpx.Client(base_url=http(guarded)) as client:
        for path in ("/v1/models", "/v1/realtime/client_secrets", "/realtime/client_secrets"):
            response = client.request("GET" if "models" in path else "POST", path)
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "invalid_api_key"
        assert client.get("/v1/models", headers={"Authorization": f"Bearer {RIGHT}"}).status_code == 200
        assert [client.get(path).status_code for path in ("/", "/health", "/ready")] == [200] * 3


def test_a_client_secret_opens_the_session_it_was_made_for(guarded):
    client = openai.OpenAI(api_key=RIGHT, base_url=f"{http(guarded)}/v1")
    session = {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"speed": 1.25}}}
    made = client.realtime.client_secrets.create(
        session=session, expires_after={"anchor": "created_at", "seconds": 60}
    )
    assert made.value.startswith("ek_")
    assert made.expires_at == 1_000_060
    assert (made.session.instructions, made.session.audio.output.speed) == ("Be brief.", 1.25)
    for _ in range(2):
        browser = ["realtime", f"openai-insecure-api-key.{made.value}"]
        with connect(f"{guarded}/v1/realtime", subprotocols=browser) as socket:
            created = receive(socket)["session"]
            assert (created["instructions"], created["audio"]["output"]["speed"]) == ("Be brief.", 1.25)
            say(socket, "good evening")
            assert until(socket, "response.done")[-1]["response"]["status"] == "completed"
    again = httpx.post(
        f"{http(guarded)}/v1/realtime/client_secrets", headers={"Authorization": f"Bearer {made.value}"}
    )
    assert again.status_code == 401, "a secret makes no secrets"


def test_a_secret_may_be_for_a_transcription_session(guarded):
    made = httpx.post(
        f"{http(guarded)}/v1/realtime/client_secrets",
        headers={"Authorization": f"Bearer {RIGHT}"},
        json={"session": {"type": "transcription"}},
    ).json()
    assert made["session"]["object"] == "realtime.transcription_session"
    header = {"Authorization": f"Bearer {made['value']}"}
    with connect(f"{guarded}/v1/realtime", additional_headers=header) as socket:
        assert receive(socket)["session"]["type"] == "transcription"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"seconds": 9}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, "expires_after.seconds"),
        ({"session": {"type": "other"}}, "session.type"),
        ({"session": {"audio": {"output": {"voice": "nobody"}}}}, "session.audio.output.voice"),
        ({"session": {"tools": [{"type": "mcp"}]}}, "session.tools[0].type"),
        ({"session": 5}, "session"),
    ],
)
def test_a_secret_for_a_session_that_cannot_be_is_refused(guarded, body, param):
    response = httpx.post(
        f"{http(guarded)}/v1/realtime/client_secrets", headers={"Authorization": f"Bearer {RIGHT}"}, json=body
    )
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_the_betas_endpoint_answers_flat(guarded):
    made = httpx.post(
        f"{http(guarded)}/v1/realtime/sessions",
        headers={"Authorization": f"Bearer {RIGHT}"},
        json={"model": "gpt-4o-realtime-preview", "voice": "verse", "modalities": ["text"]},
    ).json()
    assert (made["voice"], made["modalities"], made["input_audio_format"]) == ("verse", ["text"], "pcm16")
    assert made["client_secret"]["value"].startswith("ek_")


def test_another_replica_that_shares_the_secret_takes_it_and_one_that_does_not_refuses(guarded):
    value, _ = access().secrets.mint("ada", {"type": "realtime", "instructions": "Hi."})
    header = {"additional_headers": {"Authorization": f"Bearer {value}"}}
    with connect(f"{guarded}/v1/realtime", **header) as socket:
        assert receive(socket)["session"]["instructions"] == "Hi."
    other, _ = access(secret=b"of somebody else").secrets.mint("ada", {"type": "realtime"})
    code, _ = refused(f"{guarded}/v1/realtime", additional_headers={"Authorization": f"Bearer {other}"})
    assert code == 3000


def test_a_secret_that_one_gateway_made_opens_a_session_on_another(tmp_path):
    shared = tmp_path / "secret"
    shared.write_text("shared by all replicas\n")
    with contextlib.ExitStack() as stack:
        one, other = (
            stack.enter_context(
                app(EchoEngine(EngineSettings("echo")), access=access(secret=signing_secret(shared, None)))
            )
            for _ in range(2)
        )
        made = httpx.post(
            f"{http(one)}/v1/realtime/client_secrets",
            headers={"Authorization": f"Bearer {RIGHT}"},
            json={"session": {"type": "realtime", "instructions": "Be brief."}},
        ).json()
        browser = ["realtime", f"openai-insecure-api-key.{made['value']}"]
        with connect(f"{other}/v1/realtime", subprotocols=browser) as socket:
            assert receive(socket)["session"]["instructions"] == "Be brief."
            say(socket, "good evening")
            assert until(socket, "response.done")[-1]["response"]["status"] == "completed"


def test_a_largest_secret_still_travels_in_a_header(guarded):
    words = " ".join(str(number * 7919 % 10_007) for number in range(1_500))
    value, _ = access().secrets.mint("ada", {"type": "realtime", "instructions": words})
    assert len(value) > 4_000
    with connect(
        f"{guarded}/v1/realtime", subprotocols=["realtime", f"openai-insecure-api-key.{value}"]
    ) as socket:
        assert receive(socket)["session"]["instructions"] == words
    with pytest.raises(SecretError, match=r"session\.update"):
        access().secrets.mint("ada", {"instructions": str([number * 7919 for number in range(3_000)])})


def test_secrets_expire_and_cannot_be_changed():
    clock = Clock()
    secrets = ClientSecrets(SECRET, clock)
    value, expires_at = secrets.mint("ada", {"type": "realtime"}, 60)
    assert secrets.read(value).expires_at == expires_at
    for place in (5, len(value) // 2, len(value) - 2):
        changed = value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
        with pytest.raises(SecretError, match="no client secret"):
            secrets.read(changed)
    for wrong in ("ek_", "ek_x", "ek_" + "A" * 40, "ek_ü", "ek_" + "A" * 41):
        with pytest.raises(SecretError, match="no client secret"):
            secrets.read(wrong)
    clock.now += 60
    with pytest.raises(SecretError, match="expired"):
        secrets.read(value)


def test_a_key_holds_so_many_sessions_and_no_more(guarded):
    header = {"additional_headers": {"Authorization": f"Bearer {LIMITED}"}}
    with connect(f"{guarded}/v1/realtime", **header) as socket:
        assert receive(socket)["type"] == "session.created"
        code, error = refused(f"{guarded}/v1/realtime", **header)
        assert (code, error["code"]) == (1013, "session_limit_reached")


def test_a_key_is_told_what_it_has_left(guarded):
    async def main():
        async with call(guarded, extra_headers={"Authorization": f"Bearer {LIMITED}"}) as caller:
            await caller.say("one two three")
            await caller.do.response.create()
            limits = (await caller.until("rate_limits.updated"))[-1].rate_limits
            assert [limit.name for limit in limits] == ["tokens", "requests"]
            assert limits[0].remaining < limits[0].limit == 60
            await caller.do.response.create(
                response={
                    "input": [
                        {
                            "type": "message",
                            "role": "user",
                            "content": [{"type": "input_text", "text": "a " * 80}],
                        }
                    ]
                }
            )
            await caller.until("rate_limits.updated")
            error = await caller.refused("response.create")
            assert error.code == "rate_limit_exceeded"
            assert "60 tokens a minute" in error.message

    asyncio.run(main())


def test_buckets_fill_up_again():
    clock = Clock()
    meter = Meter(60, 2, clock)
    meter.spend(100)
    assert meter.refusal() == "This key has used its 60 tokens a minute. Try again in 41 s."
    clock.now += 41
    assert meter.refusal() is None
    tokens, requests = meter.state()
    assert tokens == {"name": "tokens", "limit": 60, "remaining": 1, "reset_seconds": 59.0}
    assert requests["remaining"] == 2
    meter.spend(0)
    meter.spend(0)
    assert "2 requests a minute" in meter.refusal()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no key"),
        ("ada", "line 1: expected NAME KEY"),
        ("ada short", "line 1: the key of ada has to be 16 to 256"),
        (f"ada {RIGHT}\nada {RIGHT}", "line 2: the name ada is there twice"),
        (f"ada {RIGHT} tokens=5", "'tokens=5' is none of sessions"),
        (f"ada {RIGHT} sessions=0", "'sessions=0' is none of"),
    ],
)
def test_a_file_of_keys_is_read_strictly_and_never_shown(tmp_path, text, why):
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(EngineError, match=why) as caught:
        read_keys(file, None)
    assert RIGHT not in caught.value.message


def test_keys_and_secrets_come_from_files_or_the_environment(tmp_path):
    key = new_key()
    assert read_keys(None, f"{RIGHT},{key}").find(key).name == "key2"
    assert not read_keys(None, None)
    with pytest.raises(EngineError, match="cannot be read"):
        read_keys(tmp_path / "none", None)
    assert signing_secret(None, "0123456789abcdef") == b"0123456789abcdef"
    assert signing_secret(None, None) != signing_secret(None, None)
    (tmp_path / "secret").write_text("short\n")
    with pytest.raises(EngineError, match="16 bytes"):
        signing_secret(tmp_path / "secret", None)
