"""Every kind of history against loops over users, candidates and events."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema, Task
from zoo.core.types import Batch
from zoo.layers.events import Events
from zoo.layers.histories import Histories, HistoryConfig

ITEMS, DIM, LENGTH = 30, 6, 12
KINDS = ("lastn_mean", "din", "sim_hard", "sim_soft", "cluster")
SCHEMA = Schema(
    (
        *(Feature(f"history:{b}", "history", "sequence", ITEMS + 1, LENGTH, b) for b in ("click", "like")),
        Feature("history:click:action", "event", "categorical", 4, LENGTH, "click"),
        Feature("history:click:age", "event", "numeric", 0, LENGTH, "click", 2.0, 3.0),
        Feature("item_id", "item_id", "categorical", ITEMS + 1),
        Feature("category", "item", "categorical", 5),
        Feature("tags", "item", "multi", 6, 2),
        Feature("price", "item", "numeric", mean=1.0, std=2.0),
    ),
    (Task("click"),),
)


def catalogue() -> Batch:
    draw = torch.Generator().manual_seed(7)
    batch = {
        "item_id": torch.arange(ITEMS + 1),
        "category": torch.randint(0, 5, (ITEMS + 1,), generator=draw),
        "tags": torch.randint(0, 6, (ITEMS + 1, 2), generator=draw),
        "price": torch.randn(ITEMS + 1, generator=draw),
    }
    return {name: value.clone().index_fill_(0, torch.tensor([0]), 0) for name, value in batch.items()}


def batch(seed: int = 0) -> Batch:
    """Five users, of whom the first did nothing; an item may come again, and a candidate may be padding."""
    draw = torch.Generator().manual_seed(seed)
    found: Batch = {"item_id": torch.randint(0, ITEMS + 1, (5, 4), generator=draw)}
    for behaviour in ("click", "like"):
        size = torch.tensor([0, 1, 5, 9, LENGTH])[:, None]
        inside = torch.arange(LENGTH) < size
        found[f"history:{behaviour}"] = torch.randint(1, ITEMS + 1, inside.shape, generator=draw) * inside
    inside = found["history:click"] > 0
    found["history:click:action"] = torch.randint(0, 4, inside.shape, generator=draw) * inside
    found["history:click:age"] = torch.randn(inside.shape, generator=draw) * inside
    return found


def made(kind: str, **options: object) -> Histories:
    """With weights of ordinary size, so that attention is far from even."""
    torch.manual_seed(0)
    layer = Histories(SCHEMA, HistoryConfig(kind=kind, **options), DIM)  # type: ignore[arg-type]
    for weight in layer.parameters():
        nn.init.normal_(weight, std=0.7)
    for module in layer.modules():
        if isinstance(module, nn.Embedding):
            nn.init.zeros_(module.weight[0].detach())
    layer.attach(catalogue())
    return layer.eval()


def parts(layer: Histories, given: Batch) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return layer.request(given), layer.candidate(given)


def n(tensor: Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def item_vector(layer: Histories, item: int) -> np.ndarray:
    vector = n(layer.items.table.weight[item])
    if layer.items.names and item:
        made = layer.items.features
        one = {name: catalogue()[name][item : item + 1] for name in layer.items.names}
        vector = vector + n(layer.items.project.weight) @ n(made(one)[0])
    return vector


def event_vectors(layer: Histories, events: Events, given: Batch, row: int) -> np.ndarray:
    """`(n, D)` of the events there are, newest first."""
    ids = [int(i) for i in given[events.name][row][: events.length] if i]
    vectors = np.stack([item_vector(layer, i) for i in ids]) if ids else np.zeros((0, DIM))
    if events.feature_names:
        table = n(events.features.by_feature["history:click:action"].weight)
        for place in range(len(ids)):
            scaled = (given["history:click:age"][row, place].item() - 2.0) / 3.0
            known = np.append(table[given["history:click:action"][row, place]], scaled)
            vectors[place] += n(events.project.weight) @ known
    return vectors


def softmax(logits: np.ndarray) -> np.ndarray:
    weight = np.exp(logits - logits.max())
    return weight / weight.sum()


def dot(
    attention: nn.Module, query: np.ndarray, keys: np.ndarray, bias: np.ndarray | float = 0.0
) -> np.ndarray:
    if not len(keys):
        return np.zeros(DIM)
    return softmax(keys @ (n(attention.weight) @ query) / math.sqrt(DIM) + bias) @ keys


def by_hand(layer: Histories, given: Batch, number: int, row: int, item: int) -> np.ndarray:
    """What one behaviour's part of a candidate is."""
    config, events, attention = layer.config, layer.events[number], layer.attention[number]
    keys, query = event_vectors(layer, events, given, row), item_vector(layer, item)
    ids = [int(i) for i in given[events.name][row][: events.length] if i]
    category = catalogue()["category"].tolist()
    if config.kind == "sim_hard":
        same = [at for at, i in enumerate(ids) if category[item] and category[i] == category[item]]
        return dot(attention, query, keys[same[: config.top]])
    if config.kind == "sim_soft":
        scores = [-(item_vector(layer, i) @ query) for i in ids]
        return dot(attention, query, keys[np.argsort(scores, kind="stable")[: config.top]])
    if config.kind == "cluster":
        of = np.array([category[i] % config.clusters for i in ids], int)
        groups = [keys[of == c] for c in sorted(set(of.tolist()))]
        means = np.stack([group.mean(0) for group in groups]) if groups else keys
        return dot(attention, query, means, np.log([len(group) for group in groups]))
    # The weights of q − k may be any: what they do is taken from those of q and k.
    other = np.random.default_rng(0).normal(size=(len(n(attention.query.bias)), DIM))
    first = [n(attention.query.weight) - other, n(attention.key.weight) + other, other]
    first.append(n(attention.product).T)
    logits = []
    for key in keys:
        x = np.concatenate([query, key, query - key, query * key])
        x = np.maximum(np.concatenate(first, 1) @ x + n(attention.query.bias), 0)
        for linear in (module for module in attention.others if isinstance(module, nn.Linear)):
            x = np.maximum(n(linear.weight) @ x + n(linear.bias), 0)
        logits.append(float((n(attention.out.weight) @ x)[0]))
    if not logits:
        return np.zeros(DIM)
    weight = softmax(np.array(logits)) if config.softmax else np.array(logits) + attention.out.bias.item()
    return weight @ keys


