"""Writes the tables of the pages from the files in results/; with --check it only says whether they agree.

A page marks the place of a table with `<!-- NAME -->` and `<!-- /NAME -->`, NAME being one of `TABLES`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from modiste.reporting import formatting
from modiste.runs.results import seconds

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = ("README.md", "README.zh-CN.md", "docs/speed.md", "docs/photos.md", "src/modiste/assets/models/photo.md")
PLACE = re.compile(r"(<!-- ([a-z]+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)

CHINESE = {
    "recipe": "配方",
    "judged on": "评测集",
    "accuracy, mean (95 % over images)": "平均准确率（对图像的 95 % 区间）",
    "flip_tta views": "加上镜像视图",
    "loss": "损失",
    "parameters": "参数量",
    "epochs": "轮数",
    "test": "测试集",
    "validation": "验证集",
    "to": "至",
    "seconds, mean (95 %)": "平均秒数（95 % 区间）",
    "test accuracy, mean (95 % over trainings)": "测试集平均准确率（对训练的 95 % 区间）",
    "one view": "不加镜像视图",
    "importing, s": "导入，秒",
    "photos, by people it has not seen": "照片数（拍摄者未在训练中出现）",
    "right answer (95 %)": "回答正确（95 %）",
    "right, of the labels given": "给出的标签中正确的",
    "no label for hats, shorts, skirts": "对帽子、短裤、裙子不给标签",
    "no label for pictures without clothes": "对没有衣服的图片不给标签",
    "plain loop": "朴素循环",
    "required": "要求",
    "short": "未达到",
    "accuracy on test": "测试集准确率",
    "calibration error (ECE) on test, after its temperature": "测试集校准误差（ECE，温度校准后）",
    "one image, one thread, ms": "单张图像，单线程，毫秒",
    "images a second, two threads": "每秒图像数，双线程",
}

Say = Callable[[str], str]


def results(say: Say) -> str:
    """Every file of trainings, in the order of their names."""
    head = ["recipe", "judged on", "accuracy, mean (95 % over images)", "flip_tta views", "loss", "n"]
    found = {path.stem: read(path.stem) for path in sorted(RESULTS.glob("*.json"), key=lambda path: path.stem)}
    rows = [row(name, content, say) for name, content in found.items() if "mean_loss" in content]
    return table([*map(say, head), say("parameters"), say("epochs")], rows)


def row(name: str, content: dict[str, Any], say: Say) -> list[str]:
    """One file of trainings."""
    runs = content["runs"]
    epochs = sorted({run["epochs"] for run in runs})
    flip_tta = content.get("mean_flip_tta")
    return [
        f"`{name}`",
        say(content["split"]),
        f"**{content['mean']:.2%}** ({span(content['interval_images'], say('to'))})",
        "-" if flip_tta is None else f"{flip_tta:.2%}",
        f"{content['mean_loss']:.4f}",
        str(content["n"]),
        formatting.format_count(runs[0]["parameters"]),
        f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]}-{epochs[-1]}",
    ]


def race(say: Say) -> str:
    """Our recipes and the plain loop in one sitting."""
    head = ["", "seconds, mean (95 %)", "test accuracy, mean (95 % over trainings)", "one view", "n", "importing, s"]
    rows = [
        [
            say(each["recipe"]) if " " in each["recipe"] else f"`{each['recipe']}`",
            f"**{each['seconds']:.1f}** ({span(each['seconds_interval'], say('to'), '.1f')})",
            f"{each['mean']:.2%} ({span(each['interval_seeds'], say('to'))})",
            f"{each['accuracy']:.2%}",
            str(each["n"]),
            f"{each['seconds_importing']:.1f}",
        ]
        for each in read("time_to_accuracy")["contestants"]
    ]
    return table(list(map(say, head)), rows)


def tricks(_: Say) -> str:
    """What each trick is worth, the recipe itself first."""
    head = ["`sprint`", "validation accuracy", "difference, points (95 %)", "time", "n"]
    first, *others = read("tricks")["tricks"]
    rows = [["as it is", f"{first['mean']:.2%}", "", "1.00", str(first["n"])]]
    for each in others:
        ends = span([100 * end for end in each["difference_interval"]], "to", "+.2f")
        difference = f"{100 * each['difference']:+.2f} ({ends})"
        rows.append([each["recipe"], f"{each['mean']:.2%}", difference, f"{each['seconds_ratio']:.2f}", str(each["n"])])
    return table(head, rows)


def machine(_: Say) -> str:
    """The machine's limits, and how near a step comes to them."""
    (run,) = read("machine")["runs"]
    best = run["limits"]
    rows = [
        ["precision", run["precision"]],
        ["a matrix product of 2048 x 2048", f"{best['matrix_product']:.0f} GFLOPS"],
        ["a convolution of 64 to 64 channels, 3 x 3, at 56 pixels", f"{best['convolution']:.0f} GFLOPS"],
        ["memory, copied", f"{best['copy']:.1f} GB/s"],
        [f"a step of `{run['recipe']}`", f"{run['gigaflops']:.0f} GFLOPS, {run['images_a_second']:,.0f} images/s"],
        ["its convolutions alone", f"{run['gigaflops_of_its_convolutions']:.0f} GFLOPS"],
        ["share of the matrix product", f"**{run['share_of_matrix_product']:.0%}**"],
    ]
    return table(["measured in one run", ""], rows)


