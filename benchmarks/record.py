"""The record of a run: what was measured, on what, with what, and how to make it again.

A run leaves `record.json` and, beside it, `users.npz` with the values per request, so that significance can
be computed later, and by somebody else. The arithmetic of `benchmarks.intervals` is offered here as well.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import REPLICATES, Arrays
from benchmarks.intervals import Interval as Interval
from benchmarks.intervals import bootstrap_weights as bootstrap_weights
from benchmarks.intervals import combine_seeds as combine_seeds
from benchmarks.intervals import paired_difference as paired_difference
from benchmarks.intervals import pooled_interval as pooled_interval
from benchmarks.intervals import replicates as replicates
from benchmarks.intervals import user_interval as user_interval

SCHEMA_VERSION = 1
STAGES = ("recall", "prerank", "rank", "rerank", "funnel")


class RecordError(Exception):
    """A record that cannot be trusted: one line naming file, key, what was found and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run, as in `record.json`; the order of `metrics` is kept, so stages stay in funnel order."""

    schema_version: int = SCHEMA_VERSION
    record_id: str
    status: str
    error: str | None = None
    entry: str
    model: str
    stage: str
    dataset: str
    dataset_fingerprint: str
    protocol: str
    seed: int
    config: dict[str, Any]
    command: str
    code_version: str
    machine: dict[str, str | float]
    libraries: dict[str, str]
    population: dict[str, float]
    metrics: dict[str, Interval]
    created: str
    arrays_sha256: str | None = None


_LINE = (r"[^\x00-\x1f\x7f]+", "one line of text")
_TEXT = {
    "record_id": (r"[0-9a-f]{16}", "16 hex characters"),
    "status": ("ok|failed", "'ok' or 'failed'"),
    "stage": ("|".join(STAGES), ", ".join(STAGES)),
    "dataset": (r"\w[\w.-]*", "a plain name of letters, digits, '.', '_' and '-'"),
    "dataset_fingerprint": (r"[0-9a-f]+", "hex"),
    "protocol": (r"[^@/\s]+@[^@/\s]+/[^@/\s]+", "name@version/window"),
    "created": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "UTC such as 2026-11-24T05:00:00Z"),
    **dict.fromkeys(("entry", "model", "command", "code_version"), _LINE),
}
_INSIDE = {
    "machine": ("cpu", "cores", "threads", "memory_gib", "device", "platform", "python"),
    "population": ("requests", "requests_with_target", "new_users"),
}


def near(name: object, valid: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the valid name nearest to `name`, or an empty string."""
    match = difflib.get_close_matches(str(name), list(valid), n=1, cutoff=0.5)
    return f" (did you mean {match[0]!r}?)" if match else ""


def _refuse(where: Path, key: str, found: object, expected: str) -> NoReturn:
    raise RecordError(f"{where}: {key}: found {repr(found)[:80]}, expected {expected}")


