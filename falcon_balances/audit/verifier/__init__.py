"""Checks a transaction log against its signed manifests, offline, and recomputes every balance.

It stands on its own: Python's standard library and `cryptography`, nothing of Falcon Balances.
What it checks is written down in docs/manifests.md, from which it was made; it shares no code with
what writes the log or seals it. It believes nobody but the owner of the public key.
"""
