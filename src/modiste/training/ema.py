"""The average of a network over its last steps: nearer to the middle of where training wanders than any one step.

An exponential moving average of weights and running statistics (Polyak and Juditsky 1992; as in Tarvainen and Valpola
2017, arXiv 1703.01780). It is what is judged and kept; the network itself is trained on untouched.
"""

import copy

import torch
from torch import Tensor, nn

from modiste.models.normalized import NormalizedModel


class ModelEma(nn.Module):
    """Follows a network.

    Args:
        network: what it starts as.
        decay: share of the average that stays at each step. The first steps keep less, so that the first weights, which
            know nothing, are soon forgotten.
    """

    steps: Tensor

    def __init__(self, network: NormalizedModel, decay: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def follow(self, network: NormalizedModel) -> None:
        """Take a step towards the network."""
        steps = self.steps.item()
        share = 1 - min(self.decay, (1 + steps) / (10 + steps))
        for mine, its in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(its, share)
            else:
                mine.copy_(its)  # a counter
        self.steps += 1
