"""Layers of a network in numpy, for one row."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit, softmax

from zoo.core.types import Batch
from zoo.layers.embedding import CLIP
from zoo.layers.experts import Experts, Gate
from zoo.layers.fields import FieldEmbedding
from zoo.layers.gates import GatedMLP, Gates


def spread(module: torch.nn.Module, seed: int = 0) -> None:
    """Weights of the size of 1, so that no term of a formula drowns in the rounding of another."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.5)
        for table in module.modules():
            if isinstance(table, torch.nn.Embedding) and table.padding_idx == 0:
                table.weight[0] = 0


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    return array(layer.weight) @ x + (array(layer.bias) if layer.bias is not None else 0)


def mlp(layers: torch.nn.Sequential, x: np.ndarray, last_is_linear: bool = False) -> np.ndarray:
    found = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    for number, layer in enumerate(found, 1):
        x = linear(layer, x)
        x = x if last_is_linear and number == len(found) else np.maximum(x, 0)
    return x


def mixture(gate: Gate, x: np.ndarray, *groups: tuple[Experts, np.ndarray]) -> np.ndarray:
    """Each group of experts reads an input of its own."""
    said = [mlp(expert, of) for experts, of in groups for expert in experts]
    weights = softmax(linear(gate.linear, x))
    return sum(w * s for w, s in zip(weights, said, strict=True))


def gated(network: GatedMLP, gates: Gates, x: np.ndarray, of: np.ndarray) -> np.ndarray:
    factors = 2 * expit(mlp(gates.mlp, of, last_is_linear=True))
    for layer in network.layers:
        own, factors = factors[: layer.out_features], factors[layer.out_features :]
        x = np.maximum(linear(layer, x), 0) * own
    assert not len(factors)
    return x


def fields(embedding: FieldEmbedding | None, batch: Batch, where: tuple[int, ...]) -> list[np.ndarray]:
    """Of one request or candidate: what each feature's value stands for."""
    if embedding is None:
        return []
    found, features = [], embedding.features
    for name, table in features.by_feature.items():
        ids = [int(i) for i in batch[name][where].flatten() if i]
        total = sum((array(table.weight[i]) for i in ids), np.zeros(table.embedding_dim))
        found.append(total / max(len(ids), 1))
    for number, name in enumerate(features.numeric):
        scaled = (float(batch[name][where]) - float(features.mean[number])) / float(features.std[number])
        found.append(max(-CLIP, min(CLIP, scaled)) * array(embedding.numbers[number]))
    return found
