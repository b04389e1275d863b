"""The files that start clusters are valid."""

import json
import subprocess
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_cluster_of_the_launcher_fits_its_schema() -> None:
    """The schema comes with Ray."""
    ray = pytest.importorskip("ray")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text(encoding="utf-8"))
    content = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema)
    types = content["available_node_types"]
    assert content["head_node_type"] in types
    assert types[content["head_node_type"]]["resources"] == {"CPU": 0}
    assert types["worker"]["max_workers"] <= content["max_workers"]


def test_the_cluster_of_kubernetes_has_one_image() -> None:
    """Head and workers have the same versions."""
    documents = list(yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text(encoding="utf-8")))
    cluster = next(each for each in documents if each["kind"] == "RayCluster")
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    images = {c["image"] for group in groups for c in group["template"]["spec"]["containers"]}
    assert images == {"IMAGE"}
    claims = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    volumes = cluster["spec"]["headGroupSpec"]["template"]["spec"]["volumes"]
    assert {volume["persistentVolumeClaim"]["claimName"] for volume in volumes} == claims


def test_the_script_for_slurm_is_valid() -> None:
    """For bash; what Slurm does is not tried here."""
    subprocess.run(["bash", "-n", str(DEPLOY / "slurm.sh")], check=True)
