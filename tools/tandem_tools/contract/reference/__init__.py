"""The API reference: a scenario that is played on a running stack, and the page that shows it."""
