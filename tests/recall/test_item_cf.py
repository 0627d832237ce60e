"""Item-based collaborative filtering against dense numpy and the worked example of the course."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.world import padded_ids
from zoo.core.registry import create_model
from zoo.core.schema import Feature, Schema
from zoo.core.types import Request
from zoo.recall.item_cf import ItemCF

ITEMS = 12


def schema(items: int = ITEMS) -> Schema:
    history = Feature("history:watch", "history", "sequence", items + 1, 5, "watch")
    return Schema((history, Feature("item_id", "item_id", "categorical", items + 1)))


def counted(histories: list[list[int]], batch: int = 3, **params: object) -> ItemCF:
    model: ItemCF = create_model("recall/item_cf", schema(), **params)
    for start in range(0, len(histories), batch):
        model.count({"history:watch": padded_ids(histories[start : start + batch])})
    model.finish()
    return model


def everything(model: ItemCF, histories: torch.Tensor) -> torch.Tensor:
    """`(B, ITEMS + 1)` scores of all items."""
    ids = torch.arange(ITEMS + 1).expand(len(histories), -1)
    return model.score(Request({"history:watch": histories}), ids)


def reference(histories: list[list[int]], asked: list[list[int]], **params: object) -> np.ndarray:
    """`(B, ITEMS + 1)` scores, with everything dense and in loops."""
    options = {"neighbours": 10, "keep": "seed", "popularity_power": 0.5, "activity_power": 0.0} | params
    powers = [options.get(name, options["popularity_power"]) for name in ("seed_power", "target_power")]
    like = np.array([[item in history for item in range(ITEMS + 1)] for history in histories], float)
    votes = like / np.maximum(like.sum(1, keepdims=True), 1) ** (options["activity_power"] / 2)
    n = np.maximum(like.sum(0), 1)
    sim = votes.T @ votes / np.outer(n ** powers[0], n ** powers[1])  # by seed and target
    np.fill_diagonal(sim, 0)
    kept = np.zeros_like(sim)
    for item in range(ITEMS + 1):
        of_item = sim[item] if options["keep"] == "seed" else sim[:, item]
        # As floats, since what is equal in them goes by id.
        best = np.lexsort((np.arange(ITEMS + 1), -of_item.astype(np.float32)))[: options["neighbours"]]
        kept[(item, best) if options["keep"] == "seed" else (best, item)] = of_item[best]
    scores = np.zeros((len(asked), ITEMS + 1))
    for row, history in enumerate(asked):
        for back, item in enumerate(history[: options.get("history_length", 200)]):
            scores[row] += kept[item] * 0.5 ** (back / options.get("half_life", np.inf))
    return scores


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"keep": "target", "neighbours": 3},
        {"keep": "seed", "neighbours": 3},
        {"keep": "target", "neighbours": 1, "half_life": 2.0},
        {"popularity_power": 0.3, "activity_power": 1.0},
        {"seed_power": 0.2, "target_power": 0.9, "neighbours": 3},
        {"seed_power": 0.8, "keep": "target", "activity_power": 0.5, "neighbours": 2},
        {"half_life": 1.5, "history_length": 2, "popularity_power": 1.0, "neighbours": 4},
    ],
    ids=str,
)
def test_scores_equal_dense_numpy(params: dict[str, object]) -> None:
    draw = np.random.default_rng(0)
    histories = [draw.integers(1, ITEMS + 1, size=draw.integers(1, 9)).tolist() for _ in range(25)]
    asked = [draw.permutation(np.arange(1, ITEMS + 1))[:4].tolist() for _ in range(10)] + [[], [1, 1]]
    found = everything(counted(histories, **params), padded_ids(asked))
    assert np.allclose(found.numpy(), reference(histories, asked, **params), atol=1e-5)


def test_the_default_is_the_cosine_of_the_course() -> None:
    # Items 1 and 2 share 2 of their 2 and 3 users, items 1 and 3 share 1 of 2 and 1.
    model = counted([[1, 2], [2, 1], [1, 3], [2], [2]])
    found = everything(model, torch.tensor([[1]]))[0]
    assert found[2].item() == pytest.approx(2 / np.sqrt(3 * 4)) and found[3].item() == pytest.approx(
        1 / np.sqrt(3)
    )
    assert not found[[0, 1, *range(4, ITEMS + 1)]].any()


def test_likes_2_1_4_3_of_items_similar_by_1_4_2_6_tenths_score_3_2() -> None:
    """The worked example; how much a user likes an item is the weight of its place in the history."""
    model: ItemCF = create_model("recall/item_cf", schema())
    seeds, similarity = torch.tensor([1, 2, 3, 4]), torch.tensor([0.1, 0.4, 0.2, 0.6])
    model._store(seeds.numpy(), np.full(4, 9), similarity.numpy())
    request = Request({"history:watch": seeds.repeat_interleave(torch.tensor([2, 1, 4, 3]))[None]})
    assert model.score(request, torch.tensor([[9, 5]])).tolist()[0] == pytest.approx([3.2, 0])
    ids, scores = model.search(request, 3)
    assert ids.tolist() == [[9, 0, 0]] and scores[0, 0].item() == pytest.approx(3.2)


def test_an_item_chosen_twice_is_liked_once() -> None:
    often, once = counted([[1, 2, 1, 1], [2, 3, 3]]), counted([[1, 2], [2, 3]])
    asked = torch.tensor([[1], [2], [3]])
    assert everything(often, asked).equal(everything(once, asked))


@pytest.mark.parametrize("keep", ["seed", "target"])
def test_neither_batches_nor_threads_change_the_table(keep: str) -> None:
    draw = np.random.default_rng(1)
    histories = [draw.integers(1, ITEMS + 1, size=5).tolist() for _ in range(20)]
    options = {"keep": keep, "neighbours": 3, "activity_power": 0.7}
    whole = counted(histories, batch=100, **options)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    split = counted(histories, batch=2, **options)
    torch.set_num_threads(threads)
    for name in ("offsets", "targets", "similarities"):
        assert getattr(split, name).equal(getattr(whole, name))


def test_columns_look_back_one_five_and_all() -> None:
    histories = [[1, 2], [1, 3], [2, 3], [4, 5], [6, 7], [8, 9]]
    model, asked = counted(histories), [[1, 4, 6, 8, 10, 2]]
    ids, request = torch.arange(1, ITEMS + 1)[None], Request({"history:watch": torch.tensor(asked)})
    for name, length in (("score", 6), ("last5", 5), ("last1", 1)):
        expected = reference(histories, [asked[0][:length]])[0, 1:]
        assert np.allclose(model.columns(request, ids)[name][0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("neighbours", 0), ("history_length", 0), ("half_life", 0.0)])
def test_a_senseless_option_names_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        ItemCF.Config(**{name: value})
