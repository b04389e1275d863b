"""Random numbers of a step, derived from seed, epoch, step and purpose.

So there is no generator whose state must be saved, and a step that is repeated after a crash is the same step.
"""

import zlib

import numpy as np
import torch


def derive_seed(seed: int, purpose: str, epoch: int = 0, step: int = 0, rank: int = 0) -> int:
    """Return a 63-bit seed that is independent for each purpose, epoch, step and process of a training."""
    entropy = [seed, zlib.crc32(purpose.encode()), epoch, step, *([rank] if rank else [])]
    words = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generator(
    device: torch.device, seed: int, purpose: str, epoch: int, step: int = 0, rank: int = 0
) -> torch.Generator:
    """Return a generator on a device with the seed of `derive_seed`."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose, epoch, step, rank))
