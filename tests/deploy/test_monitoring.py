"""The systemd unit, Prometheus's scrape job and Grafana's dashboard."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from helpers.proxy import NAME, PREFIX
from helpers.service import BOOT, Service, serving

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "modiste@.service"


def unit_value(name: str) -> str:
    """Return the value of a setting of the unit, which has it once."""
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return value


@pytest.fixture(scope="module")
def metrics(service: Service) -> dict[str, set[str]]:
    """The labels of each metric after a prediction, as `/metrics` lists them."""
    assert service.ask("POST", "/predict", BOOT)[0] == 200
    families = text_string_to_metric_families(service.ask("GET", "/metrics")[1].decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds no unknown setting, for an instance of the template."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    text = UNIT.read_text(encoding="utf-8").replace("/opt/modiste/bin/modiste", "/bin/true")
    text = text.replace("/usr/bin/curl", "/bin/true")
    (tmp_path / "modiste@.service").write_text(text)
    (tmp_path / "modiste@8001.service").symlink_to("modiste@.service")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "modiste@8001.service")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    problems = [line for line in finished.stderr.splitlines() if "modiste" in line]
    assert (finished.returncode, problems) == (0, [])


def test_the_command_of_the_unit_runs() -> None:
    """It serves the prefix and name of the proxies, and the unit waits longer than accepted requests take."""
    program, command, *options = shlex.split(unit_value("ExecStart"))
    assert (program, command) == ("/opt/modiste/bin/modiste", "serve")
    assert options[:2] == ["--port", "%i"]
    with serving(*options[2:]) as service:
        assert service.ask("GET", f"{PREFIX}/about", Host=NAME)[0] == 200
        wait = shlex.split(unit_value("ExecStartPost").replace("127.0.0.1:%i", ":".join(map(str, service.address))))
        subprocess.run(wait, check=True)
    assert int(unit_value("TimeoutStopSec")) > 20


def test_prometheus_reads_every_instance() -> None:
    """The job names both ports of nginx's example, and a path that is in Prometheus's format."""
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    targets = job["static_configs"][0]["targets"]
    assert all(f"server {target} " in (DEPLOY / "nginx.conf").read_text(encoding="utf-8") for target in targets)
    assert job["metrics_path"] == "/metrics"


def test_the_dashboard_names_metrics_that_exist(metrics: dict[str, set[str]]) -> None:
    """And only labels that they have, in every query of every panel."""
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= 6
    assert {name for query in queries for name in re.findall(r"\bmodiste_\w+", query)} <= metrics.keys()
    for query in queries:
        (first, *_) = re.findall(r"\bmodiste_\w+", query)
        labels = re.findall(r"(\w+)=~?\"", query) + re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query)))
        assert set(labels) <= metrics[first], query


def test_every_panel_of_the_dashboard_is_described() -> None:
    """With a title, a description, a unit, and a place of its own."""
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    assert all(panel["title"] and panel["description"] for panel in panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


def test_the_dashboard_has_every_metric(metrics: dict[str, set[str]]) -> None:
    """A new metric gets a place in it."""
    text = (DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8")
    names = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in metrics}
    assert [name for name in names if name not in text and f"{name}_total" not in text] == []
