"""The one logger of a function."""

from tandem.startup import without

# Powertools imports botocore to name itself in the User-Agent of AWS calls, and does without
# where there is none: a request that needs no AWS service need not import its SDK.
with without("botocore"):
    from aws_lambda_powertools import Logger

logger = Logger()
"""Writes JSON lines; its level and the service's name are read from POWERTOOLS_* variables."""
