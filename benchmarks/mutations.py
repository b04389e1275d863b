"""Change `data`, `imaging` and `metrics` in small ways, and count how many changes a test finds, with cosmic-ray.

    pip install cosmic-ray
    python benchmarks/mutations.py                   # 1,000 changes drawn by seed 0: a night
    python benchmarks/mutations.py --count 5 --packages metrics

It works on a copy of the checkout in build/mutations, and resumes there when it is repeated. A change is tested by the
tests of its package. It writes results/mutations.json, with the changes that no test found, which are to be read.
"""

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from modiste.runs import results

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "imaging", "metrics")
COPIED = ("src", "tests", "benchmarks", "results", "tools", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
SEED, TIMEOUT_SECONDS = 0, 600.0

CONFIG = """[cosmic-ray]
module-path = "src/modiste/{package}"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -n 0 -p no:cacheprovider tests/{package}"

[cosmic-ray.distributor]
name = "local"
"""

COLUMNS = ("file", "change", "line", "diff")
TABLES = ("mutation_specs", "work_items")
SURVIVORS = """select module_path, operator_name, start_pos_row, diff
from work_results join mutation_specs using (job_id)
where lower(test_outcome) = 'survived' order by module_path, start_pos_row"""


def cosmic_ray(folder: Path, *arguments: str) -> None:
    """Run a command of cosmic-ray on the copy."""
    paths = os.pathsep.join([str(folder / "src"), os.environ.get("PYTHONPATH", "")])
    variables = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "cosmic_ray.cli", *arguments]
    subprocess.run(command, cwd=folder, check=True, env=variables)


def prepare(folder: Path, package: str) -> Path:
    """List all changes of a package in a session, unless there is one already; return its file."""
    session = folder / f"{package}.sqlite"
    if not session.exists():
        config = CONFIG.format(package=package, python=sys.executable, timeout=TIMEOUT_SECONDS)
        (folder / f"{package}.toml").write_text(config, encoding="utf-8")
        cosmic_ray(folder, "init", f"{package}.toml", session.name)
    return session


def draw(sessions: list[Path], count: int) -> None:
    """Keep that many changes of all sessions together, drawn by the seed, and delete the others."""
    jobs = []
    for session in sessions:
        with closing(sqlite3.connect(session)) as database:
            order = "select job_id from mutation_specs order by module_path, operator_name, occurrence, operator_args"
            jobs += [(session, job) for (job,) in database.execute(order)]
    chosen = set(random.Random(SEED).sample(jobs, min(count, len(jobs))))  # noqa: S311 - no secret
    for session in sessions:
        left = [(job,) for owner, job in jobs if owner == session and (owner, job) not in chosen]
        with closing(sqlite3.connect(session)) as database:
            for table in TABLES:
                database.executemany(f"delete from {table} where job_id = ?", left)  # noqa: S608 - fixed names
            database.commit()


def summarize(session: Path) -> dict[str, Any]:
    """Return how many changes of a session were tested and found, and those that were not."""
    with closing(sqlite3.connect(session)) as database:
        (tested,) = database.execute("select count(*) from work_results").fetchone()
        survivors = [dict(zip(COLUMNS, row, strict=True)) for row in database.execute(SURVIVORS)]
    return {"tested": tested, "killed": tested - len(survivors), "survivors": survivors}


def main() -> None:
    """Draw the changes, test each, and write the results file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES), choices=PACKAGES)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutations")
    args = parser.parse_args()
    folder = args.folder.resolve()
    is_new = not folder.exists()
    if is_new:
        folder.mkdir(parents=True)
        for part in COPIED:
            source = ROOT / part
            shutil.copytree(source, folder / part) if source.is_dir() else shutil.copy(source, folder / part)
    sessions = [prepare(folder, package) for package in args.packages]
    if is_new:
        draw(sessions, args.count)
    for package, session in zip(args.packages, sessions, strict=True):
        cosmic_ray(folder, "exec", f"{package}.toml", session.name)
    packages = {session.stem: summarize(session) for session in sessions}
    tested, killed = (sum(package[key] for package in packages.values()) for key in ("tested", "killed"))
    command = f"python benchmarks/mutations.py --count {args.count}"
    results.write(
        ROOT / "results" / "mutations.json", recipe="mutations", command=command, runs=[], tested=tested, killed=killed,
        share=killed / tested, packages=packages,
    )  # fmt: skip
    print(f"{killed} of {tested} changes are found by a test ({killed / tested:.1%})")


if __name__ == "__main__":
    main()
