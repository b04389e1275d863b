"""The tables of docs/security.md, from results/faults.json, results/kills.json and results/mutations.json.

Each part of them is measured by its own command; what was not measured yet is named, with that command.
"""

from collections.abc import Callable, Iterator
from typing import Any

from table_format import RESULTS, Translate, read, table, target_row

FAULTS = (
    "an empty file, one of a byte, and text, HTML, PDF, SVG, TIFF, PSD, ZIP and others as photos",
    "photos that are cut at each sixteenth",
    "a PNG of 200 KB that declares 30,000 x 30,000 pixels",
    "animations of 10,000 frames; MPO, whole and damaged",
    "the eight orientations of a photo, and some that do not exist",
    "damaged and very large metadata",
    "photos of one or two pixels, or of one row or column",
    "gray, palette, transparent, CMYK and 16-bit photos",
    "black, white and noise, and clothes of no class",
    "HEIC and AVIF without a decoder, and decoders that crash or never end",
    "bodies over the limit: by their length, chunked, compressed",
    "a million chunks of a byte, slow clients, and clients that leave",
    "forms with many fields, large texts, no boundary or hostile file names",
    "JSON that is deep, no photo, or of wrong types",
    "any error: no path, traceback or address in it",
    "addresses of files and pages as photos",
    "paths out of the folder, foreign host names, pages of other sites",
    "a burst of ten times the requests",
    "one damaged photo among others in a request",
    "a signal under load, a second one, a killed service",
    "a model that is missing, cut or another one",
    "a thousand requests, each counted once",
    "outputs that are not numbers, or of another width",
    "a port in use, folders that cannot be written, names that are not UTF-8",
    "pickles with code, archives with paths, ONNX with external data, damaged safetensors",
    "kill -9 inside a save",
    "kill -9 at random moments, then resume",
    "a full disk, folders without permission, a full folder of temporary files",
    "a loss that is not a number",
    "data files that are cut, altered, of other labels, or unpack without end",
    "two trainings in one folder, a signal during training",
    "many large photos at once, gzip of zeros",
    "300 to 1,500 connections that stay open",
    "a signal while a job never ends, and in the last step of a training",
    "outputs to devices, FIFOs and links",
    "three evaluations, two benches or two trainings at once",
    "a run whose model is cut or zeros",
    "graphs that take gigabytes or never end, custom operators, hostile metadata",
    "probabilities below 0, above 1, or with another sum",
    "noise, gradients and test patterns, and photos of no clothes",
    "photos that are cut and closed again",
    "half-closed clients, HTTP/1.0, HEAD, what is no HTTP",
    "resume with other threads, precision or paths; an orphaned bench; click.py in the folder",
    "16-bit PNG with a transparent color, orientation as LONG, 108 megapixels, arrays of other forms",
    "formulas in cells of CSV, names with line breaks, terminals without UTF-8",
)
"""What is tried for each fault, from the first one on."""

NOT_MEASURED = "Not measured yet: `{}`, then `make docs`.\n"


def parts() -> dict[str, dict[str, Any]]:
    """Return the parts of results/faults.json that were measured."""
    return {part["part"]: part for part in read("faults")["runs"]} if (RESULTS / "faults.json").exists() else {}


def faults_table(_: Translate) -> str:
    """Return what was tried for each fault, how often, with which result, and whether its tests need its guards."""
    measured = parts()
    if not {"tests", "guards"} & measured.keys():
        return NOT_MEASURED.format("make faults")
    head = ["fault", "what is tried", "how many", "result", "red without its guard"]
    rows = [[f"{fault:02}", text, *fault_row(fault, measured)] for fault, text in enumerate(FAULTS, 1)]
    return table(head, rows)


def fault_row(fault: int, measured: dict[str, dict[str, Any]]) -> list[str]:
    """Return how often a fault was tried, with which result, and how many of its guards were shown to be needed."""
    tests = [test for test in measured.get("tests", {}).get("tests", []) if fault in test["faults"]]
    counts = [count for count in measured.get("tests", {}).get("counts", []) if fault in count["faults"]]
    guards = [guard for guard in measured.get("guards", {}).get("guards", []) if guard["fault"] == fault]
    return [how_many(tests, counts), result(tests, counts), shown(guards) if "guards" in measured else "-"]


