"""implicit's side of `benchmarks.speed time_to_quality`: ALS or BPR."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from quality import Race

MODELS = {"als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}


def main(folder: Path, kind: str, threads: int, options: dict[str, Any]) -> None:
    """Prints what the race says."""
    race = Race(folder)
    ones = np.ones(len(race.train), dtype=np.float32)
    matrix = sp.csr_matrix((ones, (race.train[:, 0], race.train[:, 1])), shape=race.shape)
    # `fit` goes on from the factors that are there.
    model = MODELS[kind](iterations=1, num_threads=threads, random_state=0, **options)
    found = race.run(
        lambda: model.fit(matrix, show_progress=False), lambda: (model.user_factors, model.item_factors)
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
