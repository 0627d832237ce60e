"""Four ratings in both forms in which MovieLens-100K is published, and helpers to serve them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from benchmarks.datasets import DatasetConfig, prepare
from benchmarks.datasets.config import SourceConfig
from benchmarks.datasets.readers import reader
from benchmarks.datasets.readers.movielens_100k import GENRES
from zoo.core.errors import UserError
from zoo.data.log import Log
from zoo.data.roles import SchemaConfig

REAL = Path(__file__).parents[2] / "configs" / "datasets" / "ml-100k.yaml"
INSIDE = "recbole/dataset_example/ml-100k/"


def flags(*names: str) -> str:
    return "|".join("1" if genre in names else "0" for genre in GENRES.split())


# The same rows in both published forms, with all that is irregular about the real ones.
PUBLISHED = {
    "u.data": b"2\t1\t3\t881250949\n1\t267\t4\t878887116\n1\t1412\t5\t878887117\n2\t9\t1\t881250950\n",
    "u.user": b"1|24|M|technician|85711\n2|36|F|other|T8H1N\n",
    "u.item": "\n".join(
        [
            "1|Toy Story (1995)|01-Jan-1995||http://x|" + flags("Animation", "Children's", "Comedy"),
            "267|unknown||||" + flags("unknown"),
            "1412|Long Time, A (1995) (V)|01-Jan-1996||http://x|" + flags("Sci-Fi"),
            "9|Né\x85e (Born 1900) (1966) |4-Feb-1971||http://x|" + flags("War", "Film-Noir") + "\n",
        ]
    ).encode("latin-1"),
}
ATOMIC = {
    "ml-100k.inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + PUBLISHED["u.data"],
    "ml-100k.user": b"user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
    + PUBLISHED["u.user"].replace(b"|", b"\t"),
    "ml-100k.item": "\n".join(
        [
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
            "1\tToy Story\t1995\tAnimation Children's Comedy",
            "267\tunkonwn\tunkonwn\tunknown",
            "1412\tLong Time, A (1995)\tV\tSci-Fi",
            "9\tNé\x85e (Born 1900)\t1966\tFilm-Noir War\n",
        ]
    ).encode(),
}
CANONICAL = Log.of(**reader("recbole_ml_100k")(ATOMIC)).sha256()
FOLDER = SourceConfig("folder", "ml-100k")


def zipped(files: dict[str, bytes], inside: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(inside + name, data)
    return target.getvalue()


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in files.items()}


WHEEL = SourceConfig("wheel", "recbole==1.2.1", "recbole_ml_100k", INSIDE, files=digests(ATOMIC))
URL = SourceConfig("url", "file:///nowhere", "movielens_100k", "ml-100k/", files=dict.fromkeys(PUBLISHED, ""))


def config(*sources: SourceConfig, canonical: str = CANONICAL, **other) -> DatasetConfig:
    schema = other.pop("schema", SchemaConfig())
    return DatasetConfig(schema, list(sources), canonical=canonical, name="ml-100k", **other)


def url_of(path: Path, archive: bytes, digest: str = "") -> SourceConfig:
    (path / "remote.zip").write_bytes(archive)
    at = (path / "remote.zip").as_uri()
    return SourceConfig("url", at, "movielens_100k", "ml-100k/", digest, dict.fromkeys(PUBLISHED, ""))


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def failure(config: DatasetConfig, cache: Path) -> str:
    with pytest.raises(UserError) as error:
        prepare(config, cache)
    assert "\n" not in str(error.value)
    assert not any(cache.rglob("*.arrow"))
    return str(error.value)
