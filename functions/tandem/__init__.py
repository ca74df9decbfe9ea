"""The library that the functions share: task lifecycle, ports, adapters and services."""
