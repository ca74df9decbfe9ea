"""The settings of processors: `.env` on this machine, a secret for each stack."""
