#!/bin/sh
# Makes .venv with $PYTHON if it is not there, after checking for what pip cannot install.
set -eu

stop() {
    echo "error: $1" >&2
    exit 2
}

command -v "$PYTHON" >/dev/null || stop "$PYTHON: no such command; install Python 3.11 or later, or say which: make PYTHON=python3.12 …"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$PYTHON is $("$PYTHON" -V 2>&1), expected Python 3.11 or later; say which: make PYTHON=python3.12 …"
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
    stop "$PYTHON has no venv; install it (Debian, Ubuntu: apt-get install python3-venv)"
command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
    stop "no C++ compiler, which hnswlib needs to install (Debian, Ubuntu: apt-get install g++; macOS: xcode-select --install)"
"$PYTHON" -c 'import pathlib, sysconfig, sys; sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' ||
    stop "no Python.h, which hnswlib needs to install (Debian, Ubuntu: apt-get install python3-dev)"

# A venv that was interrupted half-way has no pip.
.venv/bin/python -m pip --version >/dev/null 2>&1 || {
    echo "Making .venv with $("$PYTHON" -V)"
    "$PYTHON" -m venv --clear .venv
}
