"""Recall models, one a file."""
