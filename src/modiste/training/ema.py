"""An exponential moving average of a network's weights and running statistics, mixed with its initial ones if wanted.

It is nearer to the minimum than the weights of a single step (Polyak and Juditsky 1992; Tarvainen and Valpola 2017,
arXiv 1703.01780), and is evaluated and kept. The network that is trained does not depend on it. Mixed with pretrained
weights it forgets less of what they know about other images (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903).
"""

import copy

import torch
from torch import Tensor
from torch.optim.swa_utils import PARAM_LIST, AveragedModel

from modiste.models.normalized import NormalizedModel


class ModelEma(AveragedModel):
    """A moving average of a network; `module` is a copy of the network with the averaged weights.

    `initial_weight` is the weight of the network's present weights in `evaluated_model`, from 0 to below 1.

    In step n, the share min(decay, n / (n + 9)) of the average stays: TensorFlow's ExponentialMovingAverage begins in
    this way too, so that the random first weights are soon forgotten.
    """

    module: NormalizedModel

    def __init__(self, network: NormalizedModel, decay: float, initial_weight: float = 0.0) -> None:
        super().__init__(network, multi_avg_fn=self._average, use_buffers=True)
        self.requires_grad_(False)
        self.decay, self.initial_weight = decay, initial_weight
        self.initial = copy.deepcopy(self.module) if initial_weight else None
        self.n_averaged.fill_(1)  # at 0, AveragedModel copies the network in its first step

    def restart(self, network: NormalizedModel) -> None:
        """Begin again with the present weights of a network, before its first step."""
        for copied in filter(None, (self.module, self.initial)):
            copied.load_state_dict(network.state_dict())

    @property
    @torch.no_grad()
    def evaluated_model(self) -> NormalizedModel:
        """The network with the averaged weights, or a copy in which they are mixed with the initial ones."""
        if self.initial is None:
            return self.module
        mixed = copy.deepcopy(self.module)
        for value, initial in zip(mixed.state_dict().values(), self.initial.state_dict().values(), strict=True):
            if value.is_floating_point():
                value.lerp_(initial, self.initial_weight)
        return mixed

    @torch.no_grad()
    def _average(self, averages: PARAM_LIST, values: PARAM_LIST, n_averaged: Tensor | int) -> None:
        """Update tensors of one data type: floats are averaged, integers, which count batches, are copied."""
        step = int(n_averaged)
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - min(self.decay, step / (step + 9)))
        else:
            torch._foreach_copy_(averages, values)
