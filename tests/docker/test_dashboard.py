"""The Grafana dashboard and the documents name what the server really tells Prometheus."""

import json
import re
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docker" / "monitoring"
PROVISIONING = MONITORING / "grafana" / "provisioning"
sys.path.insert(0, str(ROOT / "tests" / "server"))
from serving import GOLDEN, command  # noqa: E402


def queries():
    """Every expression of every panel."""
    board = json.loads((MONITORING / "grafana" / "dashboards" / "chroma-realtime.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Every name that a server with a model tells; a histogram's with the suffixes that Prometheus keeps."""
    folder = tmp_path_factory.mktemp("home")
    environment = {"XDG_CACHE_HOME": str(folder), "CHROMA_REALTIME_VOICES": str(folder / "voices")}
    with command("--model", str(GOLDEN), environment=environment) as url:
        text = urllib.request.urlopen(f"{url.replace('ws', 'http', 1)}/metrics", timeout=10).read().decode()
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names.add(name)
        if kind == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def test_every_metric_of_the_dashboard_is_told(told):
    texts = [*queries(), (ROOT / "docs" / "operations.md").read_text()]
    asked = {
        name for text in texts for name in re.findall(r"\b(?:chroma_(?:realtime|engine)|process)_\w+", text)
    }
    assert len(asked) > 15
    # A counter's type is told by its name as it is or without _total, by the form of the text.
    assert {name for name in asked if name not in told and name.removesuffix("_total") not in told} == set()


def test_prometheus_scrapes_the_server_of_the_compose_file():
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    (target,) = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    service = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"][host]
    assert service["ports"][0].endswith(f":{port}")
    assert all(f'job="{job["job_name"]}"' in query for query in queries() if "process_" in query)


def test_grafana_finds_its_source_and_its_dashboards():
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    monitored = yaml.safe_load((ROOT / "docker" / "compose.monitoring.yaml").read_text())["services"]
    assert source["url"].removeprefix("http://").split(":")[0] in monitored
    board = json.loads((MONITORING / "grafana" / "dashboards" / "chroma-realtime.json").read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "chroma.yaml").read_text())["providers"]
    mounted = {volume.split(":")[1] for volume in monitored["grafana"]["volumes"]}
    assert provider["options"]["path"] in mounted
