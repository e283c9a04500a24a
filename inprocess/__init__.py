"""The whole path in one process: the real functions on the in-memory fakes, or on AWS's adapters.

The API's examples, the bench and the tests use this package. No deployed code imports it.
"""
