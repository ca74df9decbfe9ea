"""The work itself: drop a module with a processor in here, and it is served."""
