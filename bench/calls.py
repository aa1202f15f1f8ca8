"""Latencies, one call at a time: jobs, lists of units, properties of a unit."""

from __future__ import annotations

from bench import setup
from bench.client import Target, body_size, open_bus
from bench.result import Row, difference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.client import Client
    from bench.setup import Setup

    # Measures as often as told.
    Measure = Callable[[int], None]
    # Makes one call and returns its seconds.
    Ask = Callable[[], float]

# How often in a row before it is the other one's turn.
FEW = 10

_UNIT = setup.SYSTEMD_NAME + ".Unit"
_UNIT_OBJECT = Target(
    setup.SYSTEMD_PATH + "/unit/bench_2dtrivial_2eservice",
    "org.freedesktop.DBus.Properties",
    setup.SYSTEMD_NAME,
)


def jobs(fleet: Setup, quick: bool) -> Iterator[Row]:
    """StartUnit and StopUnit of a trivial service until JobRemoved."""
    floor: dict[str, list[float]] = {"StartUnit": [], "StopUnit": []}
    ours: dict[str, list[float]] = {"StartUnit": [], "StopUnit": []}

    def on_systemd(count: int) -> None:
        with fleet.private() as client:
            _start_and_stop(client, setup.SYSTEMD_ITSELF, floor, count)

    with fleet.public() as public:
        public.match(setup.JOB_REMOVED)
        target = setup.node_object(fleet.two)
        _alternate(
            on_systemd,
            lambda count: _start_and_stop(public, target, ours, count),
            50 if quick else 400,
        )
    for member, bar in (("StartUnit", 1.0), ("StopUnit", 0.8)):
        yield difference(member, floor[member], ours[member], bar)


def lists(fleet: Setup, quick: bool) -> Iterator[Row]:
    """ListUnits of all nodes beside ListUnits of one, on that node's bus."""
    count = 50 if quick else 200
    with fleet.public() as public, open_bus(setup.bus_path(fleet.two)) as direct:
        answer = public.ask(public.prepare(setup.MANAGER, "ListUnits"))
        figure = f"ListUnits, {len(fleet.nodes)} nodes, {body_size(answer) / 1000:.0f} kB"
        ask = _asker(public, setup.MANAGER, "ListUnits")
        floor, ours = _compare(_asker(direct, setup.SYSTEMD, "ListUnits"), ask, count)
        yield difference(figure, floor, ours, 3.5)

        public.match(setup.JOB_REMOVED)
        changed = []
        for turn in range(count // 4):
            for node in fleet.nodes:
                _one_job(public, setup.node_object(node), "StopUnit" if turn % 2 else "StartUnit")
            changed.append(ask())
        yield difference("  the same, all lists changed", floor, changed, None)


def properties(fleet: Setup, quick: bool) -> Iterator[Row]:
    """GetUnitProperties and GetUnitProperty of a running service; the floor on its node's bus."""
    count = 100 if quick else 400
    unit = setup.TRIVIAL
    node = setup.node_object(fleet.two)
    fleet.two.systemctl("start", unit)
    with fleet.public() as public, open_bus(setup.bus_path(fleet.two)) as direct:
        all_of_them = _compare(
            _asker(direct, _UNIT_OBJECT, "GetAll", _UNIT),
            _asker(public, node, "GetUnitProperties", unit, _UNIT),
            count,
        )
        one = _compare(
            _asker(direct, _UNIT_OBJECT, "Get", _UNIT, "ActiveState"),
            _asker(public, node, "GetUnitProperty", unit, _UNIT, "ActiveState"),
            count,
        )
    fleet.two.systemctl("stop", unit)
    yield difference("GetUnitProperties", *all_of_them, 0.6)
    yield difference("GetUnitProperty", *one, 0.45)


def _start_and_stop(
    client: Client, target: Target, samples: dict[str, list[float]], count: int
) -> None:
    for turn in range(count + 1):
        for member, times in samples.items():
            seconds = _one_job(client, target, member)
            # The first of a turn finds cold caches: the other one has been at work.
            if turn:
                times.append(seconds)


def _one_job(client: Client, target: Target, member: str) -> float:
    call = client.prepare(target, member, "ss", setup.TRIVIAL, "replace")
    return client.time_jobs([call], setup.TRIVIAL.encode())


def _asker(client: Client, target: Target, member: str, *words: str) -> Ask:
    def ask() -> float:
        return client.time_call(client.prepare(target, member, "s" * len(words), *words))

    return ask


def _compare(floor: Ask, ours: Ask, count: int) -> tuple[list[float], list[float]]:
    """Return `count` times of each, alternating."""
    samples: tuple[list[float], list[float]] = ([], [])

    def measure(ask: Ask, times: list[float], few: int) -> None:
        ask()
        times += [ask() for _ in range(few)]

    _alternate(
        lambda few: measure(floor, samples[0], few),
        lambda few: measure(ours, samples[1], few),
        count,
    )
    return samples


def _alternate(floor: Measure, ours: Measure, count: int) -> None:
    """Let each measure `count` times, a few in a row; who goes first changes as well."""
    for turn in range(count // FEW):
        for measure in (floor, ours) if turn % 2 else (ours, floor):
            measure(FEW)
