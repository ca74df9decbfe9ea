"""The artifact: one step makes it, and `sam build` runs that step."""
