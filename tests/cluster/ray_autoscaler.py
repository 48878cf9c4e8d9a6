"""Ray's own autoscaler: a node comes where an engine has no room, and goes when its engine has. Run by
`make test-ray`."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine import EngineSettings

ray = pytest.importorskip("ray")
sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
from ray_cluster import opener, story, wait_until  # noqa: E402
from serving import app  # noqa: E402
from test_faults import done  # noqa: E402
from test_socket import send  # noqa: E402

from engine.factory import ECHO_PACE, create  # noqa: E402
from engine.scaling import Phase  # noqa: E402

PATIENCE = 120.0


HEAD = "ray.head.default"
"""As this provider names it."""
UNUSED = ("auth", "docker", "file_mounts")
UNUSED_LISTS = (
    *("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands"),
    *("head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files"),
    *("rsync_exclude", "rsync_filter"),
)
"""What it takes to start machines: these nodes are processes, all else is as in a cloud."""


def cloud() -> dict[str, object]:
    """A head with room for one engine, and nodes with as much room, of which there may be two."""

    def kind(most: int) -> dict[str, object]:
        return {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": most}

    return {
        "cluster_name": "engines",
        "provider": {"type": "fake_multinode", "use_node_id_as_ip": True},
        "max_workers": 2,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.1,
        "available_node_types": {HEAD: kind(0), "node": kind(2)},
        "head_node_type": HEAD,
        **{name: {} for name in UNUSED},
        **{name: [] for name in UNUSED_LISTS},
        "file_mounts_sync_continuously": False,
    }


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Started as an operator starts one; its nodes come and go by Ray's autoscaler."""
    command = [sys.executable, "-m", "ray.scripts.scripts"]
    monkeypatch.setenv("AUTOSCALER_UPDATE_INTERVAL_S", "1")
    monkeypatch.setenv("RAY_FAKE_CLUSTER", "1")
    monkeypatch.setenv(ECHO_PACE, "2")
    config = tmp_path / "cloud.json"
    config.write_text(json.dumps(cloud()))
    start = [*command, "start", "--head", "--num-cpus=1", f"--autoscaling-config={config}"]
    subprocess.run(start, check=True)
    try:
        ray.init("auto")
        yield
    finally:
        ray.shutdown()
        subprocess.run([*command, "stop", "--force"], check=True)


def nodes() -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("cluster")
def test_a_node_comes_and_goes_with_the_sessions_that_speak():
    (head,) = nodes()
    settings = EngineSettings("echo", slots=4, ray="auto", ray_engines=1, ray_max_engines=2, ray_idle_s=2.0)
    fleet = create(settings)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(app(fleet))

        session = opener(stack, url)
        speaking = [session(story(900)) for _ in range(4)]
        wait_until(lambda: fleet._phases[1] is Phase.SERVING, PATIENCE)
        (added,) = nodes() - {head}
        assert [engine._child.node for engine in fleet._engines] == [head, added]
        assert done(session("good morning"))["status"] == "completed"
        for client in speaking:
            send(client, "response.cancel")
        wait_until(lambda: fleet._phases[1] is Phase.OFF, PATIENCE)
        wait_until(lambda: nodes() == {head}, PATIENCE)
        last = session("good night")
        assert done(last)["status"] == "completed"
