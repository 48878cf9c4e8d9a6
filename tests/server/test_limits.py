"""What is too many, too much or too long is refused, and whoever was there before goes on."""

import asyncio
import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request

import pytest
from serving import app
from test_socket import EndlessEngine, receive, say, send, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from engine import EngineSettings
from engine.echo import EchoEngine
from realtime.server.gate import Handshakes
from realtime.server.settings import ServerSettings


def echo_engine() -> EchoEngine:
    return EchoEngine(EngineSettings(model="echo"))


def goes_on(client) -> None:
    """A session that was there before holds its conversation."""
    say(client, "good morning")
    assert until(client, "response.done")[-1]["response"]["status"] == "completed"


def tcp(url: str, sent: bytes = b"") -> socket.socket:
    host, port = url.removeprefix("ws://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=10)
    plain.sendall(sent)
    return plain


def ended(plain: socket.socket) -> bytes:
    """What came until the other side closed."""
    came = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := plain.recv(4096):
            came += piece
    return came


def test_handshakes_that_come_too_fast_are_refused_before_they_cost_anything():
    with (
        app(echo_engine(), max_sessions=2, max_handshakes_per_s=0.001, max_address_handshakes_per_s=1) as url,
        connect(url + "/v1/realtime") as first,
        connect(url + "/v1/realtime"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(url + "/v1/realtime")
        assert refused.value.response.status_code == 429
        assert json.loads(refused.value.response.body)["error"]["code"] == "too_many_handshakes"
        receive(first)
        goes_on(first)


def test_one_address_does_not_take_the_handshakes_of_the_others():
    now = 0.0
    settings = ServerSettings(max_sessions=4, max_handshakes_per_s=4, max_address_handshakes_per_s=2)
    handshakes = Handshakes(settings, clock=lambda: now)
    assert [handshakes.take("flood") for _ in range(6)] == [True] * 4 + [False] * 2
    now = 1.0
    assert [handshakes.take("flood") for _ in range(4)] == [True, True, False, False]
    assert [handshakes.take("other") for _ in range(3)] == [True, True, False], "what is left of all"


def test_a_connection_too_many_is_dropped():
    with app(echo_engine(), max_connections=2) as url, connect(url + "/v1/realtime") as client:
        receive(client)
        with tcp(url), tcp(url) as third:
            assert ended(third) == b""
        goes_on(client)


@pytest.mark.parametrize("beginning", [b"", b"GET /health HT", b"GET /v1/realtime HTTP/1.1\r\nUpgrade: web"])
def test_a_head_that_does_not_come_does_not_keep_a_connection(beginning):
    with app(echo_engine(), max_head_s=0.1) as url, tcp(url, beginning) as slow:
        assert ended(slow) == b""


def test_a_body_that_does_not_come_does_not_keep_a_place():
    with app(echo_engine(), max_body_s=0.2) as url:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
        with tcp(url, head) as slow:
            came = ended(slow)
    assert came.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in came


def test_a_body_that_was_answered_unread_does_not_keep_a_connection():
    with app(echo_engine(), max_head_s=0.2) as url:
        head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{"
        with tcp(url, head) as slow:
            assert slow.recv(4096).startswith(b"HTTP/1.1 404")
            # Each byte stops the timer of a connection that is kept alive.
            slow.settimeout(0.01)
            with contextlib.suppress(ConnectionError):
                for _ in range(2000):
                    slow.sendall(b" ")
                    with contextlib.suppress(TimeoutError):
                        slow.recv(4096)
                raise AssertionError("the connection was kept")


def test_a_request_too_many_is_told_to_come_again():
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "modalities": ["text", "audio"]}
    with app(EndlessEngine(pause=0.005), max_requests=1) as url:
        http = url.replace("ws", "http", 1)
        asked = urllib.request.Request(f"{http}/v1/chat/completions", json.dumps(body).encode())
        with urllib.request.urlopen(asked) as first:
            first.read(1)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(asked)
            assert refused.value.code == 503
            assert refused.value.headers["Retry-After"] == "1"
            assert json.load(refused.value)["error"]["code"] == "too_many_requests"
            # Who asks whether the server lives is answered all the same.
            with urllib.request.urlopen(f"{http}/health") as alive:
                assert alive.status == 200
        for _ in range(500):
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{http}/v1/models"):
                return
    raise AssertionError("the place was never free again")


def test_a_client_that_floods_waits_and_nobody_else_does():
    """A hundred thousand events at once: most of them are not even read while somebody else is answered."""
    answered, flooding = threading.Event(), threading.Event()
    with app(echo_engine(), max_events_per_s=100) as url:

        async def flood():
            from websockets.asyncio.client import connect as connect_async

            async with connect_async(url + "/v1/realtime", close_timeout=0.1) as client:
                await client.recv()
                sending = asyncio.ensure_future(_send_all(client))
                errors = 0
                while not answered.is_set():
                    assert json.loads(await client.recv())["error"]["code"] == "invalid_event"
                    errors += 1
                    flooding.set()
                sending.cancel()
                return errors

        async def _send_all(client):
            for _ in range(100_000):
                await client.send("[]")

        result: list[int] = []
        thread = threading.Thread(target=lambda: result.append(asyncio.run(flood())))
        thread.start()
        assert flooding.wait(10)
        with connect(url + "/v1/realtime") as other:
            receive(other)
            for _ in range(5):
                goes_on(other)
        answered.set()
        thread.join(20)
    assert 0 < result[0] < 5_000


def test_a_session_of_one_byte_at_a_time_is_a_session():
    """It costs nothing: whole events are answered whenever they are whole."""
    with app(echo_engine()) as url, connect(url + "/v1/realtime") as other, _handshaken(url) as slow:
        receive(other)
        event = json.dumps({"type": "response.crate"}).encode()
        frame = bytes([0x81, 0x80 | len(event), 0, 0, 0, 0]) + event
        for number, byte in enumerate(frame):
            slow.sendall(bytes([byte]))
            if number % 10 == 0:
                goes_on(other)
        assert b"response.crate" in slow.recv(4096)


@contextlib.contextmanager
def _handshaken(url):
    head = (
        b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with tcp(url, head) as plain:
        came = b""
        while b"session.created" not in came:
            came += plain.recv(65_536)
        yield plain


def test_a_half_open_connection_loses_its_place():
    """It takes what is sent, and answers no ping: the other side is gone and nobody was told."""
    with app(echo_engine(), max_sessions=1, ping_s=0.2) as url:
        with _handshaken(url) as gone:
            assert b"keepalive ping timeout" in ended(gone)
        for _ in range(100):
            with connect(url + "/v1/realtime") as client:
                if receive(client)["type"] == "session.created":
                    return goes_on(client)
    raise AssertionError("the place was never free again")


def test_a_client_that_says_nothing_is_told_and_closed():
    from websockets.exceptions import ConnectionClosed

    with app(echo_engine(), max_idle_s=0.2, tick_s=0.05) as url, connect(url + "/v1/realtime") as client:
        receive(client)
        assert receive(client)["error"]["code"] == "session_idle"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert closed.value.rcvd.code == 1001


def test_a_hundred_and_twenty_nine_tools_are_too_many(echo):
    tools = [{"type": "function", "name": f"f{number}"} for number in range(129)]
    with connect(echo + "/v1/realtime") as client:
        receive(client)
        send(client, "session.update", session={"type": "realtime", "tools": tools})
        assert receive(client)["error"]["param"] == "session.tools"
        goes_on(client)
