"""The table: what a row consists of, how its figures are made, how they are printed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEAD = ("figure", "floor", "ours", "ours against floor", "bar", "", "n")
_RIGHT = (1, 2, 3, 4, 6)


@dataclass(frozen=True)
class Row:
    """One line of the table. `verdict` is empty where there is no bar."""

    figure: str
    floor: str
    ours: str
    against: str
    bar: str
    verdict: str
    count: int

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line, in the order of HEAD."""
        return (
            self.figure, self.floor, self.ours, self.against, self.bar, self.verdict,
            str(self.count),
        )  # fmt: skip


def p99(samples: Sequence[float]) -> float:
    """Return the value that 99 of 100 samples do not exceed: the nearest rank."""
    return sorted(samples)[-(-99 * len(samples) // 100) - 1]


def difference(
    figure: str, floor: Sequence[float], ours: Sequence[float], bar: float | None
) -> Row:
    """Return a row on latencies in seconds whose medians may differ by `bar` milliseconds."""
    more = (statistics.median(ours) - statistics.median(floor)) * 1000
    return Row(
        figure,
        _median_and_p99(floor),
        _median_and_p99(ours),
        f"{more:+.2f} ms",
        "" if bar is None else f"+{bar:.2f} ms",
        _verdict(more, bar),
        len(ours),
    )


def ratio(
    figure: str, floor: Sequence[float], ours: Sequence[float], bar: float, unit: str = "ms"
) -> Row:
    """Return a row on times in seconds (`ms`) or sizes in MB; medians may have the ratio `bar`."""
    times = statistics.median(ours) / statistics.median(floor)
    text = _median_and_p99 if unit == "ms" else _megabytes
    return Row(
        figure,
        text(floor),
        text(ours),
        f"{times:.2f} x",
        f"{bar:.2f} x",
        _verdict(times, bar),
        len(ours),
    )


def absolute(
    figure: str,
    ours: Sequence[float],
    bar: float | None,
    unit: str,
    floor: Sequence[float] = (),
) -> Row:
    """Return a row on something in `unit` whose bar is no distance from the floor, if any."""
    median = statistics.median(ours)
    least = statistics.median(floor) if floor else None
    return Row(
        figure,
        "-" if least is None else f"{least:.1f} {unit}",
        f"{median:.1f} {unit}",
        "-" if least is None else f"{median - least:+.1f} {unit}",
        "" if bar is None else f"{bar:.0f} {unit}",
        _verdict(median, bar),
        len(ours),
    )


def table(rows: Iterable[Row]) -> str:
    """Return the lines of the table, head first."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(_cells(line, widths)).rstrip() for line in lines)


def _verdict(value: float, bar: float | None) -> str:
    if bar is None:
        return ""
    return "ok" if value <= bar else "MISSED"


def _cells(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        text.rjust(width) if column in _RIGHT else text.ljust(width)
        for column, (text, width) in enumerate(zip(line, widths))
    ]


def _median_and_p99(samples: Sequence[float]) -> str:
    return f"{statistics.median(samples) * 1000:.2f} ({p99(samples) * 1000:.2f}) ms"


def _megabytes(samples: Sequence[float]) -> str:
    return f"{statistics.median(samples):.2f} MB"