@pytest.mark.parametrize("length", [7, LENGTH])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("din", {"hidden": [5, 4]}),
        ("din", {"hidden": [5], "softmax": True, "item_features": ["tags", "price"]}),
        ("sim_hard", {"top": 2}),
        ("sim_hard", {"top": 40, "event_features": False}),
        ("sim_soft", {"top": 3}),
        ("sim_soft", {"top": 40, "item_features": ["category"]}),
        ("cluster", {"clusters": 3}),
    ],
)
def test_what_a_candidate_sees_equals_a_loop(kind: str, options: dict[str, object], length: int) -> None:
    layer, given = made(kind, behaviours=["click", "like"], length=length, **options), batch()
    request, found = parts(layer, given)
    assert layer.request_dim == 0 == request.shape[1] and found.shape[2] == layer.candidate_dim == 2 * DIM
    for row in range(5):
        for place, item in enumerate(given["item_id"][row].tolist()):
            expected = [by_hand(layer, given, number, row, item) for number in range(2)]
            assert found[row, place].numpy() == pytest.approx(np.concatenate(expected), abs=2e-4)


@pytest.mark.parametrize("half_life", [None, 2.0])
@pytest.mark.parametrize("event_features", [True, False])
def test_a_mean_equals_a_loop(half_life: float | None, event_features: bool) -> None:
    layer, given = made("lastn_mean", half_life=half_life, length=7, event_features=event_features), batch()
    found, candidate = parts(layer, given)
    assert candidate.shape == (5, 4, 0) and layer.request_dim == DIM
    for row in range(5):
        vectors = event_vectors(layer, layer.events[0], given, row)
        weight = np.array([1 if half_life is None else 0.5 ** (at / half_life) for at in range(len(vectors))])
        expected = weight @ vectors / weight.sum() if len(vectors) else np.zeros(DIM)
        assert found[row].numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_rows_and_empty_histories(kind: str) -> None:
    options = {} if kind == "lastn_mean" else {"top": 3}
    layer, given = made(kind, behaviours=["click", "like"], length=LENGTH + 9, **options), batch()
    both = parts(layer, given)
    wide = {name: F.pad(x, (0, 9)) if name.startswith("history:") else x for name, x in given.items()}
    for found, expected in zip(parts(layer, wide), both, strict=True):
        assert torch.allclose(found, expected, atol=1e-6)
    for row in range(5):
        alone = parts(layer, {name: x[row : row + 1] for name, x in given.items()})
        for found, expected in zip(alone, both, strict=True):
            assert torch.allclose(found[0], expected[row], atol=1e-5)
    assert not torch.cat([part[0].flatten() for part in both]).any()
    nobody = {name: torch.zeros_like(x) if name.startswith("history:") else x for name, x in given.items()}
    layer.train()
    found = torch.cat([layer.request(nobody).flatten(), layer.candidate(nobody).flatten()])
    assert not found.any()
    found.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("kind", ["din", "sim_hard", "sim_soft", "cluster"])
