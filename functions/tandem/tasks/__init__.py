"""Tasks: their states, how they are submitted, run and ended, and what finds those that stopped."""
