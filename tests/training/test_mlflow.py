"""MLflow, in a local database."""

import sqlite3
from pathlib import Path

import pytest

from helpers.command import OWN, TINY, run_in_process
from helpers.runs import rows
from modiste.errors import InputError, OutputError
from modiste.runs import files, metrics_file
from modiste.runs.folder import Run
from modiste.training import mlflow


def query(folder: Path, text: str) -> list[tuple[object, ...]]:
    """Return the rows of a query of the database."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        return database.execute(text).fetchall()


@pytest.mark.slow
def test_settings_and_metrics_are_logged(idx: Path, tmp_path: Path) -> None:
    """Each metric of metrics.csv by epoch, also of a run that continues another one."""
    arguments = [f"--data={idx}", "--name=a", "--epochs=2", "--mlflow", *TINY, *OWN]
    run_in_process(tmp_path, "train", "classic-cnn", *arguments)
    run_in_process(tmp_path, "train", "--resume=runs/a", "--epochs=3")
    assert query(tmp_path, "select name, status from runs") == [("a", "FINISHED"), ("a-3-epochs", "FINISHED")]
    assert query(tmp_path, "select count(*) from params where key = 'optimizer.lr' and value = '0.01'") == [(2,)]
    logged = "select step, value from metrics join runs using (run_uuid) where key = 'val_loss' and name = '{}'"
    for name in ("a", "a-3-epochs"):
        metrics = metrics_file.read(tmp_path / "runs" / name / "metrics.csv")
        expected = [(row.epoch, row.val_loss) for row in metrics]
        assert sorted(query(tmp_path, logged.format(name))) == expected


@pytest.mark.slow
def test_a_damaged_database_or_file_is_an_error(tmp_path: Path) -> None:
    """It names the one that is damaged (fault 28)."""
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    files.write_json(tmp_path / "mlflow.json", {"database": str(tmp_path / "mlflow.db"), "run_id": "x"})
    with pytest.raises(OutputError, match=r"mlflow\.db cannot be written"):
        mlflow.append(Run(tmp_path), rows([0.5])[0])
    files.write_json(tmp_path / "mlflow.json", {})
    with pytest.raises(InputError, match=r"mlflow\.json is damaged\. Remove it"):
        mlflow.append(Run(tmp_path), rows([0.5])[0])
