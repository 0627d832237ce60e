"""Rerank models, one a file."""
