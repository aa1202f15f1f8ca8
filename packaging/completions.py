"""Write the completion scripts of the shells, as `hirte ctl completion SHELL` prints them.

    packaging/completions.py DIRECTORY      writes DIRECTORY/hirte.bash, _hirte and hirte.fish
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hirte.ctl.scripts import SCRIPTS  # noqa: E402 - found in the clone that this file is in


def main(argv: list[str]) -> int:
    """Write the scripts; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the completion scripts.")
    parser.add_argument("directory", type=Path)
    top = parser.parse_args(argv).directory
    top.mkdir(parents=True, exist_ok=True)
    for text, name in SCRIPTS.values():
        (top / name).write_text(text, "ascii")
    print(f"wrote completion for {', '.join(SCRIPTS)} to {top}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
