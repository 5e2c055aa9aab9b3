"""A pytest plugin for runs with a fault: hypothesis finds a failing example, and does not look for a simpler one.

Shrinking can take minutes, and here nobody reads the example. The examples are the same in every run, so that
what is caught today is caught tomorrow.
"""

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", phases=(Phase.explicit, Phase.generate), derandomize=True, database=None, deadline=None
)
settings.load_profile("mutants")
