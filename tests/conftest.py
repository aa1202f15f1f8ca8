"""What all tests share: how Hypothesis looks for examples.

A test run must give the same answer every time, so the examples are derived from the test itself
(`derandomize`). Searching with chance is a job of its own: `make fuzz`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadline per example: on a busy machine it would fail tests that have no fault.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.register_profile(
    "fuzz",
    max_examples=5000,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")
