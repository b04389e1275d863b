"""Write the tables of the pages from the files in results/; with --check only say whether they are up to date.

A page marks the place of a table with `<!-- NAME -->` and `<!-- /NAME -->`, where NAME is one of `TABLES`.
"""

import re
import sys
from collections.abc import Callable
from statistics import fmean
from typing import Any

import fault_tables
import findings_tables
import photo_tables
import statistics_tables
from table_format import RESULTS, ROOT, Translate, read, span, table, target_row

from modiste.reporting import formatting
from modiste.runs.results import total_seconds

PAGES = (
    "README.md",
    "README.zh-CN.md",
    "docs/speed.md",
    "docs/photos.md",
    "docs/audit.md",
    "docs/findings.md",
    "docs/statistics.md",
    "docs/security.md",
    "src/modiste/assets/models/photo.md",
)
MARKED = re.compile(r"(<!-- ([a-z_]+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)

CHINESE = {
    "recipe": "配方",
    "evaluated on": "评测集",
    "mean accuracy (95% interval over images)": "平均准确率（95% 置信区间，按图像）",
    "with flip TTA": "使用水平翻转 TTA",
    "loss": "损失",
    "parameters": "参数量",
    "epochs": "训练轮数",
    "test": "测试集",
    "validation": "验证集",
    "to": "至",
    "mean seconds (95% interval)": "平均用时（秒，95% 置信区间）",
    "mean test accuracy (95% interval over seeds)": "测试集平均准确率（95% 置信区间，按随机种子）",
    "without TTA": "不使用 TTA",
    "import time (s)": "导入用时（秒）",
    "plain loop": "普通 PyTorch 循环",
    "required": "目标",
    "short": "未达到",
    "test accuracy": "测试集准确率",
    "test ECE after temperature scaling": "测试集 ECE（温度缩放后）",
    "latency of one image, one thread (ms)": "单张图像延迟，单线程（毫秒）",
    "images per second, two threads": "每秒图像数，双线程",
}


def results_table(translate: Translate) -> str:
    """Return all results of recipes, by name."""
    head = ["recipe", "evaluated on", "mean accuracy (95% interval over images)", "with flip TTA", "loss", "n"]
    files = {name: read(name) for name in sorted(path.stem for path in RESULTS.glob("*.json"))}
    rows = [results_row(name, content, translate) for name, content in files.items() if "mean_loss" in content]
    return table([*map(translate, head), translate("parameters"), translate("epochs")], rows)


def results_row(name: str, content: dict[str, Any], translate: Translate) -> list[str]:
    """Return the row of one recipe."""
    runs = content["runs"]
    epochs = sorted({run["epochs"] for run in runs})
    flip_tta = content.get("mean_flip_tta")
    return [
        f"`{name}`",
        translate(content["split"]),
        f"**{content['mean']:.2%}** ({span(content['interval_images'], translate('to'))})",
        "-" if flip_tta is None else f"{flip_tta:.2%}",
        f"{content['mean_loss']:.4f}",
        str(content["n"]),
        formatting.abbreviate_number(runs[0]["parameters"]),
        f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]}-{epochs[-1]}",
    ]


def time_to_accuracy_table(translate: Translate) -> str:
    """Return time and accuracy of recipes and the plain loop, measured in turns on one machine."""
    head = [
        "",
        "mean seconds (95% interval)",
        "mean test accuracy (95% interval over seeds)",
        "without TTA",
        "n",
        "import time (s)",
    ]
    rows = [
        [
            translate(each["recipe"]) if " " in each["recipe"] else f"`{each['recipe']}`",
            f"**{each['seconds']:.1f}** ({span(each['seconds_interval'], translate('to'), '.1f')})",
            f"{each['mean']:.2%} ({span(each['interval_seeds'], translate('to'))})",
            f"{each['accuracy']:.2%}",
            str(each["n"]),
            f"{each['seconds_importing']:.1f}",
        ]
        for each in read("time_to_accuracy")["methods"]
    ]
    return table(list(map(translate, head)), rows)


def tricks_table(_: Translate) -> str:
    """Return the ablation of `sprint`, with the recipe itself first."""
    head = ["`sprint`", "validation accuracy", "difference in points (95% interval)", "relative time", "n"]
    first, *others = read("tricks")["tricks"]
    rows = [["unchanged", f"{first['mean']:.2%}", "", "1.00", str(first["n"])]]
    for each in others:
        ends = span([100 * end for end in each["difference_interval"]], "to", "+.2f")
        difference = f"{100 * each['difference']:+.2f} ({ends})"
        rows.append([each["recipe"], f"{each['mean']:.2%}", difference, f"{each['seconds_ratio']:.2f}", str(each["n"])])
    return table(head, rows)


def machine_table(_: Translate) -> str:
    """Return the throughput of a training step and the limits of the machine."""
    (run,) = read("machine")["runs"]
    best = run["limits"]
    rows = [
        ["precision", run["precision"]],
        ["matrix product, 2048 x 2048", f"{best['matrix_product']:.0f} GFLOPS"],
        ["3 x 3 convolution, 64 to 64 channels, 56 x 56 pixels", f"{best['convolution']:.0f} GFLOPS"],
        ["memory copy", f"{best['copy']:.1f} GB/s"],
        [
            f"training step of `{run['recipe']}`",
            f"{run['gigaflops']:.0f} GFLOPS, {run['images_a_second']:,.0f} images/s",
        ],
        ["convolutions of the step", f"{run['gigaflops_of_its_convolutions']:.0f} GFLOPS"],
        ["training step relative to the matrix product", f"**{run['share_of_matrix_product']:.0%}**"],
    ]
    return table(["", "measured"], rows)


