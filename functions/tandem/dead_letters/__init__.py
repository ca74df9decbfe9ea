"""Dead letters: failed tasks and messages that wait for a decision."""
