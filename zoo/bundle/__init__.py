"""A model or funnel with its encoders: raw ids and raw features in, raw ids out."""

from zoo.bundle.build import build_funnel, entries_of
from zoo.bundle.files import load_funnel, load_model, save_funnel, save_model
from zoo.bundle.serve import Bundle, Recommendation

__all__ = [
    "Bundle",
    "Recommendation",
    "build_funnel",
    "entries_of",
    "load_funnel",
    "load_model",
    "save_funnel",
    "save_model",
]
