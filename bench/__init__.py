"""`make bench`: what hirte costs, beside what the same costs without it, measured in one run.

    python -m bench [--quick] [ROW...]

`setup.py` boots the fleet that is measured, `client.py` is the caller, `launcher.py` starts
programs inside a node and times them, `result.py` is the table. The other modules are the rows:
each measures a floor and hirte, alternating, and tells both. docs/benchmarks.md has the method.

It prints, it asserts nothing: a bar that is missed is a line that says so.
"""
