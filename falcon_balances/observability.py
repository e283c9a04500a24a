"""Logs and metrics of every function: ids and codes, never payloads."""

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()
