"""Files as they lie around to pieces of Arrow: bytes, records, cells, and which of them are bad."""
