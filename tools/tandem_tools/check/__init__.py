"""What `make check` asks beside the tools that it runs as they are."""
