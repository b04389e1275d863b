"""The sections on the data and on the networks."""

from pathlib import Path

from markupsafe import Markup

from modiste.data import sources
from modiste.data.verify import count_by_class
from modiste.errors import ModisteError
from modiste.recipes.config import DataConfig
from modiste.reporting import figures, formatting
from modiste.reporting.report.document import Block, Figure, Heading, Paragraph, Row, Section, Table, unmarked
from modiste.reporting.report.texts import Texts
from modiste.reporting.report_data import ReportData
from modiste.reporting.results_table import MethodResult
from modiste.runs import files, parsing

Layers = tuple[tuple[str, str, int], ...]
"""Name, output size and number of parameters of each layer, in order of execution."""

SAMPLES, MAX_CLASSES = 10, 20
"""Sample images of a class, and classes of which they are shown."""

MAX_LAYERS, FIRST_LAYERS, LAST_LAYERS = 30, 18, 6
"""Of a network of more layers, the first ones and the last ones are listed."""

DESCRIBED_NETWORKS = ("cnn", "resnet18", "residual", "efficientnet_lite1")


def describe_data(data: ReportData, texts: Texts) -> Section:
    """Return sample images of each class, and the number of images per split of each run."""
    run = next((result for result in data.own if result.run), None)
    uses_fashion_mnist = any(result.uses_fashion_mnist for result in data.own)
    blocks: list[Block] = [Paragraph(texts.get("data.fashion_mnist"))] if uses_fashion_mnist else []
    own = {result.dataset: result for result in reversed(data.runs) if not result.uses_fashion_mnist}
    for place, result in enumerate(reversed(own.values()), start=1):
        blocks += _describe_classes(f"tab-data-{place}", result, texts)
    blocks.append(_plot_samples(run, texts))
    if run:
        head = texts.titles("data", "run dataset train validation test fold")
        rows = unmarked(_image_count_rows(data))
        table = Table("tab-images", texts.get("data.images_caption"), head, rows, "llrrrr")
        return texts.section("data", [*blocks, Paragraph(texts.get("data.split")), table])
    return texts.section("data", [*blocks, Paragraph(texts.get("data.no_runs"), is_note=True)])


def _describe_classes(key: str, result: MethodResult, texts: Texts) -> list[Block]:
    """Return form and classes of a user's own data, with the images of each; nothing where the data cannot be read."""
    config = result.recipe.data
    try:
        class_names = sources.open_source(config).class_names
        counts = [
            count_by_class(
                class_names,
                part.labels[indices],
                None if part.candidate_labels is None else part.candidate_labels[indices],
            )
            for part, indices in sources.trained_parts(config, result.recipe.seed).values()
        ]
    except ModisteError:  # the figure of sample images says why
        return []
    is_tested = result.split == "test" and result.scores is not None
    if is_tested and result.scores:
        counts.append({label.name: label.support for label in result.scores.per_class})
    values = {"dataset": result.dataset, "classes": len(class_names), "size": config.image_size}
    about = texts.get("data.rgb" if config.channels == 3 else "data.gray", **values)
    untested = [name for name in class_names if is_tested and not counts[-1].get(name)]
    head = texts.titles("data", "class train validation" + " test" * is_tested)
    rows = [[texts.translate(name), *(f"{each.get(name, 0):,}" for each in counts)] for name in class_names]
    blocks: list[Block] = [Paragraph(about)]
    if untested:
        note = texts.get("data.untested", dataset=result.dataset, names=texts.join(map(texts.translate, untested)))
        blocks.append(Paragraph(note, is_note=True))
    caption = texts.get("data.classes_caption", dataset=result.dataset, name=result.name)
    return [*blocks, Table(key, caption, head, unmarked(rows), "lrrr"[: len(head)])]


def _plot_samples(run: MethodResult | None, texts: Texts) -> Block:
    """Return a figure of the first images of each class, or a note that says why there is none."""
    config = run.recipe.data if run else DataConfig(val_fraction=0)
    name = run.dataset if run else "Fashion-MNIST"
    try:
        samples = sources.first_of_each_class(config, SAMPLES)
    except ModisteError as error:
        return Paragraph(texts.get("data.no_samples", reason=error), is_note=True)
    shown = [(name, images) for name, images in samples if len(images)][:MAX_CLASSES]
    key = "data.samples_caption" if len(shown) == len(samples) else "data.some_samples_caption"
    caption = texts.get(key, dataset=name, shown=len(shown), classes=len(samples))
    return Figure("fig-samples", caption, figures.plot_samples(shown))


def describe_networks(data: ReportData, texts: Texts) -> Section:
    """Return the layers of each network that was trained, from layers.json, with the runs that have these layers."""
    results_by_layers: dict[Layers, list[MethodResult]] = {}
    missing = []
    for result in data.runs:
        if result.run and result.run.layers.is_file():
            results_by_layers.setdefault(_read_layers(result.run.layers), []).append(result)
        else:
            missing.append(result.name)
    blocks: list[Block] = [Paragraph(texts.get("networks.about"))] if results_by_layers else []
    for place, (layers, results) in enumerate(results_by_layers.items(), start=1):
        blocks += _describe_network(f"tab-layers-{place}", layers, results, texts)
    if missing:
        blocks.append(Paragraph(texts.get("networks.missing", names=texts.join(missing)), is_note=True))
    elif not results_by_layers:
        blocks.append(Paragraph(texts.get("networks.no_runs"), is_note=True))
    return texts.section("networks", blocks)


def _describe_network(key: str, layers: Layers, results: list[MethodResult], texts: Texts) -> list[Block]:
    """Return heading, description and table of the layers of a network."""
    kind, total = results[0].network, sum(parameters for _, _, parameters in layers)
    names = texts.join([result.name for result in results])
    values = {"n": len(layers), "parameters": formatting.abbreviate_number(total), "names": names, "kind": kind}
    about = texts.get(f"networks.{kind}" if kind in DESCRIBED_NETWORKS else "networks.other", **values)
    rows: list[Row] = [("", [name, size, f"{n:,}" if n else ""]) for name, size, n in layers]
    if len(layers) > MAX_LAYERS:
        hidden = layers[FIRST_LAYERS:-LAST_LAYERS]
        more = texts.get("networks.more", n=len(hidden)), "", f"{sum(n for _, _, n in hidden):,}"
        rows[FIRST_LAYERS:-LAST_LAYERS] = [("", more)]
    rows.append(("", [texts.get("networks.total"), "", f"{total:,}"]))
    head = texts.titles("networks", "layer output parameters")
    table = Table(key, texts.get("networks.caption", **values), head, rows, "lrr", has_total=True)
    return [Heading(Markup.escape(texts.translate(kind))), Paragraph(about), table]


def _read_layers(path: Path) -> Layers:
    content = files.read_json(path)
    with parsing.as_input_error(f"{path} is not a list of layers. Remove it to make the report without it."):
        return tuple(
            (
                str(layer["layer"]).replace(" x ", " × "),
                " × ".join(str(int(size)) for size in layer["output_shape"]),
                int(layer["parameters"]),
            )
            for layer in content
        )


def _image_count_rows(data: ReportData) -> list[list[object]]:
    """Return a row for each run: name, data, images for training, validation and test, and the fold held out."""
    rows: list[list[object]] = []
    for result in data.runs:
        images = result.info.images
        counts = [images.get("train"), images.get("validation"), result.images if result.split == "test" else None]
        texts = ["-" if count is None else f"{count:,}" for count in counts]
        rows.append([result.name, result.dataset, *texts, result.recipe.data.fold if images.get("validation") else "-"])
    return rows
