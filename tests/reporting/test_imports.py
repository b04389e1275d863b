"""What evaluating and reporting import."""

import subprocess
import sys


def test_nothing_here_loads_torch() -> None:
    """Runs are evaluated, compared and reported on machines without torch."""
    modules = ", ".join(f"modiste.reporting.{name}" for name in ("evaluate", "comparison", "html_report.page"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_training_does_not_wait_for_the_scorer() -> None:
    """It begins, and draws its curves, without scikit-learn and scipy, which take seconds to load."""
    code = "import sys, modiste.training.run; sys.exit(any(m in sys.modules for m in ('sklearn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
