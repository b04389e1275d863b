"""Writes the results table of the READMEs from the files in results/. With --check it only says whether they agree."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
START, END = "<!-- results -->", "<!-- /results -->"
PAGES = {
    "README.md": (
        "| recipe | judged on | accuracy, mean (95 % over images) | mirrored views | loss | n | parameters | epochs |",
        {"to": "to", "test": "test", "validation": "validation"},
    ),
    "README.zh-CN.md": (
        "| 配方 | 评测集 | 平均准确率（对图像的 95 % 区间） | 加上镜像视图 | 损失 | n | 参数量 | 轮数 |",
        {"to": "至", "test": "测试集", "validation": "验证集"},
    ),
}


def table(head: str, words: dict[str, str]) -> str:
    """Return the table: a row for each results file of trainings, in the order of their names."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "results").glob("*.json")}
    rows = [row(name, results, words) for name, results in sorted(found.items()) if "mean_loss" in results]
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


def row(name: str, results: dict[str, Any], words: dict[str, str]) -> str:
    """Return one results file as a row."""
    low, high = results["interval_images"]
    runs = results["runs"]
    epochs = sorted({run["epochs"] for run in runs})
    second = results.get("mean_mirrored")
    mirrored = "-" if second is None else f"{second:.2%}"
    span = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]}-{epochs[-1]}"
    return (
        f"| `{name}` | {words[results['split']]} | **{results['mean']:.2%}** "
        f"({low:.2%} {words['to']} {high:.2%}) | {mirrored} | {results['mean_loss']:.4f} | {results['n']} | "
        f"{runs[0]['parameters'] / 1e6:.2f} M | {span} |"
    )


def main() -> int:
    """Renew or check each README; return the exit code."""
    stale = []
    for name, (head, words) in PAGES.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        renewed = f"{before}{START}\n{table(head, words)}\n{END}{rest.partition(END)[2]}"
        if renewed == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(renewed, encoding="utf-8")
    if stale:
        print(f"{'stale' if '--check' in sys.argv else 'renewed'}: {', '.join(stale)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
