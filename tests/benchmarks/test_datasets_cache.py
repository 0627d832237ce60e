"""`benchmarks.datasets.cache`: tables made once, safe from races, kills and damage."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
from tiny_movielens import CANONICAL, FOLDER, PUBLISHED, URL, config, write

from benchmarks.datasets import prepare
from zoo.core.errors import UserError


@pytest.fixture
def local(tmp_path, monkeypatch):
    """A config that a local folder serves, and a cache."""
    write(tmp_path / "data" / "ml-100k", PUBLISHED)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    return config(FOLDER, URL), tmp_path / "cache"


def test_second_time_needs_no_source(local, monkeypatch):
    first = prepare(*local)
    monkeypatch.delenv("ZOO_DATA")
    second = prepare(*local)
    assert (second.fingerprint, second.path) == (first.fingerprint, first.path)
    assert second.log == first.log
    assert [table.column(0).num_chunks for table in (second.log.events, second.log.users)] == [1, 1]


def test_files_are_arrow_and_json(local):
    suffixes = {path.suffix for path in prepare(*local).path.rglob("*") if path.is_file()}
    assert suffixes == {".arrow", ".json"}


def test_nothing_is_printed_and_nobody_asked(local, capfd, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("went to the network"))
    prepare(*local)
    prepare(*local)
    assert capfd.readouterr() == ("", "")


def test_cache_folder_comes_from_the_environment(local, tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "elsewhere"))
    assert prepare(local[0]).path.parent == tmp_path / "elsewhere" / "datasets"


@pytest.mark.parametrize("name", ["events", "users", "items"])
def test_damage_never_yields_other_tables(local, name, caplog):
    """A flipped byte is noticed wherever it lies, but for padding and titles, which change nothing."""
    path = prepare(*local).path / name / "data-00000-of-00001.arrow"
    data = path.read_bytes()
    for where in range(0, len(data), 61):
        path.write_bytes(data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :])
        caplog.clear()
        assert prepare(*local).log.sha256() == CANONICAL
        assert all("is damaged (" in message and "\n" not in message for message in caplog.messages)
        assert len(caplog.messages) <= 1
    assert [path.name for path in path.parents[2].iterdir()] == [path.parents[1].name]


def test_altered_tables_are_noticed(local, caplog):
    path = prepare(*local).path / "users" / "data-00000-of-00001.arrow"
    altered = path.read_bytes().replace(b"technician", b"technicism")
    path.write_bytes(altered)
    assert prepare(*local).log.sha256() == CANONICAL
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert path.read_bytes() != altered


@pytest.mark.parametrize(
    "name", ["events/state.json", "users/dataset_info.json", "items/data-00000-of-00001.arrow"]
)
@pytest.mark.parametrize("data", [None, b"", b"{"])
def test_missing_and_cut_files_are_made_again(local, name, data, caplog):
    path = prepare(*local).path / name
    path.unlink() if data is None else path.write_bytes(data)
    assert prepare(*local).log.sha256() == CANONICAL
    assert len(caplog.messages) == 1
    caplog.clear()
    prepare(*local)
    assert not caplog.messages


def test_a_failure_half_way_leaves_nothing(local, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "benchmarks.datasets.cache._publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            prepare(*local)
    assert list((local[1] / "datasets").iterdir()) == []
    assert prepare(*local).path.is_dir()


def test_what_a_killed_process_left_is_ignored_and_swept_when_old(local):
    path = prepare(*local).path
    fresh, old = (path.with_name(f".{path.name}.{kind}.tmp") for kind in ("fresh", "old"))
    other = path.with_name(".other")
    for folder in (fresh, old, other):
        write(folder / "whole" / "events", {"state.json": b"{"})
        os.utime(folder, (time.time() - 7200,) * 2 if folder != fresh else None)
    (path / "events" / "state.json").unlink()
    assert prepare(*local).log.sha256() == CANONICAL
    assert (fresh.exists(), old.exists(), other.exists()) == (True, False, True)


def test_losing_the_race_is_no_failure(local, monkeypatch):
    won = prepare(*local).path
    monkeypatch.setattr("benchmarks.datasets.cache._load", lambda *_: None)
    assert prepare(*local).path == won
    assert [path.name for path in won.parent.iterdir()] == [won.name]


def test_processes_at_once_make_one_cache(local, tmp_path):
    told, _ = local
    caches = [tmp_path / str(number // 2) for number in range(16)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        prepared = list(pool.map(prepare, [told] * 16, caches))
    assert {found.log.sha256() for found in prepared} == {CANONICAL}
    for cache, found in zip(caches, prepared, strict=True):
        assert list((cache / "datasets").iterdir()) == [found.path]


def test_a_cache_that_cannot_be_written(local, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserError, match=r"cannot write the cache \(.*\); set ZOO_CACHE to a folder you can write"
    ):
        prepare(local[0], tmp_path / "file")
