"""A dataset's YAML from a bare log: what the files and their columns seem to be, with the evidence."""
