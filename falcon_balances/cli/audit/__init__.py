"""`falcon audit`: the log replayed, compared, sealed, proved."""
