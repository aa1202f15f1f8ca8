"""Compile sources for the interpreter that runs this: bytecode.py DIRECTORY < names.

Each name is a source's path within the directory; the byte code goes beside it, as zipimport looks
for it. The file name in the code objects is the one within the archive, so that the byte code is
the same wherever it was built, and neither tracebacks nor logs tell where that was.
"""

import os
import py_compile
import sys

OLDEST_PYTHON = (3, 9)

# Docstrings cost every daemon about 130 kB of memory and are read by nobody there. `assert` goes
# with them, which our code does not use; that of others stays as it was written.
OURS = "site-packages/hirte/"
AS_WRITTEN, WITHOUT_DOCSTRINGS = 0, 2


def main(directory: str) -> None:
    """Compile what the standard input names; exit with a message if this Python is too old."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Python >= {'.'.join(map(str, OLDEST_PYTHON))} is needed, this is {sys.version}")
    for name in sys.stdin.read().splitlines():
        source = os.path.join(directory, name)
        py_compile.compile(
            source,
            source + "c",
            name.replace("site-packages/", "", 1),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            optimize=WITHOUT_DOCSTRINGS if name.startswith(OURS) else AS_WRITTEN,
        )


if __name__ == "__main__":
    main(sys.argv[1])
