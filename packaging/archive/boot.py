"""Start hirte. Both ways into the one file meet here: its first line, and __main__."""

import sys


def run() -> None:
    """Import hirte from the archive and run it; whoever calls has put the file first on sys.path.

    The archive's root makes room for the directory that holds all we ship. It stays before all
    others, so that nothing installed elsewhere takes the place of ours.
    """
    sys.path[0] += "/site-packages"
    from hirte.main import run

    run()