def test_the_newest_or_likeliest_events_learn(kind: str) -> None:
    """Only what a candidate attends to has a gradient, besides the candidate itself."""
    layer, given = made(kind, top=1, event_features=False), batch()
    one = {name: x[3:4] for name, x in given.items()}
    one["item_id"] = one["item_id"][:, :1].clamp(min=1)
    layer.candidate(one).square().sum().backward()
    learned = set(layer.items.table.weight.grad.abs().sum(1).nonzero().flatten().tolist())
    events = set(one["history:click"].flatten().tolist()) - {0}
    assert learned - {int(one["item_id"])} <= events
    assert len(learned & events) <= (1 if kind.startswith("sim") else len(events))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "din", "behaviours": ["clik"]}, r"no history of behaviour 'clik' \(did you mean 'click'"),
        ({"kind": "sim_hard", "category": "price"}, "'price' is a number, expected one of category, tags"),
        ({"kind": "cluster", "category": "history:click"}, "of role history, expected a feature"),
        ({"kind": "din", "item_features": ["prise"]}, r"'prise' \(did you mean 'price'\?\)"),
    ],
)
def test_what_the_dataset_lacks_is_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Histories(SCHEMA, HistoryConfig(**options), DIM)  # type: ignore[arg-type]


def test_what_makes_no_sense_is_told() -> None:
    bare = Schema(tuple(f for f in SCHEMA if f.name == "item_id"), SCHEMA.tasks)
    with pytest.raises(UserError, match="the dataset has no history"):
        Histories(bare, HistoryConfig("din"), DIM)
    bare = Schema(tuple(f for f in SCHEMA if f.role != "item"), SCHEMA.tasks)
    with pytest.raises(UserError, match="needs an item feature with categories; the dataset has none"):
        Histories(bare, HistoryConfig("sim_hard"), DIM)
    with pytest.raises(UserError, match="call prepare first"):
        Histories(SCHEMA, HistoryConfig("sim_hard"), DIM).candidate(batch())
    history = {"kind": "din", "half_life": 2.0, "top": 0}
    with pytest.raises(UserError, match=r"half_life: is of kind lastn_mean[\s\S]*top: must be at least 1"):
        create_model("rank/dcn_v2", SCHEMA, history=history)
    with pytest.raises(UserError, match="name one of them"):
        create_model("rank/dcn_v2", SCHEMA, behaviour="click", history={"kind": "din"})
