"""FuxiCTR's side of `benchmarks.speed.click_quality`: its layers, wired, by its own training step."""

from fuxictr_ctr import compiled
from quality_ctr import Race


def main() -> None:
    """Runs a trial."""
    race = Race()
    model = compiled(race.folder, race.name, race.sizes, race.trial["lr"], race.trial["decay"] or None)
    race.run(model, model.optimizer, model.train_epoch, lambda batch: model(batch)["y_pred"])


if __name__ == "__main__":
    main()
