"""torch-rechub's side of `benchmarks.speed.click_quality`: its models by its own training step."""

from collections.abc import Iterator

from quality_ctr import Batch, Race
from rechub_ctr import model_of
from torch import Tensor
from torch_rechub.trainers import CTRTrainer


def main() -> None:
    """Runs a trial."""
    race = Race()
    model = model_of(race.name, race.sizes)
    penalty = {"embedding_l1": 0.0, "dense_l1": 0.0, "dense_l2": 0.0}
    # It takes λ|w|², the others half of that.
    penalty["embedding_l2"] = race.trial["decay"] / 2
    options = {"optimizer_params": {"lr": race.trial["lr"]}, "regularization_params": penalty}
    trainer = CTRTrainer(model, model_path=str(race.folder), **options)

    def pairs(batches: Iterator[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        for batch in batches:
            y = batch.pop(race.task)
            yield batch, y

    race.run(model, trainer.optimizer, lambda batches: trainer.train_one_epoch(pairs(batches)), model)


if __name__ == "__main__":
    main()
