"""Tenants: how much each may submit."""
