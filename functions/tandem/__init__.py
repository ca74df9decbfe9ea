"""The library that the three functions share: task lifecycle, ports, adapters and services."""