def how_many(tests: list[dict[str, Any]], counts: list[dict[str, Any]]) -> str:
    """Return the number of tests, each with all its cases, and of what they tried."""
    cases = sum(test["passed"] + test["failed"] for test in tests)
    listed = [f"{cases:,} test{'s' * (cases != 1)}"] if cases else []
    return "; ".join(listed + [f"{count['n']:,} {count['tried']}" for count in counts]) or "-"


def result(tests: list[dict[str, Any]], counts: list[dict[str, Any]]) -> str:
    """Return the number of failures, and of the cases that were skipped or not run."""
    if not counts and not any(test["passed"] + test["failed"] for test in tests):
        return "not run"
    failures = sum(test["failed"] for test in tests) + sum(count["failures"] for count in counts)
    missing = sum(test["skipped"] + test["not run"] for test in tests)
    text = f"**{failures:,} failure{'s' * (failures != 1)}**" if failures else "0 failures"
    return text + (f", {missing} not run" if missing else "")


def shown(guards: list[dict[str, Any]]) -> str:
    """Return for how many guards the test passes with them and fails without."""
    if not guards:
        return "no guard"
    count = sum((guard["with_guard"], guard["without_guard"]) == ("passed", "failed") for guard in guards)
    return f"{count} of {len(guards)}" + ", *short*" * (count < len(guards))


def load_table(_: Translate) -> str:
    """Return the service under load, at each number of connections."""
    load = parts().get("load")
    if not load:
        return NOT_MEASURED.format("python benchmarks/load.py")
    head = [
        "connections", "accepted a second", "503 a second", "other", "p99 of accepted (ms)",
        "on new connections", "health checks", "recovery (s)",
    ]  # fmt: skip
    missed = "".join(f"- *short*: {sentence}\n" for sentence in load["missed"])
    return table(head, map(load_row, load["rows"])) + "\n" + missed


def load_row(row: dict[str, Any]) -> list[str]:
    """Return the row of a number of connections."""
    failed = row["failed"] + row["new_connections"]["failed"] + row["health"]["failed"]
    seconds = [row[part]["p99"] for part in ("accepted", "new_connections", "health")]
    return [
        f"{row['connections']:,}",
        f"{row['accepted_per_s']:,.0f}",
        f"{row['rejected_per_s']:,.0f}",
        str(failed),
        *("-" if each is None else f"{1000 * each:.0f}" for each in seconds),
        "-" if row["recovery_s"] is None else f"{row['recovery_s']:.2f}",
    ]


def figures_table(_: Translate) -> str:
    """Return the other figures that have a target, as far as they were measured."""
    rows = list(figures(parts()))
    return table(["", "", "required"], rows) if rows else NOT_MEASURED.format("make faults")


def figures(measured: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a row for each figure."""
    if load := measured.get("load"):
        over, memory = load["overload"], load["memory"]
        rate = f"served at {over['offered']:.0f} times the capacity, as a part of it"
        yield target_row(rate, ".0%", over["share"], 0.7)
        what = f"growth of the service over {memory['requests']:,} requests (MB)"
        yield target_row(what, ".1f", memory["growth"] / 1e6, -30)
        for peak in load["peaks"]:
            what = f"peak of the service with {peak['threads']} threads under {peak['n']} large uploads (MB)"
            yield target_row(what, ".0f", peak["bytes"] / 1e6, -1000)
    if (RESULTS / "kills.json").exists():
        kills = read("kills")
        what = f"`sprint` killed {len(kills['kills'])} times and resumed: identical to the bit"
        yield target_row(what, ".0%", float(kills["identical"]), 1)
    if coverage := measured.get("coverage"):
        yield target_row(f"of {coverage['lines']:,} lines are executed by tests", ".1%", coverage["share"], 0.95)
    if (RESULTS / "mutations.json").exists():
        mutations = read("mutations")
        what = f"of {mutations['tested']:,} random changes of data, imaging and metrics are found by tests"
        yield target_row(what, ".1%", mutations["share"], 0.85)


TABLES: dict[str, Callable[[Translate], str]] = {
    "faults": faults_table,
    "load": load_table,
    "figures": figures_table,
}
