"""Writes that others keep from being made.

It stands apart from the ports: the API answers it on every route, and must not import those to
start.
"""


class Contended(Exception):
    """Others wrote the same thing again and again at this moment. Nothing was written."""
