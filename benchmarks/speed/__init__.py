"""Speed, measured by scripts: `python -m benchmarks.speed NAME`."""
