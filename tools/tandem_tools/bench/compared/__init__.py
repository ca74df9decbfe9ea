"""Handlers that are measured against each other. They run in the artifact, not here."""
