"""Prerank models, one a file."""
