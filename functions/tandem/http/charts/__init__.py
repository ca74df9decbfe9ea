"""Reports as charts."""
