"""metrics.csv."""

from pathlib import Path

import pytest

from modiste.errors import InputError
from modiste.runs import metrics_file
from modiste.runs.metrics_file import EpochMetrics

HEAD = ",".join(metrics_file.COLUMNS) + "\n"


def test_metrics_read_back_to_the_same_bits(tmp_path: Path) -> None:
    """Floats and missing figures survive the way through the file."""
    rows = [EpochMetrics(1, 1 / 3, 0.1, None, None, 1e-2, 2.5), EpochMetrics(2, 0.1 + 0.2, 0.7, 1e-17, 0.9, 1e-3, 2.25)]
    metrics_file.write(tmp_path / "metrics.csv", rows)
    assert metrics_file.read(tmp_path / "metrics.csv") == rows
    header = "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds"
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == header


@pytest.mark.parametrize(
    "text",
    [
        "epoch,loss\n1,2\n",
        "\x00\n1\n",
        "epoch,train_loss\nx,y\n",
        HEAD + "1,1,1,,,1,\n",
        HEAD + "1,1,nan,,,1,1\n",
        HEAD + "1,1,1,,,1,1,1\n",
    ],
)
def test_a_malformed_metrics_file_is_an_error(text: str, tmp_path: Path) -> None:
    """Other columns, missing values and NaN are errors with the path."""
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.csv is not a metrics\.csv"):
        metrics_file.read(tmp_path / "metrics.csv")
