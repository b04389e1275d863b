"""All randomness of a step comes from (seed, epoch, step) and what it is for.

So there is no generator whose state must be saved, work done ahead in a thread draws the same numbers, and a step that
is run again after a crash is the same step.
"""

import zlib

import numpy as np
import torch


def derive_seed(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> int:
    """Return a 63-bit number that is independent for each purpose, epoch and step."""
    entropy = [seed, zlib.crc32(purpose.encode()), epoch, step]
    words = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generator(device: torch.device, seed: int, purpose: str, epoch: int = 0, step: int = 0) -> torch.Generator:
    """Return a generator on that device, started from `derive_seed`."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose, epoch, step))
