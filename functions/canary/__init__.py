"""CanaryFunction: tries a release before it gets traffic."""
