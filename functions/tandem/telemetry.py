"""The one logger of a function."""

from aws_lambda_powertools import Logger

logger = Logger()
"""Writes JSON lines; its level and the service's name are read from POWERTOOLS_* variables."""
