#!/usr/bin/env bash
# Builds the wheel, installs it alone into an empty venv, and uses what the development venv has saved.
#   tests/wheel_in_empty_venv.sh .venv/bin/python
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# From a copy, so that nothing a former build left behind comes along.
mkdir "$work/source" "$work/saved"
cp -r pyproject.toml README.md LICENSE zoo benchmarks leaderboard "$work/source/"
"$python" -m build --no-isolation --wheel --outdir "$work/dist" "$work/source" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

PYTHONPATH=. "$python" -c 'import sys, pathlib; from tests import tiny; tiny.save(pathlib.Path(sys.argv[1]))' "$work/saved" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }

"$python" -m venv "$work/venv"
torch="$(sed -n 's/^torch==/torch==/p' constraints.txt)"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --constraint constraints.txt "$torch" "$work"/dist/*.whl

cp tests/wheel_use.py "$work/"
cd "$work"
venv/bin/python -I wheel_use.py saved
