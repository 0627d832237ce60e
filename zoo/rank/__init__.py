"""Rank models, one a file."""
