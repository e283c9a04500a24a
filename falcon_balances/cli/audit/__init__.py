"""`falcon audit`: replays, compares, explains, seals and proves the log."""
