"""Engines on several nodes of a Ray cluster; run by `make test-ray`."""

import os
import sys
from pathlib import Path

import pytest
from websockets.sync.client import connect

from engine import EngineSettings

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
from serving import app  # noqa: E402
from test_faults import answered, done, failure, words  # noqa: E402
from test_socket import receive, say, until  # noqa: E402

from engine.factory import ECHO_PACE, create  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no engine, and two nodes with room for one each."""
    os.environ[ECHO_PACE] = "2"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    ray.init(made.address)
    yield made, {node.node_id: node for node in nodes}
    ray.shutdown()
    made.shutdown()


@pytest.mark.timeout(300)
def test_a_node_that_is_lost_in_an_answer_fails_that_answer_and_no_conversation(cluster):
    made, nodes = cluster
    fleet = create(EngineSettings("echo", ray=made.address, ray_engines=2))
    asked = []
    respond = fleet.respond
    fleet.respond = lambda request: (asked.append(request), respond(request))[1]
    with app(fleet) as url, connect(url + "/v1/realtime") as client, connect(url + "/v1/realtime") as other:
        receive(client)
        receive(other)
        on = [engine._child.node for engine in fleet._engines]
        assert set(on) == set(nodes), "one engine on each node"
        say(client, "good morning")
        assert done(client)["status"] == "completed"
        story = " ".join(["tell me a story that is long"] * 20)
        say(client, story)
        until(client, "response.output_audio.delta")
        place = next(index for index, running in enumerate(fleet._running) if len(running))
        say(other, "is anybody there")
        made.remove_node(nodes[on[place]], allow_graceful=False)
        assert failure(done(client)) == "engine_died"
        assert done(other)["status"] == "completed", "the other node's answers are not touched"
        # The history is the gateway's: the other engine is told all of it.
        assert answered(client)["status"] == "completed"
    heard = words(asked[-1].messages)
    assert heard[:3] == ["good morning", "good morning", story]
