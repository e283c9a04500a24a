"""HTTP routes that the merchants' and the systems' API share; packed with both functions."""
