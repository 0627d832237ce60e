"""When training ends, by one rule for all sides of `benchmarks.speed.click_quality`, ours too."""

import copy

import torch
from torch import nn


class Stopper:
    """FuxiCTR's rule, and the weights of the best epoch.

    An epoch without a higher AUC on the validation rows divides the learning rate by ten; `patience` of them
    in a row end the training.

    Args:
        model: Whose weights are kept.
        optimizer: Whose learning rate falls.
        patience: Epochs.

    Attributes:
        best: The highest AUC so far.
        epoch: Which it is of, from 1.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, patience: int) -> None:
        self.model, self.optimizer, self.patience = model, optimizer, patience
        self.best, self.epoch, self._epochs, self._without = float("-inf"), 0, 0, 0

    def ends(self, auc: float) -> bool:
        """Takes in the AUC after an epoch; whether that was the last."""
        self._epochs += 1
        if auc > self.best:
            self.best, self.epoch, self._without = auc, self._epochs, 0
            self._weights = copy.deepcopy(self.model.state_dict())
            return False
        self._without += 1
        for group in self.optimizer.param_groups:
            group["lr"] /= 10
        return self._without >= self.patience

    def restore(self) -> None:
        """Puts the weights of the best epoch back."""
        self.model.load_state_dict(self._weights)
