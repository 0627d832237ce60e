"""From a log of events to batches: the log, its encoding, splits, negatives and views."""
