"""Fuzz targets for every decoder that sees bytes from outside.

Each target is a function of one example and fails by an assertion or by an exception that its decoder does not
document. `make test` runs a few dozen examples of each, always the same; `make fuzz MINUTES=5` as many as the time
allows, always others: `python -m tests.fuzz --minutes 5`.
"""
