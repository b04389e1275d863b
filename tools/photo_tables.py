"""The tables on the bundled model for photos, from results/photos.json and from the model itself."""

from collections.abc import Callable
from functools import cache
from typing import Any

from table_format import ROOT, Translate, read, span, table, target_row

from modiste import inference
from modiste.inference.model import Predictor
from modiste.labels import NONE_OF_THESE

CHINESE = {
    "evaluated on": "评测照片",
    "photos": "照片数",
    "correct (95% interval)": "正确率（95% 置信区间）",
    "mean recall over the eleven answers (95% interval)": "十一种回答的平均召回率（95% 置信区间）",
    "“none of these” for photos without clothes": "无衣物的照片被判为“以上都不是”",
    "sources that the model did not learn from": "模型未学习过的来源",
    "people that the model did not learn from": "模型未学习过的人",
}

EXAMPLES = {
    "more-photos/bag/shop-mixed-0004.jpg": "bags are recognized best",
    "more-photos/t-shirt/outdoors-worn-0000.jpg": "worn, and cut at the neck",
    "more-photos/trousers/outdoors-worn-0001.jpg": "the largest piece of clothing, not the shoes",
    "more-photos/sneaker/shop-mixed-0005.jpg": "",
    "photos/shoes/35707ebd-0264-4bbf-b5f2-a33c5c4bff4d.jpg": "kinds of shoe that are close are named together",
    "more-photos/other/grocery-0000.jpg": "no clothes",
    "photos/skirt/637a56e4-7fa6-4f75-8859-0f8902461554.jpg": "correct: Fashion-MNIST has no skirts",
    "more-photos/coat/collection-rest-0000.jpg": "wrong: a coat from behind, without a visible opening",
    "photos/shirt/10f589e4-fe32-4db5-a3a2-32337d1d42e9.jpg": "wrong: a shirt of thick cloth",
    "photos/dress/8dcd8c2d-e44b-445b-b026-653d7e6918b8.jpg": "no answer: white on nearly white",
}
"""Photos below src/modiste/assets/ or tests/ that no bundled model learns from, with a remark."""

STABILITY_TARGETS = {
    "EXIF turn": 1.0,
    "JPEG quality 60": 0.95,
    "20 % darker": 0.97,
    "20 % brighter": 0.97,
    "half size": 0.95,
    "mirror": 0.97,
}
"""Target fractions of photos whose label stays the same, by perturbation."""

PERTURBATIONS = {name: name.replace(" %", "%") for name in STABILITY_TARGETS} | {
    "EXIF turn": "rotation by EXIF orientation",
    "mirror": "horizontal flip",
}
"""Perturbations as the table names them."""


def photo_model_table(translate: Translate) -> str:
    """Return the scores of the recipe of the bundled model on sources and on people that were left out."""
    scores = read("photos")
    left_out, folds = scores["left_out_sources"], scores["folds"]
    to = translate("to")
    recall = interval(left_out, "macro_recall_with_threshold", to)
    none = interval(left_out["no_clothes"], "recall_with_threshold", to)
    rows = [
        ["sources that the model did not learn from", f"{left_out['images']:,}", recall, "-", none],
        ["people that the model did not learn from", f"{folds['images']:,}", "-", interval(folds, "accuracy", to), "-"],
    ]
    head = [
        "evaluated on",
        "photos",
        "mean recall over the eleven answers (95% interval)",
        "correct (95% interval)",
        "“none of these” for photos without clothes",
    ]
    return table(list(map(translate, head)), [[translate(first), *rest] for first, *rest in rows])


def photos_table(_: Translate) -> str:
    """Return the scores of the recipe `photo` and the targets."""
    scores = read("photos")
    left_out, folds, stable = scores["left_out_sources"], scores["folds"], scores["same_class_after"]
    gain = left_out["macro_recall"] - scores["baseline"]["left_out_sources"]["macro_recall"]
    of_sources = "left-out sources: "
    rows = [
        (f"{of_sources}mean recall over the eleven answers, above that of the former recipe", gain, 0.15),
        (f"{of_sources}accuracy on the surest 80%", left_out["accuracy_of_surest_80_percent"], 0.93),
        (f"{of_sources}ECE", left_out["ece"], -0.06),
        ("left-out people: accuracy", folds["accuracy"], 0.92),
        *(
            (f"label unchanged after: {PERTURBATIONS[name]}", min(each[name] for each in stable.values()), least)
            for name, least in STABILITY_TARGETS.items()
        ),
        (
            f"hiding the hottest fifth costs more than a random fifth ({scores['heat_maps_images']} photos)",
            scores["heat_maps_decisive"],
            0.80,
        ),
    ]
    return table(
        ["fraction of photos", "", "required"], [target_row(what, ".1%", value, bound) for what, value, bound in rows]
    )


