"""Deployments to AWS, and what they cost."""
