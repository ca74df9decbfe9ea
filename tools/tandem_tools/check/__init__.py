"""The checks of `make check` beside the tools that it runs as they are."""