def photo_answers_table(_: Translate) -> str:
    """Return the recall of each answer, of the bundled recipe and of its former form."""
    scores = read("photos")
    former = scores["baseline"]["left_out_sources"]
    left_out = scores["left_out_sources"]
    rows = [
        [
            "“none of these”" if name == NONE_OF_THESE else name,
            "people" if each["by_folds"] else "sources",
            f"{each['images']:,}",
            f"{each['groups']:,}",
            interval(each, "recall", "to"),
            f"{each['recall_with_threshold']:.1%}",
            f"{former['answers'][name]['recall']:.1%}",
        ]
        for name, each in left_out["answers"].items()
    ]
    mean = [
        "**mean**",
        "",
        f"{left_out['images']:,}",
        f"{left_out['groups']:,}",
        interval(left_out, "macro_recall", "to"),
        f"{left_out['macro_recall_with_threshold']:.1%}",
        f"{former['macro_recall']:.1%}",
    ]
    head = ["answer", "left out", "photos", "groups", "recall (95% interval)", "with the threshold", "former recipe"]
    return table(head, [*rows, mean])


def photo_sources_table(_: Translate) -> str:
    """Return the recall for each source and class that was left out, and for the classes of the collection."""
    rows = [
        [source, name, f"{each['images']:,}", f"{each['groups']:,}", interval(each, "recall", "to")]
        for source, classes in read("photos")["sources"].items()
        for name, each in classes.items()
    ]
    return table(["source", "class", "photos", "groups", "recall (95% interval)"], rows)


def photo_examples_table(_: Translate) -> str:
    """Return some photos with the answer of the bundled model, which is asked for it."""
    rows = []
    for name, remark in EXAMPLES.items():
        path = next(path for folder in ("src/modiste/assets", "tests") if (path := ROOT / folder / name).exists())
        (prediction,) = bundled_model().predict([path])
        answer = " or ".join(label for label, _ in prediction.close_labels) or prediction.label
        image = f'<img src="../{path.relative_to(ROOT)}" height="110" alt="{path.parent.name}">'
        rows.append([image, f"{answer} ({prediction.probability:.0%})", remark])
    return table(["photo", "answer", ""], rows)


@cache
def bundled_model() -> Predictor:
    """Return the bundled model for photos."""
    return inference.load("photo")


def photo_timings_table(_: Translate) -> str:
    """Return the speed of the bundled model and of trainings on one's own photos, and the targets."""
    timings = read("photos")["timings"]
    quick, full = (timings["trainings"][name] for name in ("photo-quick", "photo"))
    rows = [
        ("size of the model file (MB)", ".1f", timings["megabytes"], -20),
        ("from pixels to label, one thread (ms)", ".1f", timings["photo_milliseconds"], -20),
        (
            "`modiste predict FOLDER`, photos of 400 pixels per second, two cores",
            ",.0f",
            timings["folder"]["photos_a_second"],
            120,
        ),
        ("`modiste train photo-quick` on ten class folders (min)", ".1f", quick["seconds"] / 60, -3),
        (f"its accuracy on {quick['images']} validation photos", ".1%", quick["accuracy"], 0.88),
        ("`modiste train photo` on the same (min)", ".1f", full["seconds"] / 60, -20),
        ("its accuracy", ".1%", full["accuracy"], 0.92),
    ]
    return table(["", "", "required"], [target_row(*row) for row in rows])


def interval(scores: dict[str, Any], name: str, to: str) -> str:
    """Format a score with its interval."""
    return f"**{scores[name]:.1%}** ({span(scores[f'{name}_interval'], to, '.1%')})"


TABLES: dict[str, Callable[[Translate], str]] = {
    "photo_model": photo_model_table,
    "photos": photos_table,
    "photo_answers": photo_answers_table,
    "photo_sources": photo_sources_table,
    "photo_examples": photo_examples_table,
    "photo_timings": photo_timings_table,
}
