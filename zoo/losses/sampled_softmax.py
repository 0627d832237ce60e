"""In-batch sampled softmax with correction for how often items are sampled.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019,
https://doi.org/10.1145/3298689.3346996.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.losses.pointwise import weighted_mean

BLOCKED = 1024
"""From so many rows on the matrix of logits is never whole."""
BLOCK = 256


def in_batch_softmax(
    user: Tensor,
    item: Tensor,
    item_ids: Tensor,
    log_q: Tensor | None = None,
    temperature: float = 0.05,
    weight: Tensor | None = None,
    hard: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of each user's item against all items of the batch, and against hard ones of its own.

    Logits are cosine / temperature - log q_j. Another row that holds the user's own item is no negative: it
    is left out of the sum. A large batch is worked off in blocks of rows, to spare memory.

    Args:
        user: `(B, D)`.
        item: `(B, D)`, row i is the positive of user i.
        item_ids: `(B,)` int64.
        log_q: `(B,)` log sampling probability of each item, up to a constant; no correction by default.
        temperature: Divides the cosine.
        weight: `(B,)` weights of the mean over rows; equal by default.
        hard: `(B, M)` cosines of further negatives of each row alone, -inf where there is none. They are
            there for certain, so their log q is 0.

    Returns:
        Scalar.
    """
    user, item = F.normalize(user, dim=1), F.normalize(item, dim=1)
    if len(user) >= BLOCKED:
        shift = user.new_zeros(len(user)) if log_q is None else log_q
        share = user.new_ones(len(user)) if weight is None else weight
        share = share / share.sum().clamp(min=torch.finfo(share.dtype).tiny)
        return _Blocked.apply(user, item, item_ids, shift, temperature, share)  # type: ignore[no-untyped-call]
    logits = user @ item.T / temperature
    if log_q is not None:
        logits = logits - log_q
    accidental = (item_ids[:, None] == item_ids).fill_diagonal_(False)
    logits = logits.masked_fill(accidental, -torch.inf)
    if hard is not None:
        logits = torch.cat([logits, hard / temperature], dim=1)
    target = torch.arange(len(logits), device=logits.device)
    return weighted_mean(F.cross_entropy(logits, target, reduction="none"), weight=weight)


class _Blocked(torch.autograd.Function):
    """The same loss for large batches: loss and gradient of a block of rows at once, while it is in cache."""

    @staticmethod
    def forward(
        ctx: Any, user: Tensor, item: Tensor, ids: Tensor, log_q: Tensor, temperature: float, share: Tensor
    ) -> Tensor:
        """Scalar; `user` and `item` are `(B, D)` of unit length, `share` `(B,)` weights that sum to 1."""
        loss = user.new_zeros(())
        user_grad, item_grad = torch.empty_like(user), torch.zeros_like(item)
        for start in range(0, len(user), BLOCK):
            rows = slice(start, start + BLOCK)
            logits = (user[rows] @ item.T).div_(temperature).sub_(log_q)
            line = torch.arange(len(logits), device=user.device)
            own = logits[line, line + start].clone()
            logits.masked_fill_(ids[rows, None] == ids, -torch.inf)
            logits[line, line + start] = own
            total = logits.logsumexp(dim=1)
            loss += (share[rows] * (total - own)).sum()
            # From here on the gradient by the logits: share (softmax - one at the own item).
            logits.sub_(total[:, None]).exp_().mul_(share[rows, None])
            logits[line, line + start] -= share[rows]
            user_grad[rows] = logits @ item / temperature
            item_grad.addmm_(logits.T, user[rows], alpha=1 / temperature)
        ctx.save_for_backward(user_grad, item_grad)
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Of `user` and `item` alone."""
        user_grad, item_grad = ctx.saved_tensors
        return grad * user_grad, grad * item_grad, None, None, None, None


class StreamingFrequency(nn.Module):
    """How likely each item is to occur in a batch, estimated from the stream of batches (paper, algorithm 2).

    `A` holds the step at which an item last occurred and `B` a moving average of the steps between
    occurrences, so the probability is 1 / B. Unlike in the paper, the first 1 / `learning_rate` gaps of an
    item weigh the same (its n-th gap moves `B` by 1 / n), so that rare items do not stay where `B` started.

    State is per process: under distributed training each process estimates from its own batches.

    Args:
        num_buckets: Size of the table; ids are hashed modulo it, so n_items + 1 gives every item its own.
        learning_rate: Weight of the newest gap, the paper's alpha.
    """

    step: Tensor
    A: Tensor
    B: Tensor
    seen: Tensor

    def __init__(self, num_buckets: int, learning_rate: float = 0.01) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("A", torch.zeros(num_buckets, dtype=torch.int64))
        self.register_buffer("B", torch.zeros(num_buckets))
        self.register_buffer("seen", torch.zeros(num_buckets, dtype=torch.int64))

    def forward(self, item_ids: Tensor) -> Tensor:
        """Log probability `(B,)` of each id; in training mode the batch is first counted as one step."""
        if self.training:
            self.update(item_ids)
        return self.log_probability(item_ids)

    @torch.no_grad()
    def update(self, item_ids: Tensor) -> None:
        """Count a batch of ids `(B,)`; an id that occurs twice in it has occurred once."""
        bucket = item_ids % len(self.A)
        self.step += 1
        # Equal ids read the same old state and write the same new one, so nothing has to be made unique.
        seen = self.seen[bucket] + 1
        rate = seen.float().reciprocal().clamp(min=self.learning_rate)
        self.B[bucket] += rate * (self.step - self.A[bucket] - self.B[bucket])
        self.A[bucket], self.seen[bucket] = self.step, seen

    def log_probability(self, item_ids: Tensor) -> Tensor:
        """Log probability `(B,)` that a batch holds the id; one never seen counts as due in the next."""
        bucket = item_ids % len(self.B)
        return -self.B[bucket].where(self.seen[bucket] > 0, self.step + 1).log()
