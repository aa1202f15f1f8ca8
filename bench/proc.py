"""What the kernel tells of a process. `root` is where the /proc that knows the PID is mounted."""

from __future__ import annotations

from bench.client import CallFailed


def cpu_seconds(pid: int, root: str = "") -> float:
    """Return the time that a process of one thread has spent on a processor.

    Raises CallFailed when it is gone.
    """
    return int(_read(f"{root}/proc/{pid}/schedstat").split()[0]) / 1e9


def private_megabytes(pid: int, root: str = "") -> float:
    """Return the USS of a process. Raises CallFailed when it is gone."""
    kilobytes = 0
    for line in _read(f"{root}/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            kilobytes += int(line.split()[1])
    return kilobytes / 1024


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise CallFailed(f"{path}: the process has ended while it was measured") from error
