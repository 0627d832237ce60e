"""FuxiCTR's side of `benchmarks.speed.ctr`: its layers, wired here, in its own loader and training step."""

import sys
from pathlib import Path
from typing import Any

import torch
from ctr import load, tell
from fuxictr.features import FeatureMap
from fuxictr.pytorch import layers
from fuxictr.pytorch.dataloaders.npz_dataloader import NpzDataLoader
from fuxictr.pytorch.models import BaseModel, MultiTaskModel
from torch import Tensor, nn


def main(folder: Path, name: str, batch_size: int) -> None:
    """Times an epoch, its loader included."""
    _, sizes = load(folder)
    torch.manual_seed(0)
    model = compiled(folder, name, sizes)
    # Without workers, as ours: a thread is what both get.
    file = str(folder / "rows.npz")
    loader = NpzDataLoader(model.feature_map, file, batch_size, shuffle=True, num_workers=0)
    tell(lambda: model.train_epoch(loader))


def compiled(
    folder: Path, name: str, sizes: dict[str, Any], lr: float = 1e-3, decay: float | None = None
) -> BaseModel:
    """A model ready for epochs of training, which it does not interrupt to evaluate itself."""
    features = feature_map(folder, name, sizes)
    options = {"model_root": str(folder), "metrics": ["AUC"], "verbose": 0, "embedding_regularizer": decay}
    model: BaseModel = MODELS[name](features, sizes, **options)
    tasks = len(features.labels)
    model.compile("adam", ["binary_crossentropy"] * tasks if tasks > 1 else "binary_crossentropy", lr=lr)
    model.reset_parameters()
    model._max_gradient_norm, model._total_steps, model._stop_training = 10.0, 0, False
    model._eval_steps = 10**9
    return model


def feature_map(folder: Path, name: str, sizes: dict[str, Any]) -> FeatureMap:
    """What its preprocessing would have written."""
    found = FeatureMap("rows", str(folder))
    for key, size in sizes["vocab"].items():
        found.features[key] = {"type": "categorical", "source": "", "vocab_size": size}
    found.features |= {key: {"type": "numeric", "source": ""} for key in sizes["numbers"]}
    for key, (size, length) in sizes.get("multi", {}).items():
        ids = {"vocab_size": size, "max_len": length, "padding_idx": 0}
        pooled = {"feature_encoder": "layers.MaskedAveragePooling()"}
        found.features[key] = {"type": "sequence", "source": "", **ids, **pooled}
    found.num_fields = len(found.features)
    if name == "din":
        past = {"vocab_size": sizes["vocab"]["item_id"], "max_len": sizes["history"], "padding_idx": 0}
        found.features["history"] = {"type": "sequence", "source": "", "share_embedding": "item_id", **past}
    found.default_emb_dim = sizes["embed_dim"]
    found.labels = sizes["tasks"]
    found.set_column_index()
    return found


class DeepFM(BaseModel):
    """An FM beside an MLP."""

    def __init__(self, features: FeatureMap, sizes: dict[str, Any], **options: Any) -> None:
        super().__init__(features, **options)
        dim = sizes["embed_dim"]
        self.embedding = layers.FeatureEmbedding(features, dim)
        self.fm = layers.FactorizationMachine(features)
        self.mlp = layers.MLP_Block(
            features.num_fields * dim, sizes["hidden"], output_dim=1, dropout_rates=sizes.get("dropout", 0.0)
        )

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities."""
        x = self.get_inputs(inputs)
        fields = self.embedding(x)
        return {"y_pred": self.output_activation(self.fm(x, fields) + self.mlp(fields.flatten(1)))}


class DCNv2(BaseModel):
    """Crosses beside an MLP."""

    def __init__(self, features: FeatureMap, sizes: dict[str, Any], **options: Any) -> None:
        super().__init__(features, **options)
        self.embedding = layers.FeatureEmbedding(features, sizes["embed_dim"])
        dim = features.num_fields * sizes["embed_dim"]
        self.crosses = layers.CrossNetV2(dim, sizes["cross_layers"])
        self.mlp = layers.MLP_Block(dim, sizes["hidden"], dropout_rates=sizes.get("dropout", 0.0))
        self.out = nn.Linear(dim + sizes["hidden"][-1], 1)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities."""
        x = self.embedding(self.get_inputs(inputs)).flatten(1)
        y = self.out(torch.cat([self.crosses(x), self.mlp(x)], dim=-1))
        return {"y_pred": self.output_activation(y)}


class DIN(BaseModel):
    """Attention to a history below an MLP."""

    def __init__(self, features: FeatureMap, sizes: dict[str, Any], **options: Any) -> None:
        super().__init__(features, **options)
        dim = sizes["embed_dim"]
        self.embedding = layers.FeatureEmbeddingDict(features, dim)
        self.attention = layers.DIN_Attention(dim, sizes["attention"])
        self.mlp = layers.MLP_Block((features.num_fields + 1) * dim, sizes["hidden"], output_dim=1)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities."""
        x = self.get_inputs(inputs)
        fields = self.embedding(x)
        fields["history"] = self.attention(fields["item_id"], fields["history"], x["history"] > 0)
        y = self.mlp(torch.cat(list(fields.values()), dim=-1))
        return {"y_pred": self.output_activation(y)}


class MMoE(MultiTaskModel):
    """Experts, and a gate and a tower for each task."""

    def __init__(self, features: FeatureMap, sizes: dict[str, Any], **options: Any) -> None:
        tasks, hidden = len(sizes["tasks"]), sizes["hidden"]
        super().__init__(features, task=["binary_classification"] * tasks, num_tasks=tasks, **options)
        self.embedding = layers.FeatureEmbedding(features, sizes["embed_dim"])
        dim, experts = features.num_fields * sizes["embed_dim"], range(sizes["experts"])
        self.experts = nn.ModuleList(layers.MLP_Block(dim, hidden) for _ in experts)
        self.gates = nn.ModuleList(nn.Linear(dim, len(experts)) for _ in range(tasks))
        self.towers = nn.ModuleList(
            layers.MLP_Block(hidden[-1], sizes["tower"], output_dim=1) for _ in range(tasks)
        )

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities."""
        x = self.embedding(self.get_inputs(inputs)).flatten(1)
        experts = torch.stack([expert(x) for expert in self.experts], dim=1)
        found = {}
        for name, gate, tower, out in zip(
            self.feature_map.labels, self.gates, self.towers, self.output_activation, strict=True
        ):
            mixed = (gate(x).softmax(-1)[:, None] @ experts).squeeze(1)
            found[f"{name}_pred"] = out(tower(mixed))
        return found


MODELS = {"deepfm": DeepFM, "dcn_v2": DCNv2, "din": DIN, "mmoe": MMoE}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
