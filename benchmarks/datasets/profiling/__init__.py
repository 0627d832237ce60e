"""What is in a log, what is odd about it, and how a model sees it."""
