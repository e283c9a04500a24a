"""What auditors do with the log: replay, compare, export, explain, seal and prove."""
