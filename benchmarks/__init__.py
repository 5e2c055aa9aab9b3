"""Benchmarks: `make bench`. docs/benchmarks.md says how to run them, how to read them, and how to add a part."""
