"""The words that everybody shares: schema, types, registry, config."""
