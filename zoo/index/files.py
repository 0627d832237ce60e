"""A saved index: `index.json` says what it is, `vectors.safetensors` holds vectors and ids; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

_FORMAT = 2


def write_index(
    folder: Path, description: dict[str, Any], tensors: dict[str, Tensor], more: Callable[[Path], None]
) -> None:
    """Writes an index to `folder`, with what `more` writes there."""
    folder.mkdir(parents=True, exist_ok=True)
    # The description goes first and comes last, so that a half-written folder never passes for an index.
    (folder / "index.json").unlink(missing_ok=True)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    write(folder / "vectors.safetensors", lambda path: save_file(tensors, path))
    more(folder)
    text = json.dumps({"format": _FORMAT, **description}, indent=2) + "\n"
    write(folder / "index.json", lambda path: path.write_text(text))


def read_index(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Options and tensors of the index `name` in `folder`.

    Raises:
        ValueError: It is of another kind or format.
        OSError, KeyError, TypeError, SafetensorError: It is damaged.
    """
    description = json.loads((folder / "index.json").read_text())
    if (description["format"], description["name"]) != (_FORMAT, name):
        raise ValueError(f"found index.json of {description}")
    return description["options"], load_file(folder / "vectors.safetensors")


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Let `writer` write to a temporary name beside `path`, then move it there in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    writer(temporary)
    os.replace(temporary, path)
