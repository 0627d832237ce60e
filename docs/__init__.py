"""Guides, and the scripts that write the generated pages."""
