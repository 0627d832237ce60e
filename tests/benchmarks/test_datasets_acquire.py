"""`benchmarks.datasets.acquire`: the first source that has the files, and one line where none has."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_movielens import (
    ATOMIC,
    CANONICAL,
    FOLDER,
    INSIDE,
    PUBLISHED,
    URL,
    WHEEL,
    config,
    failure,
    url_of,
    write,
    zipped,
)

from benchmarks.datasets import prepare
from benchmarks.datasets.config import SourceConfig


def fake_pip(wheel: bytes | None = None, error: str = ""):
    def run(command, **options):
        assert command[:4] == [sys.executable, "-m", "pip", "--quiet"]
        assert command[-2:] == ["--", "recbole==1.2.1"]
        assert not options.get("shell")
        folder = Path(command[command.index("--dest") + 1])
        if wheel is not None:
            (folder / "recbole-1.2.1-py3-none-any.whl").write_bytes(wheel)
        return subprocess.CompletedProcess(
            command, 1 if error else 0, b"chatter", f"WARNING: x\n{error}\n".encode()
        )

    return run


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch):
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.setattr(
        subprocess, "run", fake_pip(error="ERROR: No matching distribution found for recbole")
    )


@pytest.mark.parametrize(
    "files",
    [
        PUBLISHED,
        ATOMIC,
        {"ml-100k.zip": zipped(PUBLISHED, "ml-100k/")},
        {"recbole-1.2.1-py3-none-any.whl": zipped(ATOMIC, INSIDE)},
    ],
)
def test_folder_takes_every_form(tmp_path, monkeypatch, files):
    write(tmp_path / "ml-100k", files)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    assert prepare(config(FOLDER, WHEEL, URL), tmp_path / "cache").log.sha256() == CANONICAL


def test_wheel_is_read_and_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", fake_pip(zipped(ATOMIC, INSIDE)))
    assert prepare(config(FOLDER, WHEEL, URL), tmp_path).log.sha256() == CANONICAL
    assert "recbole" not in sys.modules


def test_url_is_the_last_resort(tmp_path):
    archive = zipped(PUBLISHED, "ml-100k/")
    url = url_of(tmp_path, archive, f"md5:{hashlib.md5(archive).hexdigest()}")
    assert prepare(config(FOLDER, WHEEL, url), tmp_path / "cache").log.sha256() == CANONICAL


def test_no_source_at_all_says_what_was_tried_and_what_to_do(tmp_path):
    assert failure(config(FOLDER, WHEEL, URL), tmp_path) == (
        "dataset ml-100k: folder ml-100k: ZOO_DATA is not set; "
        "wheel recbole==1.2.1: No matching distribution found for recbole; "
        "url file:///nowhere: no download: [Errno 2] No such file or directory: '/nowhere'; "
        "set ZOO_DATA to a folder in which ml-100k/ holds ml-100k.inter, ml-100k.user, ml-100k.item "
        "or u.data, u.user, u.item, or an archive of them"
    )


def test_pip_that_hangs_is_given_up(tmp_path, monkeypatch):
    def hang(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert "wheel recbole==1.2.1: pip took over 3600 s; set" in failure(config(WHEEL), tmp_path)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (zipped(ATOMIC, INSIDE)[:-40], "the archive is not a whole zip file"),
        (zipped(ATOMIC, "elsewhere/"), f"the archive has no member {INSIDE}ml-100k.inter"),
        (zipped(ATOMIC | {"ml-100k.user": b"x"}, INSIDE), "ml-100k.user has sha256 2d711642"),
    ],
)
def test_a_wheel_that_is_wrong_ends_the_search(tmp_path, monkeypatch, archive, message):
    monkeypatch.setattr(subprocess, "run", fake_pip(archive))
    said = failure(config(WHEEL, url_of(tmp_path, zipped(PUBLISHED, "ml-100k/"))), tmp_path / "cache")
    assert f"wheel recbole==1.2.1: {message}" in said
    assert "url" not in said


def test_a_damaged_member_is_noticed(tmp_path):
    archive = bytearray(zipped(PUBLISHED, "ml-100k/"))
    archive[60] ^= 0xFF
    assert "not a whole zip file" in failure(config(url_of(tmp_path, bytes(archive))), tmp_path / "cache")


def test_an_altered_download_is_noticed(tmp_path):
    url = url_of(tmp_path, zipped(PUBLISHED, "ml-100k/"), "md5:" + "0" * 32)
    assert "the archive has md5 " in failure(config(url), tmp_path / "cache")


def test_a_download_cut_off_is_noticed(tmp_path, monkeypatch):
    url = url_of(tmp_path, zipped(PUBLISHED, "ml-100k/"))
    reply = io.BytesIO(b"PK only this")
    reply.headers = {"Content-Length": "500"}
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: reply)
    assert "download cut off after 12 of 500 bytes" in failure(config(url), tmp_path / "cache")


def test_a_download_too_large_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.datasets.archives.MAX_BYTES", 100)
    url = url_of(tmp_path, zipped(PUBLISHED, "ml-100k/"))
    assert "larger than 100 bytes" in failure(config(url), tmp_path / "cache")


def test_an_archive_that_swells_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "ml-100k", {"ml-100k.zip": zipped(PUBLISHED, "ml-100k/")})
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setattr("benchmarks.datasets.archives.MAX_BYTES", 100)
    assert "unpacks to more than 100 bytes" in failure(config(FOLDER, URL), tmp_path / "cache")


def test_a_folder_with_altered_rows_is_not_passed_over(tmp_path, monkeypatch):
    write(tmp_path / "ml-100k", PUBLISHED | {"u.data": PUBLISHED["u.data"][:-16]})
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", fake_pip(zipped(ATOMIC, INSIDE)))
    said = failure(config(FOLDER, WHEEL, URL), tmp_path / "cache")
    assert "folder ml-100k: " in said
    assert "wheel" not in said


def test_a_folder_without_the_files_is_passed_over(tmp_path, monkeypatch):
    write(tmp_path / "ml-100k", {"u.data": b""})
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", fake_pip(zipped(ATOMIC, INSIDE)))
    assert prepare(config(FOLDER, WHEEL), tmp_path / "cache").log.sha256() == CANONICAL


def test_unknown_format_is_told(tmp_path):
    url = SourceConfig("url", url_of(tmp_path, b"").at, "movielens_100", files={"u.data": ""})
    (tmp_path / "remote.zip").write_bytes(zipped(PUBLISHED, ""))
    assert "reader 'movielens_100' is not known (did you mean 'movielens_100k'?)" in failure(
        config(url), tmp_path / "c"
    )


def test_a_url_may_be_a_tar_or_a_folder(tmp_path):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as members:
        for name, data in PUBLISHED.items():
            info = tarfile.TarInfo(f"ml-100k/{name}")
            info.size = len(data)
            members.addfile(info, io.BytesIO(data))
    (tmp_path / "remote.tar.gz").write_bytes(target.getvalue())
    tar = SourceConfig("url", (tmp_path / "remote.tar.gz").as_uri(), "movielens_100k", "ml-100k/")
    tar = replace(tar, files=dict.fromkeys(PUBLISHED, ""))
    assert prepare(config(tar), tmp_path / "a").log.sha256() == CANONICAL
    write(tmp_path / "loose", PUBLISHED)
    loose = replace(tar, at=(tmp_path / "loose").as_uri() + "/", inside="")
    assert prepare(config(loose), tmp_path / "b").log.sha256() == CANONICAL
    (tmp_path / "remote.tar.gz").write_bytes(target.getvalue()[:-30])
    assert "the archive is not a whole tar file" in failure(config(tar), tmp_path / "c")
