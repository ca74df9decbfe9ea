"""Projects of one's own: made, upgraded, and what they are made of."""