def operations_table(_: Translate) -> str:
    """Return the time of a training step by kind of operation."""
    (run,) = read("machine")["runs"]
    return table(
        ["operation", "fraction of the step's time"], [[name, f"{share:.0%}"] for name, share in run["parts"].items()]
    )


def latency_table(_: Translate) -> str:
    """Return latency and throughput of the command and the service, and the targets."""
    measured = read("inference")
    form = bundled_form()
    image, images = form["milliseconds_one_image_one_thread"], form["images_a_second_two_threads"]
    load = measured["load"]
    rows = [
        ("`modiste predict photo.jpg`, whole process (s)", ".2f", measured["process_seconds"], -0.7),
        ("base installation with both models (MB)", ".0f", measured["base_install_megabytes"], -300),
        ("`fashion-mnist`, latency of one image, one thread (ms)", ".2f", image, -1.0),
        ("`fashion-mnist`, images per second, two threads", ",.0f", images, 5000),
        (
            "`modiste serve` on one core, 64 connections, 28 x 28 images per second",
            ",.0f",
            load["requests_per_second"],
            300,
        ),
        ("99th percentile of its response time (ms)", ".0f", load["milliseconds_p99"], -250),
        ("command, API and page show the same prediction", ".1%", measured["agreement"]["same"], 1),
    ]
    return table(["", "", "required"], [target_row(*row) for row in rows])


def marathon_table(_: Translate) -> str:
    """Return the longest trainings and their targets."""
    head = ["", "parameters", "without TTA", "required", "with flip TTA", "n", "minutes", "minutes with teachers"]
    return table(head, [marathon_row(name, bound) for name, bound in MARATHONS.items()])


def marathon_row(name: str, bound: float) -> list[str]:
    """Return the row of one recipe."""
    content = read(name)
    runs = content["runs"]
    minutes = fmean(run["seconds"] for run in runs) / 60
    with_teachers = fmean(map(total_seconds, runs)) / 60
    _, accuracy, required = target_row(name, ".2%", content["mean"], bound)
    return [
        f"`{name}`",
        formatting.abbreviate_number(runs[0]["parameters"]),
        accuracy,
        required,
        f"{content['mean_flip_tta']:.2%}",
        str(content["n"]),
        f"{minutes:.0f}",
        f"{with_teachers:.0f}",
    ]


def bundled_table(translate: Translate) -> str:
    """Return the scores of the bundled Fashion-MNIST model, and the targets."""
    test, form = read("fashion-mnist")["test"], bundled_form()
    rows = [
        ("test accuracy", ".2%", test["accuracy"], 0.955),
        ("test ECE after temperature scaling", ".2%", test["ece_calibrated"], -0.01),
        ("latency of one image, one thread (ms)", ".2f", form["milliseconds_one_image_one_thread"], -1.0),
        ("images per second, two threads", ",.0f", form["images_a_second_two_threads"], 5000),
    ]
    return table(
        ["", "", translate("required")], [target_row(translate(what), *rest, translate) for what, *rest in rows]
    )


def bundled_form() -> dict[str, Any]:
    """Return the scores on the validation fold of the form in which the model is bundled."""
    model = read("fashion-mnist")
    return next(each for each in model["held_out"]["forms"] if each["form"] == model["form"])


def forms_table(_: Translate) -> str:
    """Return the forms among which that of the bundled model was chosen."""
    model = read("fashion-mnist")
    accuracy = f"accuracy on {model['held_out']['n']:,} validation images"
    head = [
        "form",
        accuracy,
        "predicted with TTA",
        "latency of one image, one thread (ms)",
        "images per second, two threads",
    ]
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


def runtimes_table(_: Translate) -> str:
    """Return both models in every runtime."""
    head = [
        "model",
        "runtime",
        "evaluated on",
        "accuracy",
        "latency of one image, one thread (ms)",
        "images per second, two threads",
    ]
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
"""Target accuracies without TTA."""

SPLITS = {"train": "training images", "validation": "validation images"}

TABLES: dict[str, Callable[[Translate], str]] = {
    "results": results_table,
    "time_to_accuracy": time_to_accuracy_table,
    "tricks": tricks_table,
    "machine": machine_table,
    "operations": operations_table,
    "latency": latency_table,
    "marathon": marathon_table,
    "bundled": bundled_table,
    "forms": forms_table,
    "runtimes": runtimes_table,
    **photo_tables.TABLES,
    **fault_tables.TABLES,
    **findings_tables.TABLES,
    **statistics_tables.TABLES,
}


def update_tables(name: str, text: str) -> str:
    """Return a page with up-to-date tables."""
    words = CHINESE | photo_tables.CHINESE if name.endswith("zh-CN.md") else {}

    def translate(word: str) -> str:
        return words.get(word, word)

    return MARKED.sub(lambda match: match[1] + TABLES[match[2]](translate) + match[3], text)


def main() -> int:
    """Write or check each page; return the exit code."""
    stale = []
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        new = update_tables(name, text)
        if new == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            (ROOT / name).write_text(new, encoding="utf-8")
    if stale:
        print(f"{'stale' if '--check' in sys.argv else 'updated'}: {', '.join(stale)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
