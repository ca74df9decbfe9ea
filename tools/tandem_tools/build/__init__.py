"""What is deployed: made by one step, which `sam build` runs and so everything else does."""