def parts(_: Say) -> str:
    """Where the time of a step goes."""
    (run,) = read("machine")["runs"]
    return table(
        ["part of a step", "share of its time"], [[name, f"{share:.0%}"] for name, share in run["parts"].items()]
    )


def seen(say: Say) -> str:
    """How good the bundled model for photos is, in one line."""
    found = read("photos")
    shipped, none = found["as_shipped"], found["no_clothes"]["none_recall_as_shipped"]
    head = [
        "photos, by people it has not seen",
        "right answer (95 %)",
        "right, of the labels given",
        "no label for hats, shorts, skirts",
        "no label for pictures without clothes",
    ]
    row = [
        f"{found['images']:,}",
        f"**{shipped['answers_right']:.1%}** ({span(shipped['answers_right_interval'], say('to'), '.1%')})",
        f"{shipped['labels_given_right']:.1%}",
        f"{shipped['none_recall']:.1%}",
        f"{none:.1%}",
    ]
    return table(list(map(say, head)), [row])


def photos(_: Say) -> str:
    """How good the recipe `photo` is, whether it knows what it does not know, and what is required."""
    found = read("photos")
    none = "no label, and rightly so: "
    rows = [
        ("right label", found["accuracy"], 0.89),
        ("right label, on the one fold that no choice was made on", found["untouched_folds"]["accuracy"], 0.89),
        ("right label, on the 80 % it is surest of", found["accuracy_of_surest_80_percent"], 0.96),
        ("calibration error (ECE)", found["ece"], -0.04),
        (f"{none}hats, shorts, skirts", found["at_95_percent_right"]["none_recall"], 0.80),
        (f"{none}each of these three, left out of the training", found["unseen_kinds"]["none_recall"], 0.40),
        (f"{none}pictures without clothes", found["no_clothes"]["none_recall"], 0.80),
        *((f"the same label after: {name}", found["same_class_after"][name], least) for name, least in SAME.items()),
        (
            f"masking the hottest fifth hurts more than masking a random fifth ({found['heat_maps_images']} photos)",
            found["heat_maps_right"],
            0.80,
        ),
        (
            "the ten folders under their own names, their validation photos: right",
            found["as_they_are"]["accuracy"],
            0.88,
        ),
    ]
    return table(
        ["share of the photos", "", "required"], [held(what, ".1%", value, bound) for what, value, bound in rows]
    )


def use(_: Say) -> str:
    """What people wait for, and what is required."""
    found = read("inference")
    quick = shipped()
    image, images = quick["milliseconds_one_image_one_thread"], quick["images_a_second_two_threads"]
    load, photos_a_second = found["load"], found["folder"]["pictures_a_second"]
    answers = load["answers_a_second"]
    rows = [
        ("`modiste predict photo.jpg`, the whole process, seconds", ".2f", found["process_seconds"], -0.7),
        ("base install with both models, MB", ".0f", found["base_install_megabytes"], -300),
        ("`photo`, from pixels to label, one thread, ms", ".1f", found["photo_milliseconds"], -60),
        ("`modiste predict FOLDER`, photos of 400 pixels a second", ",.0f", photos_a_second, 40),
        ("`fashion-mnist`, one image, one thread, ms", ".2f", image, -1.0),
        ("`fashion-mnist`, images a second, two threads", ",.0f", images, 5000),
        ("`modiste serve` on one core, 64 connections, pictures of 28 x 28 a second", ",.0f", answers, 300),
        ("the slowest hundredth of these answers, ms", ".0f", load["milliseconds_p99"], -250),
        ("command, API and page say the same", ".1%", found["agreement"]["same"], 1),
    ]
    return table(["", "", "required"], [held(*row) for row in rows])


def marathon(_: Say) -> str:
    """The longest trainings, and what is required."""
    head = ["", "parameters", "one view", "required", "flip_tta views", "n", "minutes", "with its teachers"]
    return table(head, [track(name, bound) for name, bound in MARATHONS.items()])


