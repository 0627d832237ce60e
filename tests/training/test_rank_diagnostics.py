"""What a ranker tells about itself."""

from __future__ import annotations

import torch

from tests.conformance.setting import Case, prepared, rank_batch


def test_only_a_model_with_gates_tells_of_polarisation() -> None:
    model = prepared(Case("rank/dcn_v2", {"head": {"kind": "mmoe", "experts": 3}}).fresh())
    found = model.diagnostics(rank_batch())
    assert list(found) == ["polarisation/watch", "polarisation/like"]
    for values in found.values():
        assert values.shape == rank_batch()["item_id"].shape
        assert values.min() >= 1 / 3 and values.max() <= 1
    assert Case("rank/dcn_v2").fresh().diagnostics(rank_batch()) == {}
    gate = model.heads.gates["like"]
    with torch.no_grad():
        gate.linear.weight.zero_()
        gate.linear.bias.copy_(torch.tensor([0.0, 50.0, 0.0]))
    again = model.diagnostics(rank_batch())
    assert again["polarisation/like"].eq(1).all()
    assert again["polarisation/watch"].equal(found["polarisation/watch"])
