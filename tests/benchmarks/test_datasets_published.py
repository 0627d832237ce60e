"""Every public dataset: a few rows in its exact published form become the rows expected of them.

The files are in `published/<form>/`, the expected rows, written by hand, in `published/<form>.json`; nothing
there is real. Where `ZOO_DATA` has the real files, their numbers of rows are checked as well.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmarks.datasets.assemble import assembled
from benchmarks.datasets.config import DatasetConfig, load_config
from benchmarks.datasets.readers import NAMES, reader
from benchmarks.datasets.tables import Report
from zoo.core.errors import UserError
from zoo.data.log import Log

PUBLISHED = Path(__file__).parent / "published"
CONFIGS = Path(__file__).parents[2] / "configs" / "datasets"
PUBLIC = sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "simulated")
HERE = ["ml-1m", "ml-1m-ctr", "ml-latest-small", "gowalla_m1", "movielens1m_m1", "diginetica", "s3rec_beauty"]
HERE += ["lastfm_hetrec", "trivago"]


@dataclass(frozen=True)
class Form:
    """A dataset in one of its published forms, and where the files and the expected rows are."""

    dataset: str
    files: str = ""
    rows: str = ""

    @property
    def config(self) -> DatasetConfig:
        return replace(load_config(CONFIGS / f"{self.dataset}.yaml"), canonical="")

    def opened(self) -> dict[str, Path]:
        folder = PUBLISHED / (self.files or self.dataset)
        return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}

    def log(self) -> Log:
        form = self.config.reader
        raw = reader(form)(self.opened()) if form else None
        return assembled(self.config, raw, self.opened(), Report())

    def expected(self) -> dict[str, Any]:
        return json.loads((PUBLISHED / f"{self.rows or self.files or self.dataset}.json").read_text())


FORMS = [
    Form("ml-1m"),
    Form("ml-1m", "ml-1m_partial", "ml-1m"),
    *(Form("ml-1m-ctr", files, "ml-1m-ctr") for files in ("ml-1m", "ml-1m_partial")),
    *(Form(name, "movielens_csv") for name in ("ml-latest-small", "ml-20m", "ml-32m")),
    *(Form(name, "item_lines") for name in ("gowalla_m1", "yelp18_m1", "amazonbooks_m1", "amazoncds_m1")),
    Form("movielens1m_m1", "item_lists"),
    Form("adult", "adult_uci", "adult"),
    *(
        Form(name)
        for name in ("adult", "census_income", "diginetica", "lastfm_hetrec", "obd", "s3rec_beauty")
    ),
    *(Form(name) for name in ("avazu_x4", "criteo_x4", "frappe_x1", "movielenslatest_x1", "trivago")),
    *(Form(name) for name in ("kuairand_1k", "kuairand_pure", "kuairec", "recflow")),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.dataset}-{form.files}".rstrip("-"))
def test_published_rows_become_the_expected_ones(form: Form) -> None:
    log, expected = form.log(), form.expected()
    tables = {
        "events": events(log, form.config),
        "users": log.users.to_pylist(),
        "items": log.items.to_pylist(),
    }
    for name in expected.keys() - {"partial"}:
        columns = set(expected[name][0])
        assert all(row.keys() == columns for row in expected[name])
        assert columns == tables[name][0].keys() or (
            "partial" in expected and columns < tables[name][0].keys()
        )
        found = [{column: row[column] for column in columns} for row in tables[name]]
        assert sorted(found, key=spelled) == sorted(expected[name], key=spelled)


def events(log: Log, config: DatasetConfig) -> list[dict[str, Any]]:
    """The events with ids in place of rows of the other tables, without what the dataset has not."""
    rows = log.events.to_pylist()
    for row in rows:
        for key, table in (("user", log.users), ("item", log.items)):
            place = row.pop(key)
            if table[f"{key}_id"][place].as_py():
                row[f"{key}_id"] = table[f"{key}_id"][place].as_py()
        if config.clock == "none":
            assert row.pop("time") == 0
    return rows


def spelled(row: dict[str, Any]) -> str:
    return json.dumps({key: float(x) if isinstance(x, int) else x for key, x in row.items()}, sort_keys=True)


def test_both_copies_of_ml_1m_and_of_adult_give_the_same_log() -> None:
    for one, two in ((FORMS[0], FORMS[1]), (Form("adult"), Form("adult", "adult_uci"))):
        assert one.log().sha256() == two.log().sha256()


def test_census_income_comes_in_an_archive_too() -> None:
    form, file = Form("census_income"), io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, path in form.opened().items():
            archive.add(path, name)
    raw = reader("census_income")({"census.tar.gz": file.getvalue()})
    assert raw["events"].equals(reader("census_income")(form.opened())["events"])


def test_a_session_with_a_missing_cut_is_named() -> None:
    test = json.dumps({"seq": [[1, 2, 3], [1]], "label": [4, 2]}).encode()
    with pytest.raises(
        UserError, match=r"^test_sessions\.json: row 2 does not continue the session before it$"
    ):
        reader("srgnn_sessions")({"train_sessions.json": b"[[1, 2]]", "test_sessions.json": test})


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"^no file train\.txt \(did you mean 'trian\.txt'\?\)$"):
        reader("item_lines")({"trian.txt": b"1 2"})


def test_a_reader_that_is_not_known_is_named() -> None:
    with pytest.raises(
        UserError, match=r"^reader 'movielens_1n' is not known \(did you mean 'movielens_1m'\?\)$"
    ):
        reader("movielens_1n")


def test_every_public_dataset_has_rows_in_its_published_form() -> None:
    # MovieLens-100K is tested in test_datasets_readers.
    assert {form.dataset for form in FORMS} | {"ml-100k"} == set(PUBLIC)


def test_every_reader_is_used() -> None:
    configs = [load_config(CONFIGS / f"{name}.yaml") for name in PUBLIC]
    used = {config.reader for config in configs} | {s.reader for config in configs for s in config.sources}
    assert used - {""} == set(NAMES)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_dataset_says_what_it_is_and_on_what_terms(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert all((config.title, config.about, config.citation, config.licence, config.url))
    assert config.sources[0].kind == "folder"
    assert all(source.checked for source in config.sources)


@pytest.mark.parametrize("name", HERE)
def test_the_real_files_have_the_numbers_of_rows_that_are_stated(name: str) -> None:
    form = Form(name)
    folder = Path(os.environ.get("ZOO_DATA", "")) / form.config.sources[0].at
    if not os.environ.get("ZOO_DATA") or not folder.is_dir():
        pytest.skip(f"ZOO_DATA has no {form.config.sources[0].at}")
    files = {path.name: path for path in folder.iterdir()}
    log = assembled(form.config, reader(form.config.reader)(files), files, Report())
    found = {table: getattr(log, table).num_rows for table in ("events", "users", "items")}
    assert found == form.config.statistics


def test_the_published_splits_have_the_sizes_that_papers_state() -> None:
    root = Path(os.environ.get("ZOO_DATA", "."))
    sizes = {
        "gowalla_m1": [810128, 217242],
        "movielens1m_m1": [796244, 99455, 99455],
        "diginetica": [906140, 60858 + 15963],
    }
    for name, expected in sizes.items():
        if not (root / name).is_dir():
            pytest.skip(f"ZOO_DATA has no {name}")
        form = load_config(CONFIGS / f"{name}.yaml").reader
        split = reader(form)({path.name: path for path in (root / name).iterdir()})["events"]["split"]
        assert (
            pa.Table.from_arrays([split], ["split"])
            .group_by("split")
            .aggregate([([], "count_all")])
            .sort_by("split")["count_all"]
            .to_pylist()
            == expected
        )
