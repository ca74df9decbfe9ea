"""Adapters to AWS, and the wiring of everything."""
