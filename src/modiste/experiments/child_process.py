"""Run the command line in a process that ends with its parent: python -m modiste.experiments.child_process ARGUMENTS.

Otherwise a training whose parent is killed would go on unnoticed, and compute beside the one that resumes it.
"""

import ctypes
import os
import runpy
import signal
import sys

PARENT = "MODISTE_PARENT"
"""Environment variable with the number of the parent process."""

PR_SET_PDEATHSIG = 1  # of prctl.h


def end_with_parent(parent: int) -> None:
    """Let Linux send this process SIGTERM when its parent ends; other systems have nothing like it."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent(int(os.environ.pop(PARENT)))
    runpy.run_module("modiste", run_name="__main__", alter_sys=True)