def _check_keys(data: Any, required: Sequence[str], where: Path, key: str, only: bool = False) -> None:
    if not isinstance(data, dict):
        _refuse(where, key, data, "an object")
    for name in sorted(set(data) - set(required)) if only else ():
        _refuse(where, key, name, f"only the keys of schema {SCHEMA_VERSION}{near(name, required)}")
    for name in required:
        if name not in data:
            _refuse(where, key, f"no {name}", f"a key {name!r}{near(name, data)}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_metric(data: dict[str, Any], where: Path, key: str) -> None:
    mean, lo, hi = (data[name] for name in ("mean", "lo", "hi"))
    if not _is_number(mean):
        _refuse(where, f"{key}.mean", mean, "a finite number")
    if (lo, hi) != (None, None) and not (_is_number(lo) and _is_number(hi) and lo <= mean <= hi):
        bounds = {"lo": lo, "mean": mean, "hi": hi}
        _refuse(where, key, bounds, "finite lo <= mean <= hi, or null for lo and hi")


def _check_objects(data: dict[str, Any], where: Path, ok: bool) -> None:
    for name in ("config", "machine", "libraries", "population", "metrics"):
        _check_keys(data[name], _INSIDE.get(name, ()) if ok else (), where, name)
    for name, value in data["population"].items():
        if not _is_number(value):
            _refuse(where, f"population.{name}", value, "a finite number")
    for name, value in data["metrics"].items():
        _check_keys(value, ("mean", "lo", "hi"), where, f"metrics['{name}']", only=True)
        if ok:  # a run may well have failed because of a NaN
            _check_metric(value, where, f"metrics['{name}']")


def _parse(data: Any, where: Path) -> Record:
    if isinstance(data, dict) and data.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        _refuse(where, "schema_version", data["schema_version"], str(SCHEMA_VERSION))
    _check_keys(data, [field.name for field in fields(Record)], where, "record", only=True)
    for key, (pattern, expected) in _TEXT.items():
        if not isinstance(data[key], str) or not re.fullmatch(pattern, data[key]):
            _refuse(where, key, data[key], expected + near(data[key], pattern.split("|")))
    ok, error = data["status"] == "ok", data["error"]
    if error is not None if ok else not (isinstance(error, str) and re.fullmatch(_LINE[0], error)):
        _refuse(where, "error", error, "null, for status is ok" if ok else _LINE[1])
    if type(data["seed"]) is not int:
        _refuse(where, "seed", data["seed"], "an integer")
    _check_objects(data, where, ok)
    return Record(**{**data, "metrics": {key: Interval(**value) for key, value in data["metrics"].items()}})


def _check_arrays(arrays: Arrays, where: Path) -> dict[str, NDArray[np.float32]]:
    requests = next((len(value) for key, value in arrays.items() if key.startswith("user/")), 0)
    for key, value in arrays.items():
        kind, size = ("user", requests) if key.startswith("user/") else ("boot", REPLICATES)
        if not key.startswith(f"{kind}/"):
            _refuse(where, "arrays", key, "a name user/<metric> or boot/<metric>")
        if value.shape != (size,) or not size:
            _refuse(where, key, value.shape, f"the shape of every {kind}/ array, ({size},)")
        if value.dtype.kind != "f" or np.isinf(value).any():
            _refuse(where, key, "inf" if value.dtype.kind == "f" else value.dtype, "floats, finite or NaN")
    return {key: arrays[key].astype(np.float32) for key in sorted(arrays)}


def locate(folder_or_json: Path | str) -> tuple[Path, Path]:
    """The paths of a record and of its arrays, for a run folder or a published `<record_id>.json`."""
    path = Path(folder_or_json)
    path = path / "record.json" if path.is_dir() else path
    return path, path.with_name("users.npz") if path.name == "record.json" else path.with_suffix(".npz")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: found {error.strerror}, expected a readable file") from None


def write_atomically(path: Path, data: bytes) -> None:
    """Write so that `path` at no time holds a part of `data`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def write_record(record: Record, arrays: Arrays, folder: Path | str) -> Record:
    """Write `folder`/users.npz, then `folder`/record.json; returns the record with the hash of its arrays.

    Args:
        record: What was measured.
        arrays: `user/<metric>` `(U,)`, NaN where undefined, and `boot/<metric>` `(R,)`.
        folder: The folder of the run; an older record there goes first, so that a record is never half new.

    Raises:
        RecordError: If the record could not be read back, for instance when a metric is NaN.
    """
    path, arrays_path = Path(folder) / "record.json", Path(folder) / "users.npz"
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **_check_arrays(arrays, arrays_path))  # type: ignore[arg-type]
    record = replace(record, arrays_sha256=hashlib.sha256(buffer.getvalue()).hexdigest() if arrays else None)
    _parse(asdict(record), path)
    try:
        text = json.dumps(asdict(record), indent=1, allow_nan=record.status == "failed").encode()
    except (TypeError, ValueError) as error:
        raise RecordError(f"{path}: config: found {error}, expected plain JSON") from None
    path.unlink(missing_ok=True)
    arrays_path.unlink(missing_ok=True)
    if arrays:
        write_atomically(arrays_path, buffer.getvalue())
    write_atomically(path, text)
    return record


def read_record(folder_or_json: Path | str) -> Record:
    """The record in a run folder, or in a published `<record_id>.json` with its arrays beside it.

    Raises:
        RecordError: If it is missing, torn, not of this schema, or its arrays were changed.
    """
    path, arrays_path = locate(folder_or_json)
    try:
        data = json.loads(_read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: found no JSON ({error}), expected a whole record") from None
    record = _parse(data, path)
    if path.name != "record.json" and path.stem != record.record_id:
        _refuse(path, "record_id", record.record_id, f"{path.stem}, the name of the file")
    if record.arrays_sha256 is not None:
        digest = hashlib.sha256(_read_bytes(arrays_path)).hexdigest()
        if digest != record.arrays_sha256:
            _refuse(arrays_path, "arrays_sha256", digest, f"{record.arrays_sha256}, as in {path.name}")
    return record


def read_arrays(folder_or_json: Path | str) -> dict[str, NDArray[np.float32]]:
    """The arrays beside a record: `user/<metric>` `(U,)` and `boot/<metric>` `(R,)`; empty if it has none.

    Raises:
        RecordError: If the file is torn or does not hold such arrays.
    """
    path = locate(folder_or_json)[1]
    if not path.exists():
        return {}
    try:
        with np.load(io.BytesIO(_read_bytes(path)), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(f"{path}: found no arrays ({error}), expected an npz file") from None
    return _check_arrays(arrays, path)
