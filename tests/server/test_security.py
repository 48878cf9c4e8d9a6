"""Pages of other sites, and keys in logs."""

import contextlib
import hmac
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import httpx
import pytest
from serving import COMMAND, app
from test_socket import receive
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from engine import EngineSettings
from engine.echo import EchoEngine
from realtime.server.client_secrets import ClientSecrets
from realtime.server.keys import Keyring, new_key
from realtime.server.origins import Origins
from realtime.server.settings import ServerSettings

HOST = "api.example:8000"
OWN, LOCAL, FOREIGN = f"http://{HOST}", "http://localhost:3000", "https://evil.example"


@pytest.mark.parametrize(
    ("settings", "keys", "allowed"),
    [
        # On somebody's own machine: no page but that machine's, even where a foreign name leads to it.
        ({}, False, {None, LOCAL}),
        ({"open": True}, False, {None, LOCAL, OWN}),
        ({}, True, {None, LOCAL, OWN, FOREIGN, "null"}),
        ({"origins": (FOREIGN,)}, True, {None, OWN, FOREIGN}),
        ({"origins": (FOREIGN,)}, False, {None, FOREIGN}),
        ({"origins": ("*",)}, False, {None, LOCAL, OWN, FOREIGN, "null"}),
    ],
)
def test_whose_pages_come_in(settings, keys, allowed):
    origins = Origins(ServerSettings(**settings), keys=keys)
    asked = [None, LOCAL, OWN, FOREIGN, "null"]
    assert {one for one in asked if origins.allow(one, HOST)} == allowed
    assert not origins.allow("http://[", HOST) or (keys and not settings) or "*" in origins._listed


@pytest.mark.parametrize(
    ("settings", "keys", "refused"),
    [
        ({}, False, {HOST, "evil.example", "["}),
        # A proxy's name, where its pages were let in.
        ({"origins": (OWN,)}, False, {"evil.example", "["}),
        ({"origins": ("*",)}, False, set()),
        ({"open": True}, False, set()),
        ({}, True, set()),
    ],
)
def test_by_which_names_it_may_be_asked_for(settings, keys, refused):
    origins = Origins(ServerSettings(**settings), keys=keys)
    local = [None, "localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000"]
    asked = [*local, HOST, "evil.example", "["]
    assert {one for one in asked if not origins.allow_host(one)} == refused


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/v1/models"])
def test_a_foreign_name_that_leads_here_is_refused_on_every_path(echo, path):
    url = f"{echo.replace('ws', 'http', 1)}{path}"
    assert httpx.get(url).status_code == 200
    refused = httpx.get(url, headers={"Host": "evil.example:8000"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "host_not_allowed")


def test_a_page_of_a_foreign_site_is_refused_before_it_costs_anything(echo):
    with pytest.raises(InvalidStatus) as refused:
        connect(echo + "/v1/realtime", origin=FOREIGN)
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == "origin_not_allowed"
    with connect(echo + "/v1/realtime", origin=LOCAL) as client:
        assert receive(client)["type"] == "session.created"
    # A form needs no leave of the browser to be sent.
    form = urllib.request.Request(
        f"{echo.replace('ws', 'http', 1)}/v1/audio/voices",
        b"{}",
        {"Origin": FOREIGN, "Content-Type": "text/plain"},
    )
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(form)
    assert answer.value.code == 403


def test_a_listed_site_is_let_in_and_its_browser_told_so():
    with app(EchoEngine(EngineSettings(model="echo")), origins=(FOREIGN,)) as url:
        with connect(url + "/v1/realtime", origin=FOREIGN) as client:
            assert receive(client)["type"] == "session.created"
        models = f"{url.replace('ws', 'http', 1)}/v1/models"
        with urllib.request.urlopen(urllib.request.Request(models, headers={"Origin": FOREIGN})) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == FOREIGN


def test_no_key_is_ever_logged(tmp_path):
    key, wrong = new_key(), new_key()
    (tmp_path / "keys").write_text(f"ada {key}\n")
    secret = ClientSecrets(b"another server's secret").mint("ada", {"type": "realtime"})[0]
    with (tmp_path / "log").open("w") as log:
        served = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--keys", str(tmp_path / "keys")], stderr=log, env=os.environ
        )
        try:
            url = None
            while url is None:
                assert served.poll() is None
                url = re.search(r"Ready: (ws://\S+?)/v1/realtime ", (tmp_path / "log").read_text())
            for shown in (key, wrong, secret):
                for path, options in (
                    ("/v1/realtime", {"additional_headers": {"Authorization": f"Bearer {shown}"}}),
                    ("/v1/realtime", {"subprotocols": ["realtime", f"openai-insecure-api-key.{shown}"]}),
                    (f"/v1/realtime?api-key={shown}", {}),
                ):
                    with connect(url[1] + path, **options) as client:
                        assert client.recv(10)
                        with contextlib.suppress(ConnectionClosed):
                            client.send("{")
                models = f"{url[1].replace('ws', 'http', 1)}/v1/models?api-key={shown}"
                answer = httpx.get(models, headers={"Authorization": f"Bearer {shown}"})
                assert shown not in answer.text
        finally:
            served.terminate()
            served.wait(20)
    logged = (tmp_path / "log").read_text()
    assert not [shown for shown in (key, wrong, secret) if shown in logged]


def test_every_key_is_compared_in_constant_time_whichever_is_shown(monkeypatch):
    keys = [new_key() for _ in range(5)]
    ring = Keyring.read([f"name{number} {key}" for number, key in enumerate(keys)], "the test")
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: (compared.append(len(b)), compare(a, b))[1])
    for shown in (*keys, "", "sk-wrong", keys[0][:-1]):
        compared.clear()
        found = ring.find(shown)
        assert (found is not None) == (shown in keys)
        assert compared == [32] * 5, "digests of one length, all of them, whatever was shown"
