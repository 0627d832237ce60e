"""The harness: one YAML file in, one stamped record a run out."""
