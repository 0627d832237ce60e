"""What someone does who has only the wheel: run by wheel_in_empty_venv.sh, not by pytest."""

import importlib.util
import sys
from pathlib import Path

import zoo

saved = Path(sys.argv[1])
assert Path(sys.prefix) in Path(zoo.__file__).parents, zoo.__file__
assert zoo.__version__ != "0+unknown"
assert not [
    name for name in ("benchmarks", "leaderboard", "datasets", "rich") if importlib.util.find_spec(name)
]
assert "torch" not in sys.modules and "rank/dcn_v2" in zoo.list_models()

loaded = {path.name: zoo.load_model(path) for path in sorted(saved.iterdir()) if path.name != "funnel"}
loaded["funnel"] = zoo.load_funnel(saved / "funnel")
for name, bundle in loaded.items():
    known = bundle.recommend("u1", k=5)
    assert len({found.item_id for found in known}) == 5, (name, known)
    unknown = bundle.recommend("somebody new", k=5)
    assert len(unknown) == 5, (name, unknown)
    bare = [found.item_id for found in bundle.recommend(history=["i3", "i4", "no such item"], k=5)]
    assert len(bare) == 5 and not {"i3", "i4"} & {*bare}, (name, bare)

ranker = loaded["dcn_v2"]
scores = ranker.score({"user_id": ["u1", "somebody new"], "item_id": ["i3", "no such item"]})
assert set(scores) == {"watch", "like"} and all(0 < p < 1 for column in scores.values() for p in column)
assert zoo.create_model("rank/lr", ranker.model.schema).registry_name == "rank/lr"
print(f"the wheel works alone: {', '.join(loaded)} loaded, recommended and scored")
