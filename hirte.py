#!/usr/bin/env python3
"""Run hirte from a clone: python3 hirte.py MODE [ARGUMENT...]."""

from hirte.main import run

# The directory of this file is on sys.path, and there the package wins over this module.
if __name__ == "__main__":
    run()
