"""Loops that no tensor operation does well, compiled by numba; no other package knows it."""
