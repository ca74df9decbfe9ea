"""The trial of a release before it gets traffic."""
