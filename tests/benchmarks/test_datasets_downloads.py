"""`benchmarks.datasets.downloads`: what has no stated checksum is recorded, and has to stay the same."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.datasets import DatasetConfig, acquire, prepare
from benchmarks.datasets.assemble import assembled
from benchmarks.datasets.config import SourceConfig
from benchmarks.datasets.downloads import Downloads
from benchmarks.datasets.tables import TableConfig
from zoo.core.errors import UserError
from zoo.data.log import Log
from zoo.data.roles import SchemaConfig

ROWS = b"user_id,item_id,time\nu1,a,1588327445\nu2,b,1588327446\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is served."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def shop(at: str, name: str = "shop", **source: object) -> DatasetConfig:
    made = SourceConfig("url", at, **{"files": {"log.csv": ""}} | source)  # type: ignore[arg-type]
    return DatasetConfig(SchemaConfig(), [made], events=TableConfig(["log.csv"]), name=name)


def zipped(path: Path, rows: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("log.csv", rows)


def tarred(path: Path, rows: bytes) -> None:
    file = path.with_name("log.csv")
    file.write_bytes(rows)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(file, "log.csv")


def loose(path: Path, rows: bytes) -> None:
    (path / "log.csv").write_bytes(rows)


def refusal(config: DatasetConfig, cache: Path) -> str:
    with pytest.raises(UserError) as error:
        prepare(config, cache)
    assert "\n" not in str(error.value)
    return str(error.value)


def forget_tables(cache: Path) -> None:
    """Leaves the records, as after somebody has made room on the disk."""
    shutil.rmtree(cache / "datasets")


@pytest.mark.parametrize(("file", "write"), [("a.zip", zipped), ("a.tar.gz", tarred), ("", loose)])
def test_the_first_download_is_recorded_and_another_one_refused(web, tmp_path, file, write):
    folder, address = web
    write(folder / file, ROWS)
    first = hashlib.sha256((folder / (file or "log.csv")).read_bytes()).hexdigest()
    cache, url = tmp_path / "cache", address + (file or "log.csv")
    made = prepare(shop(address + file), cache).log
    records = [json.loads(path.read_text()) for path in (cache / "downloads").iterdir()]
    (record,) = [record for record in records if record["address"] == url]
    assert record["sha256"] == first
    assert record["size"] == (folder / (file or "log.csv")).stat().st_size
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["date"])

    forget_tables(cache)
    assert prepare(shop(address + file), cache).log == made, "the same files are no trouble"
    forget_tables(cache)
    write(folder / file, ROWS.replace(b"u2", b"u3"))
    other = hashlib.sha256((folder / (file or "log.csv")).read_bytes()).hexdigest()
    message = refusal(shop(address + file), cache)
    assert f"{url} has sha256 {other}" in message and first in message
    accept = Path(re.search(r"to accept what it is now remove (\S+\.json)", message)[1])

    accept.unlink()
    assert prepare(shop(address + file), cache).log.users["user_id"].to_pylist() == ["u1", "u3"]


def test_a_record_holds_for_other_datasets_of_the_same_file(web, tmp_path):
    folder, address = web
    zipped(folder / "a.zip", ROWS)
    prepare(shop(address + "a.zip"), tmp_path / "cache")
    zipped(folder / "a.zip", ROWS + b"u9,c,1588327447\n")
    assert "to accept what it is now remove" in refusal(shop(address + "a.zip", "other"), tmp_path / "cache")
    assert prepare(shop(address + "a.zip"), tmp_path / "elsewhere").log.events.num_rows == 3


def test_what_could_not_be_read_is_not_recorded(web, tmp_path):
    folder, address = web
    zipped(folder / "a.zip", ROWS.replace(b"1588327446", b"soon"))
    assert "time is 'soon'" in refusal(shop(address + "a.zip"), tmp_path)
    zipped(folder / "a.zip", ROWS)
    assert prepare(shop(address + "a.zip"), tmp_path).log.events.num_rows == 2


def test_a_stated_checksum_is_the_only_one(web, tmp_path):
    """Who packs proved members anew changes nothing; a stated checksum needs no record."""
    folder, address = web
    digest = f"md5:{hashlib.md5(ROWS).hexdigest()}"
    for level in (1, 9):
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
            archive.writestr("log.csv", ROWS)
        made = prepare(shop(address + "a.zip", files={"log.csv": digest}), tmp_path / "cache")
        assert made.log.events.num_rows == 2
        forget_tables(tmp_path / "cache")
    assert not list((tmp_path / "cache" / "downloads").iterdir())
    zipped(folder / "a.zip", ROWS + b"u9,c,1588327447\n")
    other = shop(address + "a.zip", "other", files={"log.csv": digest})
    assert "log.csv has md5" in refusal(other, tmp_path / "cache")


def test_the_same_files_have_to_give_the_same_tables(web, tmp_path, monkeypatch):
    """As after an update of a library that reads them in another way."""
    folder, address = web
    zipped(folder / "a.zip", ROWS)
    cache = tmp_path / "cache"
    prepare(shop(address + "a.zip"), cache)
    forget_tables(cache)
    monkeypatch.setattr(acquire, "assembled", lambda *args: _without_last(assembled(*args)))
    assert "tables of shop from" in refusal(shop(address + "a.zip"), cache)


def _without_last(log: Log) -> Log:
    return replace(log, events=log.events.slice(0, log.events.num_rows - 1))


def test_a_damaged_record_is_told(tmp_path):
    with Downloads(tmp_path) as downloads:
        downloads.check("file:///a.zip", "0" * 64, 3)
        downloads.keep()
        path = downloads.path("file:///a.zip")
    for text in ("", "[]", "{}"):
        path.write_text(text)
        with Downloads(tmp_path) as downloads, pytest.raises(UserError, match=r"is no record of .*; remove"):
            downloads.check("file:///a.zip", "0" * 64, 3)
    assert [file.name for file in (tmp_path / "downloads").iterdir()] == [path.name]


MEASURE = """
import resource, sys
from pathlib import Path
from benchmarks.datasets.archives import unpack
from benchmarks.datasets.config import SourceConfig
import pyarrow
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
at, room = Path(sys.argv[1]), Path(sys.argv[2])
room.mkdir()
unpack(at, SourceConfig("url", at.name, files={"log.csv": ""}), room)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, (room / "member-0").stat().st_size)
"""


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_large_member_is_never_in_memory_as_a_whole(tmp_path, name):
    (zipped_large if name == "a.zip" else tarred_large)(tmp_path / name)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / name), str(tmp_path / "room")]
    grown, size = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert size == LARGE
    assert grown < 30_000, "KiB more than before, of 96 MiB"


LARGE = 96 * 2**20


def zipped_large(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("log.csv", bytes(LARGE))


def tarred_large(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        info = tarfile.TarInfo("log.csv")
        info.size = LARGE
        file.write(info.tobuf())
        file.write(bytes(LARGE + 1024))
