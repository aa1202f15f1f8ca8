"""Properties as hirte ctl show prints them, which is as systemctl show does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from hirte.ctl.values import property_text

NONE = 2**64 - 1


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "name",
    [
        "MemoryMax", "MemorySwapMax", "MemoryHigh", "MemoryLow", "MemoryMin", "TasksMax",
        "MemoryLimit", "LimitNOFILE", "LimitCPUSoft", "RuntimeMaxUSec", "WatchdogUSec",
        "CPUQuotaPerSecUSec", "NextElapseUSecMonotonic", "MemoryAvailable", "EffectiveTasksMax",
    ],
)  # fmt: skip
def test_no_limit(name: str) -> None:
    assert property_text(name, NONE) == "infinity"
    assert property_text(name, NONE - 1) == str(NONE - 1)


@pytest.mark.parametrize(
    "name", ["CPUWeight", "MemoryCurrent", "TasksCurrent", "CPUUsageNSec", "IOReadBytes"]
)
def test_no_number(name: str) -> None:
    assert property_text(name, NONE) == "[not set]"
    assert property_text(name, 0) == "0"


def test_no_data() -> None:
    assert property_text("IPEgressPackets", NONE) == "[no data]"


def test_all_bits_are_no_missing_number() -> None:
    assert property_text("CapabilityBoundingSet", NONE) == str(NONE)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("ActiveEnterTimestamp", 1_795_516_960_999_999, "Tue 2026-11-24 10:42:40 UTC"),
        ("ActiveEnterTimestamp", 0, ""),
        ("ActiveEnterTimestamp", NONE, ""),
        ("ActiveEnterTimestampMonotonic", 1234, "1234"),
        ("MainPID", 7, "7"),
        ("CanStart", True, "yes"),
        ("InvocationID", b"\x01\xff", "01ff"),
        ("ExecStart", [("/bin/x", False)], "(/bin/x, no)"),
        ("Markers", {"a": 1}, "a=1"),
    ],
)
def test_times_and_all_else(in_utc: None, name: str, value: Any, shown: str) -> None:
    assert property_text(name, value) == shown
