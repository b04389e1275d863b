"""Imports of evaluation and reports."""

import subprocess
import sys


def test_reporting_does_not_import_torch() -> None:
    """Runs are evaluated, compared and reported on machines without PyTorch."""
    modules = ", ".join(f"modiste.reporting.{name}" for name in ("evaluate", "comparison", "report.write"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_does_not_import_scikit_learn() -> None:
    """It starts, and draws its curves, without scikit-learn and SciPy, which take seconds to import."""
    code = "import sys, modiste.training.run; sys.exit(any(m in sys.modules for m in ('sklearn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
