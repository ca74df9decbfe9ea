"""Callbacks: telling a task's owner that it has ended."""
