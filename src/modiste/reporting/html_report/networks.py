"""The networks as tables: layers, sizes of what comes out, parameters."""

from collections.abc import Iterator
from itertools import pairwise

from modiste.recipes.recipe import ModelConfig
from modiste.reporting.html_report.html import Html, join, table, tag
from modiste.reporting.html_report.texts import Texts
from modiste.reporting.report_data import ReportData

Layer = tuple[str, str, int]
"""What it is, what comes out, how many parameters."""


def section(study: ReportData, say: Texts) -> Html:
    """The report's two networks, and whatever else the runs have."""
    parts = [
        say("networks.cnn"),
        _layers(cnn(), say),
        say("networks.resnet18"),
        _resnet(say),
    ]
    small = {_size(entry.recipe.model): entry.recipe.model for entry in study.given if entry.network == "residual"}
    for _, network in sorted(small.items()):
        parts += [say("networks.residual"), _layers(residual(network), say)]
    own = sorted({entry.network for entry in study.given} - {"cnn", "resnet18", "residual"})
    if own:
        parts.append(say("networks.own", names=", ".join(own)))
    return join(parts)


def cnn() -> list[Layer]:
    """The course report's CNN, layer by layer."""
    return [
        ("Conv 5 × 5, padding 2", _out(32, 28), 32 * (25 + 1)),
        ("ReLU, BN", _out(32, 28), 64),
        ("max-pool 2 × 2", _out(32, 14), 0),
        ("Conv 3 × 3, padding 2", _out(64, 16), 64 * (9 * 32 + 1)),
        ("ReLU, BN", _out(64, 16), 128),
        ("max-pool 2 × 2", _out(64, 8), 0),
        ("Linear, ReLU, dropout", "4096", (64 * 8 * 8 + 1) * 4096),
        ("Linear", "10", 4097 * 10),
    ]


def _size(model: ModelConfig) -> tuple[float, ...]:
    """What decides the layers of a residual network."""
    return model.width, model.stem_width, model.blocks_per_stage, model.width_multiplier


def residual(options: ModelConfig) -> list[Layer]:
    """The small residual network of `sprint` and its kin, layer by layer."""
    stem, blocks = options.stem_width, options.blocks_per_stage
    widths = [stem or 1, *(round(options.width * options.width_multiplier**stage) for stage in range(3))]
    stages = zip(pairwise(widths), (14, 7, 3), strict=True)
    first = ("Conv 3 × 3, BN, ReLU", _out(stem, 28), 9 * stem + 2 * stem)
    return [
        *([first, _same(stem, 28, blocks)] if stem else []),
        *(
            layer
            for (inputs, outputs), side in stages
            for layer in (_halved(inputs, outputs, side), _same(outputs, side, blocks))
        ),
        ("mean and max, global", str(2 * widths[-1]), 0),
        ("Linear", "10", (2 * widths[-1] + 1) * 10),
    ]


def resnet18() -> list[tuple[str, str, str, str, int]]:
    """Name, output at 224 pixels (He et al. 2016, table 1), output at 28, what it is, parameters."""
    stages = zip((64, 128, 256, 512), (56, 28, 14, 7), (7, 4, 2, 1), strict=True)
    rows = [
        ("conv1", "112 × 112", "14 × 14", "7 × 7, 64, stride 2", 3 * 49 * 64 + 128),
        ("max-pool", "56 × 56", "7 × 7", "3 × 3, stride 2", 0),
    ]
    inputs = 64
    for place, (width, large, small) in enumerate(stages, start=2):
        what = f"[3 × 3, {width}; 3 × 3, {width}] × 2"
        rows.append((f"conv{place}_x", f"{large} × {large}", f"{small} × {small}", what, sum(_blocks(inputs, width))))
        inputs = width
    return [*rows, ("average pool, fc", "1 × 1", "1 × 1", "10-d, softmax", 513 * 10)]


def _halved(inputs: int, outputs: int, side: int) -> Layer:
    return ("Conv 4 × 4, stride 2, BN, ReLU", _out(outputs, side), 16 * inputs * outputs + 2 * outputs)


def _same(channels: int, side: int, blocks: int) -> Layer:
    block = "x + 2 × (Conv 3 × 3, BN, ReLU)"
    what = f"[{block}] × {blocks}" if blocks > 1 else block
    return (what, _out(channels, side), blocks * 2 * (9 * channels**2 + 2 * channels))


def _blocks(inputs: int, width: int) -> Iterator[int]:
    """Parameters of the four convolutions of a stage, their BN, and its shortcut where the width changes."""
    yield 9 * inputs * width + 3 * 9 * width**2 + 4 * 2 * width
    if inputs != width:
        yield inputs * width + 2 * width


def _out(channels: int, side: int) -> str:
    return f"{channels} × {side} × {side}"


def _layers(layers: list[Layer], say: Texts) -> Html:
    rows = [(what, out, f"{count:,}" if count else "") for what, out, count in layers]
    total = (tag("strong", say("networks.total")), "", tag("strong", f"{sum(count for _, _, count in layers):,}"))
    return table(
        [say("networks.layer"), say("networks.output"), say("networks.parameters")], [*rows, total], kind="figures"
    )


def _resnet(say: Texts) -> Html:
    layers = resnet18()
    rows = [(name, what, large, small, f"{count:,}" if count else "") for name, large, small, what, count in layers]
    total = (tag("strong", say("networks.total")), "", "", "", tag("strong", f"{sum(row[4] for row in layers):,}"))
    head = [say(f"networks.{key}") for key in ("layer", "blocks", "at_224", "at_28", "parameters")]
    return table(head, [*rows, total], kind="figures")
