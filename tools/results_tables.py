"""Writes the tables of the pages from the files in results/; with --check it only says whether they agree.

A page marks the place of a table with `<!-- NAME -->` and `<!-- /NAME -->`, NAME being one of `TABLES`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = ("README.md", "README.zh-CN.md", "docs/speed.md")
PLACE = re.compile(r"(<!-- ([a-z]+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)

CHINESE = {
    "recipe": "配方",
    "judged on": "评测集",
    "accuracy, mean (95 % over images)": "平均准确率（对图像的 95 % 区间）",
    "mirrored views": "加上镜像视图",
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
    "plain loop": "朴素循环",
}

Say = Callable[[str], str]


def results(say: Say) -> str:
    """Every file of trainings, in the order of their names."""
    head = ["recipe", "judged on", "accuracy, mean (95 % over images)", "mirrored views", "loss", "n"]
    found = {path.stem: read(path.stem) for path in sorted(RESULTS.glob("*.json"))}
    rows = [row(name, content, say) for name, content in found.items() if "mean_loss" in content]
    return table([*map(say, head), say("parameters"), say("epochs")], rows)


def row(name: str, content: dict[str, Any], say: Say) -> list[str]:
    """One file of trainings."""
    runs = content["runs"]
    epochs = sorted({run["epochs"] for run in runs})
    mirrored = content.get("mean_mirrored")
    return [
        f"`{name}`",
        say(content["split"]),
        f"**{content['mean']:.2%}** ({span(content['interval_images'], say('to'))})",
        "-" if mirrored is None else f"{mirrored:.2%}",
        f"{content['mean_loss']:.4f}",
        str(content["n"]),
        f"{runs[0]['parameters'] / 1e6:.2f} M",
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


TABLES: dict[str, Callable[[Say], str]] = {
    "results": results,
    "race": race,
    "tricks": tricks,
    "machine": machine,
    "parts": parts,
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
