"""Write the tables of docs/scaling.md from results/scaling.json; with --check only say whether they are up to date.

python tools/scaling_tables.py [--check]

Parts that are not measured are named.
"""

import re
import sys
from typing import Any

from table_format import RESULTS, ROOT, read, table, target_row

sys.path.insert(0, str(ROOT / "benchmarks"))

import scaling_simulation

PAGE = ROOT / "docs" / "scaling.md"

TARGETS = (
    ("trials", "overhead", ".1%", -0.05, "trials: whole time on one node of a cluster, over that one after another"),
    ("trials", "speedup", ".2f", 1.8, "trials: two nodes of one core, as a multiple of one"),
    ("photos", "speedup", ".2f", 1.8, "photos: two nodes of one core, as a multiple of one"),
    ("photos", "memory_growth", ".1%", -0.2, "photos: growth of the memory from 20 % of them to the end"),
    ("ranks", "speedup", ".2f", 1.6, "torchrun: two processes of one thread, as a multiple of one, in epochs alone"),
    ("ranks", "difference", ".2%", None, "torchrun: difference of the accuracies; target: the noise of the seeds"),
)
"""Figures with a target: part, key, format, bound (at least, or at most if negative; None: the noise), and label."""

STATEMENTS = {
    "trials": """
- {trials} trials of {seconds_per_trial:.0f} s on one core (`sprint` in batches of 128), all measured twice:
  {overhead_rounds[0]:.1%} and {overhead_rounds[1]:.1%} over one after another, {speedup_rounds[0]:.2f} and
  {speedup_rounds[1]:.2f} times one node; two processes without a cluster are {speedup_processes:.2f} times one,
  which is what these two cores allow. Connecting, which does not depend on the number of trials, takes
  {seconds_connecting:.1f} s of the whole time; the rest are {overhead_seconds_per_trial:.2f} s for each trial. All
  tables are equal in every digit.""",
    "kills": """
- A node killed at half of all epochs, and other benches with {kills} kills of nodes at random moments, each of which
  hit a training after {fewest_epochs} or more epochs: each run is there once, and equal in every digit to that of an
  unbroken bench by processes.""",
    "photos": """
- {photos:,} photos of {photo_bytes:,} bytes, {photos_per_second_per_core:.0f} a second on one core with
  {seconds_connecting:.1f} s of connecting. Each node is bound to a core; two are {speedup_rounds[0]:.2f} and
  {speedup_rounds[1]:.2f} times as fast as one, measured twice. Each photo has one row, equal to that of the local
  command, also where a node is killed after {killed_at:.0%} of them. At most {memory_mib[actors][maximum]:,} MiB in
  the processes that predict, and {memory_mib[all][maximum]:,} MiB in all of command and cluster.""",
    "ranks": """
- Time: `{timed[training]}`, {timed[images]:,} images, {timed[epochs]} epochs, two seeds. Accuracy:
  `{accurate[training]}`, {accurate[images]:,} images, {accurate[epochs]} epochs, {seeds} seeds: on validation
  {val_accuracy[one]:.2%} with one process, {val_accuracy[two]:.2%} with two; the noise is half the 95 % interval of the
  difference. After kill -9 of either process it resumes to the same bits.""",
}
"""About each part, with its figures."""


def measured_table(content: dict[str, Any]) -> str:
    """Return the figures with a target and the sentences of the measured parts; name the parts that are missing."""
    rows = [
        target_row(label, spec, content[part][key], -content[part]["noise"] if bound is None else bound)
        for part, key, spec, bound, label in TARGETS
        if part in content
    ]
    text = table(["figure", "value", "target"], rows) + "\n" if rows else ""
    text += "".join(_describe(part, content) for part in STATEMENTS if part in content)
    if missing := " ".join(part for part in STATEMENTS if part not in content):
        text += "\n" * bool(text) + f"Not measured yet: `python benchmarks/scaling.py {missing}`, then `make docs`.\n"
    return text


def _describe(part: str, content: dict[str, Any]) -> str:
    environment = content["environments"][part]
    text = STATEMENTS[part].removeprefix("\n").format(**content[part])
    return f"{text} {environment['hardware']}; commit {environment['commit'][:7]}.\n"


def update(text: str, content: dict[str, Any]) -> str:
    """Return the page with up-to-date tables."""
    simulated = scaling_simulation.tables(content, scaling_simulation.Assumptions())
    text = _replace(text, "measured", measured_table(content))
    return _replace(text, "simulated", simulated or "It needs the measurements of trials and photos.\n")


def _replace(text: str, name: str, new: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda match: match[1] + new + match[2], text)


def main() -> int:
    """Write or check the page; return the exit code."""
    text = PAGE.read_text(encoding="utf-8")
    new = update(text, read("scaling") if (RESULTS / "scaling.json").exists() else {})
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
    elif new != text:
        print("out of date: docs/scaling.md. Run `make docs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