def track(name: str, bound: float) -> list[str]:
    """One of the marathons."""
    content = read(name)
    runs = content["runs"]
    minutes = fmean(run["seconds"] for run in runs) / 60
    with_teachers = fmean(map(seconds, runs)) / 60
    _, accuracy, required = held(name, ".2%", content["mean"], bound)
    return [
        f"`{name}`",
        formatting.format_count(runs[0]["parameters"]),
        accuracy,
        required,
        f"{content['mean_flip_tta']:.2%}",
        str(content["n"]),
        f"{minutes:.0f}",
        f"{with_teachers:.0f}",
    ]


def bundled(say: Say) -> str:
    """The bundled model for product pictures, and what is required."""
    test, quick = read("fashion-mnist")["test"], shipped()
    rows = [
        ("accuracy on test", ".2%", test["accuracy"], 0.955),
        ("calibration error (ECE) on test, after its temperature", ".2%", test["ece_calibrated"], -0.01),
        ("one image, one thread, ms", ".2f", quick["milliseconds_one_image_one_thread"], -1.0),
        ("images a second, two threads", ",.0f", quick["images_a_second_two_threads"], 5000),
    ]
    return table(["", "", say("required")], [held(say(what), *rest, say) for what, *rest in rows])


def shipped() -> dict[str, Any]:
    """How good and how quick the form of the bundled model is, with the training that chose it."""
    model = read("fashion-mnist")
    return next(each for each in model["held_out"]["forms"] if each["form"] == model["form"])


def forms(_: Say) -> str:
    """The forms that the bundled model could have."""
    model = read("fashion-mnist")
    judged = f"right of {model['held_out']['n']:,} images held out"
    head = ["form", judged, "looked at twice", "one image, one thread, ms", "images a second, two threads"]
    rows = [
        [
            f"**{each['form']}**" if each["form"] == model["form"] else each["form"],
            f"{each['accuracy']:.2%}",
            f"{each['tta_fraction']:.1%}",
            f"{each['milliseconds_one_image_one_thread']:.2f}",
            f"{each['images_a_second_two_threads']:,.0f}",
        ]
        for each in model["held_out"]["forms"]
    ]
    return table(head, rows)


def runtimes(_: Say) -> str:
    """Both models in every runtime."""
    head = ["model", "runtime", "accuracy on", "", "one image, one thread, ms", "images a second, two threads"]
    rows = [
        [
            f"`{run['model']}`",
            run["runtime"],
            f"{run['images']:,} {SPLITS[run['split']]}",
            f"{run['accuracy']:.2%}",
            f"{run['milliseconds_one_image_one_thread']:.2f}",
            f"{run['images_a_second_two_threads']:,.0f}",
        ]
        for run in read("inference")["runs"]
    ]
    return table(head, rows)


MARATHONS = {
    "marathon": 0.958,
    "marathon-taught": 0.958,
    "marathon-300k": 0.954,
    "marathon-100k": 0.947,
    "marathon-25k": 0.93,
}
"""With what is required of the accuracy with one view."""

SPLITS = {"train": "training images", "validation": "images held out"}

SAME = {
    "EXIF turn": 1.0,
    "JPEG quality 60": 0.95,
    "20 % darker": 0.93,
    "20 % brighter": 0.93,
    "half size": 0.95,
    "mirror": 0.97,
}
"""Changes of a photo, and how often at least its label has to stay."""


def held(what: str, form: str, value: float, bound: float, say: Say = str) -> list[str]:
    """A row with what is required: at least the bound, or where that is negative, at most its size."""
    short = value < bound if bound > 0 else value > -bound
    mark = f", *{say('short')}*" if short else ""
    return [what, f"**{value:{form}}**", f"{abs(bound):{form}}{mark}"]


TABLES: dict[str, Callable[[Say], str]] = {
    "results": results,
    "race": race,
    "tricks": tricks,
    "machine": machine,
    "parts": parts,
    "seen": seen,
    "photos": photos,
    "use": use,
    "marathon": marathon,
    "bundled": bundled,
    "forms": forms,
    "runtimes": runtimes,
}


def read(name: str) -> dict[str, Any]:
    """Read a results file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def span(interval: list[float] | None, to: str, form: str = ".2%") -> str:
    """Both ends, or a dash for one training."""
    return f"{interval[0]:{form}} {to} {interval[1]:{form}}" if interval else "-"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *rows])


def renewed(name: str, text: str) -> str:
    """The page with its tables made anew."""
    words = CHINESE if name.endswith("zh-CN.md") else {}

    def say(word: str) -> str:
        return words.get(word, word)

    return PLACE.sub(lambda found: found[1] + TABLES[found[2]](say) + found[3], text)


def main() -> int:
    """Renew or check each page; return the exit code."""
    stale = []
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        new = renewed(name, text)
        if new == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            (ROOT / name).write_text(new, encoding="utf-8")
    if stale:
        print(f"{'stale' if '--check' in sys.argv else 'renewed'}: {', '.join(stale)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
