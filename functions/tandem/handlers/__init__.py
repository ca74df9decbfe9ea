"""The functions that Lambda calls."""
