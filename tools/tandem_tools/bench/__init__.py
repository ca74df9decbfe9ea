"""The measurements that docs/performance.md quotes."""
