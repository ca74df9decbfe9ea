"""The ports on AWS. Errors of the SDK are mapped to the ports' here, and nowhere else."""
