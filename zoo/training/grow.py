"""Room for users and items that came after a model was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.core.schema import Schema
from zoo.layers.embedding import FeatureEmbedding
from zoo.losses import StreamingFrequency
from zoo.training.retrieval import EmbeddingRetrieval


def grown(model: EmbeddingRetrieval, schema: Schema, rows: Mapping[str, Tensor]) -> EmbeddingRetrieval:
    """The same model for more users, items or values of features: every row is copied to its new id.

    A new id starts as in a fresh model, and an old one that is gone is forgotten. Numbers keep the scale they
    were learned with. An update then teaches the new rows.

    Args:
        model: The fitted one.
        schema: Of the new data.
        rows: By feature, `(vocab,)` the old id of every new one, 0 where it had none: `Encoder.rows_from`.

    Raises:
        UserError: `rows` do not fit the two schemas, or leave out a feature whose ids have changed.
    """
    _check_rows(rows, schema, model.schema)
    fresh: EmbeddingRetrieval = create_model(
        model.registry_name, _with_scales(schema, model.schema), **model.hparams["params"]
    )
    old, of_feature = model.state_dict(), _rows_by_feature(fresh)
    for name, value in fresh.state_dict().items():
        source = rows.get(of_feature.get(name, ""))
        if source is not None:
            kept = source > 0
            value[kept] = old[name][source[kept]]
        elif value.shape == old[name].shape:
            value.copy_(old[name])
        else:
            raise UserError(_unknown(model, of_feature.get(name, name), len(old[name]), len(value)))
    fresh.fit_config, fresh.index = model.fit_config, model.index
    return fresh.eval()


def _rows_by_feature(model: EmbeddingRetrieval) -> dict[str, str]:
    """By name in the state dict, the feature whose ids are its rows."""
    owner = {id(table): feature for feature, table in model.id_tables().items()}
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, FeatureEmbedding):
            owner |= {id(table): feature for feature, table in module.by_feature.items()}
        if id(module) in owner:
            found[f"{name}.weight"] = owner[id(module)]
        if isinstance(module, StreamingFrequency) and len(module.A) == model.schema.n_items + 1:
            found |= {f"{name}.{buffer}": "item_id" for buffer in ("A", "B", "seen")}
    return found


def _check_rows(rows: Mapping[str, Tensor], schema: Schema, old: Schema) -> None:
    for name, source in rows.items():
        if name not in schema or name not in old:
            continue
        if len(source) != schema[name].vocab or int(source.max()) >= old[name].vocab:
            wanted = f"{schema[name].vocab} ids below {old[name].vocab}"
            raise UserError(
                f"rows of {name!r}: expected {wanted}, found {len(source)} up to {int(source.max())}"
            )


def _unknown(model: EmbeddingRetrieval, name: str, before: int, now: int) -> str:
    return f"{model.registry_name}: {name!r} had {before} ids and has {now}: rows do not say which is which"


def _with_scales(schema: Schema, old: Schema) -> Schema:
    scaled = {feature.name: feature for feature in old if feature.kind == "numeric"}
    features = (
        replace(f, mean=scaled[f.name].mean, std=scaled[f.name].std) if f.name in scaled else f
        for f in schema
    )
    return Schema(tuple(features), schema.tasks)
