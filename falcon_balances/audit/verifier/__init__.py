"""Checks a transaction log against its signed manifests, offline, and recalculates every balance.

It needs only Python's standard library and `cryptography`, and imports nothing of Falcon Balances.
It was written from docs/manifests.md, and shares no code with the programs that write or seal the
log. It trusts only the owner of the public key.
"""
