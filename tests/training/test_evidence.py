"""Where a network sees its labels: in the network, in its file, on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from helpers.command import TINY, inside
from helpers.models import tiny_model
from helpers.service import BOOT, serving
from modiste.inference import load
from modiste.recipes.recipe import Data, Network
from modiste.training import networks
from modiste.training.layers import Mapped
from modiste.training.prepared import Prepared

NETWORKS = [
    Network(name="residual", width=4),
    Network(name="residual", width=4, stem=4),
    Network(name="efficientnet_lite0", initialisation="default"),
]


@pytest.fixture(scope="module")
def run(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run of `sprint`."""
    folder = tmp_path_factory.mktemp("evidence")
    inside(folder, "train", "sprint", f"--data={idx}", "--name=run", "--epochs=2", *TINY)
    return folder / "runs" / "run"


@pytest.mark.parametrize("options", NETWORKS, ids=lambda options: f"{options.name}-{options.stem}")
def test_evidence_sums_to_the_logits(options: Network) -> None:
    """Place by place it is what the logits are made of, but for the biases."""
    torch.manual_seed(0)
    network = networks.build(options, 5, Data()).eval()
    assert isinstance(network, Mapped)
    images = torch.randn(3, 1, 28, 28)
    logits, evidence = network.with_evidence(images)
    assert torch.equal(logits, network(images))
    bias = network.head.linear.bias
    assert isinstance(bias, Tensor)
    assert torch.allclose(evidence.sum((2, 3)) + bias, logits, atol=1e-4)


def test_a_mirrored_network_says_the_same_of_a_mirror_image() -> None:
    """It answers by the mean of both, and its evidence is where it was, mirrored; training sees one view."""
    torch.manual_seed(0)
    body = networks.build(Network(name="residual", width=4), 5, Data())
    network = Prepared(body, torch.zeros(1), torch.ones(1), mirrored=True)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    both = body.eval()(torch.stack([images, images.flip(2)]).flatten(0, 1)[:, None] / 255).unflatten(0, (2, 3))
    logits, evidence = network.eval().with_evidence(images)
    turned_logits, turned_evidence = network.with_evidence(images.flip(2))
    torch.testing.assert_close(logits, both.mean(0))
    torch.testing.assert_close(network(images), logits)
    torch.testing.assert_close(turned_logits, logits)
    torch.testing.assert_close(turned_evidence.flip(3), evidence)
    seen: list[int] = []
    body.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    network(images)
    network.train()(images)
    assert seen == [6, 3]


def test_the_file_says_what_the_network_says(run: Path, idx: Path) -> None:
    """The model of a run has evidence beside its probabilities; the softmax of its sum, nearly, is them."""
    model = load(run / "model.onnx")
    assert model.has_evidence
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    found = np.stack([model.evidence(image) for image in images])
    assert found.shape[:2] == (5, 10)
    ratio = np.log(model.probabilities(images)) - found.sum((2, 3))  # bias, and one number an image
    centred = ratio - ratio.mean(1, keepdims=True)
    assert np.abs(centred - centred.mean(0)).max() < 1e-3


def test_a_heat_map_is_drawn(run: Path, tmp_path: Path) -> None:
    """`--heatmap` writes a picture over what the network sees; the label is told as ever."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    told = inside(tmp_path, "predict", f"--model={run}", "--heatmap=where.png", "boot.png").stdout
    assert told == inside(tmp_path, "predict", f"--model={run}", "boot.png").stdout
    with Image.open(tmp_path / "where.png") as drawn:
        assert (drawn.size, drawn.mode) == ((224, 224), "RGB")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--heatmap=w.png", "--model=plain.onnx", "boot.png"], "cannot say where it looks"),
        (["--heatmap=w.png", "boot.png", "boot.png"], "draws one picture"),
        (["--heatmap=w.png", "none.png"], "does not exist"),
        (["--heatmap=boot.png", "boot.png"], "into a file of its own"),
        (["--heatmap=w.png", "--show=w.png", "boot.png"], "into a file of its own"),
        (["--heatmap=w.jpg", "boot.png"], "must end in .png"),
        (["--show=w.png", "boot.png", "boot.png"], "--show draws one picture"),
        (["--show=w.jpg", "boot.png"], "--show drawn.png PICTURE"),
        ([""], "name is empty"),
    ],
)
def test_a_heat_map_that_cannot_be_drawn_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    """One line, and no file; a model may have no map."""
    (tmp_path / "boot.png").write_bytes(BOOT)
    (tmp_path / "plain.onnx").write_bytes(tiny_model())
    done = inside(tmp_path, "predict", *arguments, code=2)
    assert words in done.stderr
    assert not (tmp_path / "w.png").exists()


def test_the_service_draws_it_too(run: Path) -> None:
    """When it is asked to."""
    with serving(f"--model={run}") as service:
        _, told, _ = service.ask("POST", "/predict?heatmap=true", BOOT)
        _, plain, _ = service.ask("POST", "/predict", BOOT)
    assert told["heatmap"].startswith("data:image/png;base64,iVBOR")
    assert "heatmap" not in plain
    assert json.dumps(plain["top"]) == json.dumps(told["top"])
