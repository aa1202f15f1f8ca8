"""The manager ends, is killed, loses its bus, and starts again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hirte.wire.framing import Framer
from hirte.wire.limits import MESSAGE_BYTES
from tests.sim.conftest import Fleet
from tests.sim.network import End
from tests.sim.scenario import HEARTBEATS, NODES, Storm
from tests.sim.test_jobs import story, words
from tests.sim.test_links import MOMENT, TICK
from tests.sim.world import World

SHUTDOWN = "cancelled due to shutdown"


def test_the_end_of_the_manager_is_told_in_the_order_of_the_contract(fleet: Fleet) -> None:
    fleet.client.start("b", "hangs-0.service")
    fleet.client.start("a", "hangs-1.service")
    fleet.world.run(1.0)
    for name in NODES:
        fleet.world.hosts[name].systemd.mute = True
        fleet.client.node(name, "ListUnits")
    fleet.world.run(1.0)
    fleet.client.expect_end()
    start = len(fleet.client.heard)
    fleet.manager.terminate()
    fleet.world.run(1.0)
    asked_for = {1: "b hangs-0.service", 2: "a hangs-1.service"}
    ids = [heard.values[0] for heard in fleet.client.signals("JobNew")]
    assert story(fleet.client, start) == [
        *[f"JobRemoved {number} {asked_for[number]} {SHUTDOWN}" for number in ids],
        "answer 3 Failed",
        "node/a Status=offline",
        "answer 4 Failed",
        "node/b Status=offline",
        ". Status=down",
        "NameOwnerChanged",
    ]
    assert fleet.client.asked[2].text == "Request cancelled"
    assert fleet.manager.exit_code == 0


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_agents_find_a_new_manager_at_their_next_tick(fleet: Fleet, end: str) -> None:
    fleet.client.start("a", "slow-0.service")
    fleet.world.run(0.1)
    fleet.client.expect_end()
    getattr(fleet.manager, end)()
    fleet.world.run(1.5)
    fleet.world.manager(HEARTBEATS)
    started_at = fleet.world.now()
    start = len(fleet.client.heard)
    fleet.world.until(lambda: fleet.client.changes(".", "Status")[-1] == "up")
    assert fleet.world.now() - started_at < TICK + MOMENT
    fleet.world.run(10.0)
    # The old manager's job has ended meanwhile: the new one must not hear of it.
    told = [heard for heard in fleet.client.heard[start:] if heard.member == "JobRemoved"]
    assert told == []


def test_a_job_of_the_manager_before_does_not_end_one_of_the_next(fleet: Fleet) -> None:
    fleet.client.start("a", "slow-0.service")
    fleet.world.run(0.1)
    fleet.manager.kill()
    fleet.world.run(0.1)
    client = fleet.world.client()
    fleet.world.manager(HEARTBEATS)
    fleet.world.until(lambda: client.changes(".", "Status")[-1:] == ["up"])
    # Both are job 1; the first one's unit is up two seconds after it was asked for.
    job = client.start("a", "hangs-0.service")
    fleet.world.run(10.0)
    assert job.values == ("/org/containers/hirte/job/1",)
    assert client.results() == {}


def test_agents_say_where_they_are(fleet: Fleet) -> None:
    local = fleet.world.client("a")
    local.service = local.dialect.agent_bus_name
    lost = local.property("", "Agent", "DisconnectTimestamp")
    status = local.property("", "Agent", "Status")
    fleet.world.run(0.1)
    assert (lost.values, status.values) == ((("t", 0),), (("s", "online"),))
    fleet.manager.kill()
    fleet.world.run(1.0)
    since = fleet.agents["a"].realtime_us()
    lost = local.property("", "Agent", "DisconnectTimestamp")
    fleet.world.run(0.1)
    assert 900_000 < since - lost.values[0][1] <= 1_000_000
    fleet.world.manager(HEARTBEATS)
    fleet.world.run(5.0)
    lost = local.property("", "Agent", "DisconnectTimestamp")
    fleet.world.run(0.1)
    assert lost.values == (("t", 0),)
    assert local.changes(".", "Status") == ["offline", "online"]


def test_jobs_go_on_while_the_bus_is_away(fleet: Fleet) -> None:
    fleet.client.start("a", "slow-0.service")
    hanging = fleet.client.start("b", "hangs-0.service")
    fleet.world.run(0.1)
    fleet.world.hosts["primary"].restart_bus(3.0)
    fleet.world.run(5.0)
    assert fleet.manager.exit_code is None
    client = fleet.world.client()
    # Nobody could hear how job 1 ended; job 2 is still there.
    gone = client.property("job/1", "Job", "State")
    there = client.property("job/2", "Job", "State")
    client.cancel(hanging.values[0])
    fleet.world.run(1.0)
    assert gone.error == "UnknownObject"
    assert there.values == (("s", "running"),)
    assert client.results() == {2: "canceled"}
    # Neither has heard everything, so neither can tell whether all promises were kept.
    fleet.world.clients.clear()


def test_a_second_manager_does_not_start_beside_the_first(fleet: Fleet) -> None:
    second = fleet.world.manager(HEARTBEATS)
    fleet.world.run(1.0)
    assert second.exit_code == 1
    assert "another process owns it" in second.log.lines[-1]
    assert fleet.status() == "up"
    fleet.client.start("a", "quick-0.service")
    fleet.world.run(1.0)
    assert fleet.client.results() == {1: "done"}


@pytest.mark.parametrize("seed", range(6))
def test_a_manager_that_ends_in_the_middle_of_it_all_answers_everybody(seed: int) -> None:
    storm = Storm(seed, 8.0)
    world = storm.world

    def end() -> None:
        for client in world.clients:
            client.expect_end()
        storm.manager.terminate()

    world.clock.after(5_000_000, "end", end)
    world.run(4.0)
    for number in range(60):
        storm.request()
        storm.ask()
        world.run(0.03 * (number % 3))
    world.run(40.0)
    told_to_end = [heard.what for heard in storm.client.heard].index("end")
    members = [heard.member for heard in storm.client.heard]
    life = storm.client.heard[: members.index("NameOwnerChanged", told_to_end)]
    begun = {heard.values[0] for heard in life if heard.member == "JobNew"}
    ended = {heard.values[0] for heard in life if heard.member == "JobRemoved"}
    assert begun == ended
    assert words(life[-1]) == ". Status=down"
    world.check()


def test_what_a_link_carries_for_one_job(world: World) -> None:
    carried: list[str] = []

    def tap(one: End, other: End) -> None:
        for end in (one, other):
            if end.cables:
                end.tap = tap_of(end.process.name)

    def tap_of(who: str) -> Callable[[bytes], None]:
        framer = Framer(MESSAGE_BYTES)

        def take(data: bytes) -> None:
            if data.startswith((b"\0AUTH", b"DATA")):
                return
            framer.feed(data)
            while (message := framer.take()) is not None:
                carried.append(f"{who} {message.member or message.reply_serial}")

        return take

    world.on_connected = tap
    world.manager(nodes="a")
    client = world.client()
    client.nodes = 1
    world.agent("a", "HeartbeatInterval=0")
    world.run(1.0)
    carried.clear()
    client.start("a", "slow-0.service")
    world.run(5.0)
    assert carried == [
        "primary/manager StartUnit",
        "a/agent 2",
        "a/agent JobStateChanged",
        "a/agent JobDone",
    ]
