"""Engines on several nodes of a Ray cluster; run by `make test-ray`."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from engine import EngineSettings

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
from serving import app  # noqa: E402
from test_faults import ENDS, answered, done, failure, words  # noqa: E402
from test_socket import receive, say, send, until  # noqa: E402

from benchmarks import ray_latency  # noqa: E402
from engine.factory import ECHO_PACE, create  # noqa: E402
from engine.scaling import Phase  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no engine; the tests add the nodes."""
    os.environ[ECHO_PACE] = "2"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    ray.init(made.address)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def add_node(cluster):
    """Adds a node with room for one engine; returns it."""
    added = []

    def add():
        added.append(cluster.add_node(num_cpus=1))
        return added[-1]

    yield add
    for node in added:
        if node in cluster.worker_nodes:
            cluster.remove_node(node)


def story(words: int) -> str:
    """What echo needs 0.12 s a word to say again."""
    return " ".join(["word"] * (words - 1) + ["end"])


def opener(stack: contextlib.ExitStack, url: str):
    """Opens sessions that say something, and are being answered."""

    def session(text: str):
        # Of what it is told then, pongs among it, nobody reads anything for a while.
        client = stack.enter_context(connect(url + "/v1/realtime", ping_interval=None))
        receive(client)
        say(client, text)
        until(client, "response.output_audio.delta")
        return client

    return session


def wait_until(true, patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("model", ["echo", "nano"])
def test_a_node_that_is_lost_in_an_answer_fails_that_answer_and_no_conversation(cluster, add_node, model):
    nodes = {node.node_id: node for node in (add_node(), add_node())}
    fleet = create(EngineSettings(model, device="cpu", ray=cluster.address, ray_engines=2))
    asked = []
    respond = fleet.respond
    fleet.respond = lambda request: (asked.append(request), respond(request))[1]
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(app(fleet, wait=False))
        # Two nano on one core take longer than a server is given elsewhere.
        wait_until(lambda: httpx.get(url.replace("ws", "http", 1) + "/ready").status_code == 200, 200.0)
        client, other = (stack.enter_context(connect(url + "/v1/realtime")) for _ in range(2))
        receive(client)
        receive(other)
        on = [engine._child.node for engine in fleet._engines]
        assert set(on) == set(nodes), "one engine on each node"
        say(client, "good morning")
        assert done(client)["status"] in ENDS
        told = story(140)
        say(client, told)
        until(client, "response.output_audio.delta")
        place = next(index for index, running in enumerate(fleet._running) if len(running))
        # It says nothing more, and so cannot be done before its node is lost.
        pid = fleet._engines[place].pid
        os.kill(pid, signal.SIGSTOP)
        say(other, "is anybody there")
        cluster.remove_node(nodes[on[place]], allow_graceful=False)
        os.kill(pid, signal.SIGCONT)
        assert failure(done(client)) == "engine_died"
        assert done(other)["status"] in ENDS, "the other node's answers are not touched"
        # The history is the gateway's: the other engine is told all of it.
        assert answered(client)["status"] in ENDS
    heard = words(asked[-1].messages)
    assert (heard[0], heard[2]) == ("good morning", told)


@pytest.mark.timeout(300)
def test_engines_come_and_go_with_the_sessions_that_speak(cluster, add_node):
    add_node()
    fleet = create(
        EngineSettings("echo", slots=4, ray=cluster.address, ray_engines=1, ray_max_engines=2, ray_idle_s=2.0)
    )
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(app(fleet))

        session = opener(stack, url)
        first, *others = [session(story(900)) for _ in range(4)]
        wait_until(lambda: fleet._phases[1] is Phase.STARTING)
        # No node has room for it: that it waits is what Ray's autoscaler goes by.
        node = add_node()
        wait_until(lambda: fleet._phases[1] is Phase.SERVING)
        assert fleet._engines[1]._child.node == node.node_id
        told = story(80)
        last = session(told)
        assert [len(running) for running in fleet._running] == [4, 1], "the next one is taken by the new one"
        for client in others:
            send(client, "response.cancel")
        wait_until(lambda: fleet._phases[1] is Phase.DRAINING)
        new = session("good morning")
        assert len(fleet._running[1]) == 1, "one that drains takes none"
        assert done(new)["status"] == "completed"
        answer = done(last)
        assert answer["status"] == "completed"
        assert answer["output"][0]["content"][0]["transcript"] == told
        wait_until(lambda: fleet._phases[1] is Phase.OFF)
        wait_until(lambda: ray.available_resources().get("CPU") == 1)
        say(last, "and again")
        assert done(last)["status"] == "completed", "its conversation goes on where it can"
        send(first, "response.cancel")
        assert done(first)["status"] == "cancelled"


@pytest.mark.timeout(300)
def test_the_benchmark_tells_what_ray_adds(cluster, add_node, tmp_path, monkeypatch):
    add_node()
    monkeypatch.setenv(ECHO_PACE, "1")
    results = tmp_path / "results.md"
    assert ray_latency.main(["--rounds", "1", "--results", str(results)]) == 0
    cells = [line.strip("| ").split(" | ") for line in results.read_text().splitlines() if " | " in line]
    here, there, added = (dict(zip(cells[0][:2], row[:2], strict=True)) for row in cells[1:])
    column = cells[0][1]
    assert float(added[column]) == pytest.approx(float(there[column]) - float(here[column]), abs=0.02)
