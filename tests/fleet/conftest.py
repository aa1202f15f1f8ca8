"""Fleets for the tests, and what their nodes had to say when a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import TimeoutExpired

import pytest

from tests.bed import BedError, Fleet
from tests.bed.product import AGENT_UNIT, MANAGER_UNIT, deploy

TRIO = ("node1", "node2", "node3")

# Fleets that exist, and what the nodes of those said that ended in the middle of a fixture.
_alive: list[Fleet] = []
_last_words: list[tuple[str, str]] = []


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """A fleet without nodes, for one test."""
    with open_fleet() as made:
        yield made


@pytest.fixture(scope="module")
def trio() -> Iterator[Fleet]:
    """node1 with the manager, node2 and node3, agents on all three, status `up`: for a module.

    A test leaves it as it found it. One that cuts, kills or reconfigures takes `fleet` and
    `deploy`: that costs a second.
    """
    with open_fleet() as made:
        try:
            deploy(made, *TRIO)
        except Exception:
            _last_words.extend(_journals(made))
            raise
        yield made


@contextmanager
def open_fleet() -> Iterator[Fleet]:
    """A fleet without nodes, whose journals are shown when a test fails."""
    with Fleet() as made:
        _alive.append(made)
        try:
            yield made
        finally:
            _alive.remove(made)


def _journals(made: Fleet) -> Iterator[tuple[str, str]]:
    for node in made.nodes.values():
        try:
            text = node.journal("-u", MANAGER_UNIT, "-u", AGENT_UNIT, "-n", "200")
        except (BedError, TimeoutExpired) as error:
            text = f"not to be had: {error}"
        yield f"journal of {node.name}", text


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Adds to the report of a failure what hirte wrote to the journals of the nodes."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for made in _alive:
            report.sections.extend(_journals(made))
        report.sections.extend(_last_words)
    _last_words.clear()
