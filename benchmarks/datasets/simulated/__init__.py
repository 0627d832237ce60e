"""A seeded world whose truth is known: people, authors, items, and a policy that shows them."""

from __future__ import annotations

from benchmarks.datasets.simulated.config import VERSION, SimulationConfig
from benchmarks.datasets.simulated.oracle import Oracle, load_oracle
from benchmarks.datasets.simulated.simulate import Simulated, simulate

__all__ = ["VERSION", "Oracle", "Simulated", "SimulationConfig", "load_oracle", "simulate"]
