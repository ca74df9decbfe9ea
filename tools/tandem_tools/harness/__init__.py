"""The deployed application and its functions, driven by tests and by benchmarks."""
