"""The worker: a batch of messages, and what becomes of each."""
