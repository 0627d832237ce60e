"""Hard negatives from the later stages of a funnel: what they are, and how they are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fake_suite import SUITE, build
from tiny_world import CHANNELS, entry, runner

from benchmarks.hard import HardMaker
from benchmarks.suite import resolve_suite
from tests import tiny
from tests.recall.test_two_tower import fresh
from zoo.core.errors import UserError
from zoo.core.mistakes import ConfigErrors
from zoo.data.views import EventView

STAGES = tiny.STAGES[:5]  # up to rank
USED = [*CHANNELS, "prerank/three_tower", "rank/dcn_v2"]
HARD = {
    "funnel": "tiny",
    "stages": ["prerank", "rank"],
    "per_request": 5,
    "made_of": {"stages": STAGES, "entries": {name: entry(name) for name in USED}},
}


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory):
    return runner(tmp_path_factory.mktemp("runs")).components


@pytest.fixture(scope="module")
def view(components):
    events = EventView(components.world.snapshot())
    return HardMaker(components, HARD, 0).view(events, events)


def test_they_are_what_the_stages_turned_down_of_the_users_own_window(components, view) -> None:
    world = components.world
    _, (second, asked) = world.split.earlier()
    maker = HardMaker(components, HARD, 0)
    funnel = maker._funnel(second)
    request = world.request(asked, second)
    before, kept = (funnel.upto(name)(request).ids for name in ("exposure", "prerank"))
    ranked = funnel(request).ids
    events, requests = world.events, view.view.requests
    checked = 0
    for i in range(len(view)):
        row, end = int(requests.row[i]), int(requests.end[i])
        batch = view.batch(torch.tensor([i]))
        found = [item for item in batch["hard:item_id"][0].tolist() if item]
        inside = second.stop[row] <= end < world.moment.stop[row]
        if not inside:
            assert not found and end < second.stop[row]
            continue
        known = set(events.item[events.offsets[row] : world.moment.stop[row]].tolist())
        n = asked.row.tolist().index(row)
        dropped = set(before[n].tolist()) - set(kept[n].tolist()) - known - {0}
        worst = [item for item in ranked[n].flip(0).tolist() if item and item not in known]
        # Three of those that pre-rank dropped (or put last, where it dropped too few), the last two of rank.
        assert len(set(found[:3]) & dropped) == min(3, len(dropped)) and found[-2:] == worst[:2]
        assert len(set(found)) == len(found) == 5 and not set(found) & known
        assert batch["hard:year"].shape == (1, 5) and batch["hard:genres"].shape == (1, 5, 2)
        checked += 1
    assert checked > 50 and len(view) - checked > 50


def test_the_funnels_models_know_nothing_of_the_window(components) -> None:
    second, asked = components.world.split.earlier()[1]
    config = {**HARD["made_of"], "protocol": HardMaker(components, HARD, 0)._protocol()}
    data = components.candidates(config, 0, second)
    first = components.world.split.earlier()[0][1]
    assert len(data.train) == len(first) and len(data.test) == len(asked)
    assert data.train.requests["user_id"].equal(components.world.request(first).features["user_id"])


def test_a_model_trains_on_them_and_is_another_than_without(components) -> None:
    plain, hard = entry("recall/two_tower"), {**entry("recall/two_tower"), "hard": HARD}
    vectors = [components.recall(which, 0).vectors for which in (plain, hard, hard)]
    assert not vectors[0].equal(vectors[1]) and vectors[1].equal(vectors[2])
    fewer = {**hard, "hard": {**HARD, "per_request": 2}}
    assert not components.recall(fewer, 0).vectors.equal(vectors[1])


def test_what_cannot_be_is_told(components) -> None:
    with pytest.raises(UserError, match="recall/item_cf learns from no negatives: remove hard"):
        components.recall({**entry("recall/item_cf"), "hard": HARD}, 0)
    early = components.world.split.earlier()[1][0]
    events = EventView(components.world.snapshot(early))
    with pytest.raises(UserError, match=r"expected at least 2 before .*, found 1"):
        HardMaker(components, HARD, 0).view(events, events, early)


def test_the_loss_is_that_of_a_loop(view) -> None:
    model, index = fresh(temperature=0.2).eval(), torch.arange(len(view))[-40:-20]
    batch = view.batch(index)
    batch["hard:item_id"][0, 0] = batch["item_id"][0]
    user, item = model.encode_user(batch), model.encode_item(batch)
    losses = []
    for i, own in enumerate(batch["item_id"].tolist()):
        negatives = [item[j] for j, other in enumerate(batch["item_id"].tolist()) if other != own]
        hard = [m for m, other in enumerate(batch["hard:item_id"][i].tolist()) if other not in (0, own)]
        items = {name: batch[f"hard:{name}"][i] for name in ("item_id", "year", "genres")}
        logits = [torch.cosine_similarity(user[i], x, 0) / 0.2 for x in [item[i], *negatives]]
        logits += [torch.cosine_similarity(user[i], model.encode_item(items)[m], 0) / 0.2 for m in hard]
        losses.append(torch.stack(logits).logsumexp(0) - logits[0])
    # Nothing was counted yet: the correction is the same for all of the batch, as if of every step.
    assert model.log_q.step == 0
    assert model.loss(batch).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-4)


def hard(text: str, name: str = "recall/two_tower") -> str:
    return f"entries=[{{entry: {name}, hard: {text}}}]"


def test_an_entry_asks_for_them_in_a_line(configs: Path) -> None:
    plan = resolve_suite(SUITE, [hard("{funnel: page, stages: [prerank]}"), "funnels=[]"])
    run = plan.runs[0]
    assert run.entry == 'recall/two_tower+hard.funnel=page,hard.stages=["prerank"]'
    made_of = run.config["hard"].pop("made_of")
    assert run.config["hard"] == {"funnel": "page", "stages": ["prerank"], "per_request": 8}
    assert [tag for stage in made_of["stages"] for tag in stage] == ["recall", "merge", "exposure", "prerank"]
    assert set(made_of["entries"]) == {"recall/popular", "recall/two_tower", "prerank/three_tower"}
    assert run.config["protocol"]["candidates"]["channels"] == ["recall/popular"]
    assert json.loads(json.dumps(run.config)) == run.config
    both = resolve_suite(SUITE, ["recall/two_tower.hard={funnel: page}", "funnels=[]"]).runs[2]
    assert len(both.config["hard"]["made_of"]["stages"]) == 5
    assert resolve_suite(SUITE, []).runs[2].key("ab") != both.key("ab")


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("{funnel: pag}", "recall/two_tower",
         "hard.funnel: no funnel 'pag' in configs/funnels (did you mean 'page'?)"),
        ("{stages: [rank]}", "recall/two_tower", "hard.funnel: missing required key (expected str)"),
        ("{funnel: page, stages: [rerank]}", "recall/two_tower",
         "hard.stages[0]: expected one of prerank, rank, found 'rerank' (did you mean 'prerank'?)"),
        ("{funnel: page, per_request: 0}", "recall/two_tower",
         "hard.per_request: must be at least 1, found 0"),
        ("{funnel: bare}", "recall/two_tower",
         "hard.stages: the funnel 'bare' has no prerank stage, only recall, merge"),
        ("{funnel: other}", "recall/two_tower",
         "hard.funnel: expected a funnel on the dataset of the suite, 'tiny', found one on 'other'"),
        ("{funnel: loop}", "recall/two_tower",
         "hard.funnel: recall/own of the funnel 'loop' has hard negatives too: name one without"),
        ("{funnel: page}", "rank/dcn_v2", "hard: only a recall entry has hard negatives"),
    ],
)  # fmt: skip
def test_mistakes_are_told(configs: Path, text: str, name: str, told: str) -> None:
    page = Path("configs/funnels/page.yaml").read_text()
    build(
        Path("."),
        {
            "funnels/bare": page[: page.index("  - exposure")],
            "funnels/other": page.replace("dataset: tiny", "dataset: other"),
            "recall/own": "model: recall/fake\nhard: {funnel: page}\n",
            "funnels/loop": page.replace("recall/two_tower", "recall/own"),
        },
    )
    with pytest.raises(ConfigErrors) as errors:
        resolve_suite(SUITE, [hard(text, name), "funnels=[]"])
    lines = str(errors.value).splitlines()
    assert any(line.endswith(told) for line in lines), lines


def test_a_channel_of_the_candidates_is_not_to_depend_on_them(configs: Path) -> None:
    build(Path("."), {"recall/own": "model: recall/fake\nhard: {funnel: page}\n"})
    with pytest.raises(ConfigErrors, match="a channel must not have hard negatives"):
        resolve_suite(SUITE, ["protocol.candidates.channels=[recall/own]"])
    funnel = resolve_suite(SUITE, ["funnels/page.recall.channels=[{entry: recall/own}]"]).runs[-1]
    assert "made_of" in funnel.config["entries"]["recall/own"]["hard"]
