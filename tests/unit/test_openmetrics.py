"""The OpenMetrics text: a strict parser takes it, and it tells what happened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from hirte import __version__
from hirte.api.dialect import NATIVE
from hirte.manager.counters import OTHER, REFUSALS, RESULTS
from hirte.manager.latency import AGENT, BUCKETS_US, MANAGER, SYSTEMD, Histogram
from hirte.manager.openmetrics import FAMILIES, OpenMetrics, escape, labels
from tests.unit.managed import MANAGER as MANAGER_INTERFACE
from tests.unit.managed import NODE, World
from tests.unit.talk import E

METRICS = "org.containers.hirte.Metrics"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


class Watched(World):
    """A manager whose OpenMetrics are on."""

    def __init__(self, text="AllowedNodeNames=a,b,c\n"):
        super().__init__(text)
        self.view = OpenMetrics(self.manager, self.presence, self.clock)

    def agent(self, node, **more):
        agent = self.connect(node, **more).open()
        agent.speak(NATIVE)
        serial = agent.register(node)
        agent.expect_call("EnableMetrics")
        agent.expect_return(serial)
        self.forget()
        return agent

    def scrape(self):
        """Sample -> value, the sample as `name` or `name value-of-a-label ...`."""
        families = list(text_string_to_metric_families(self.view.text().decode()))
        samples = [sample for family in families for sample in family.samples]
        values = {" ".join([s.name, *s.labels.values()]): s.value for s in samples}
        assert len(values) == len(samples)
        return values

    def request(self, agent, member="StartUnit", unit="x.service"):
        self.call("/node/a", NODE, member, "ss", unit, "replace")
        call = agent.take()
        assert call.member == member
        return call

    def end(self, agent, call, us, unit="x.service", method="StartUnit"):
        """Let the agent tell its measure and then the end of the job."""
        agent.signal(
            agent.path + "/metrics", agent.interface + ".Metrics",
            "AgentJobMetrics", "sst", unit, method, us,
        )  # fmt: skip
        agent.tell("JobDone", "us", call.values()[2], "done")

    def job(self, agent, us=3000, accepted=0.001, ended=0.004, **measure):
        """A job from its request to its end, in these seconds and microseconds."""
        call = self.request(agent)
        self.clock.advance(accepted)
        agent.reply(call)
        self.clock.advance(ended)
        self.end(agent, call, us, **measure)


@pytest.fixture
def world():
    return Watched()


def test_the_text_keeps_to_the_standard(world):
    text = world.view.text().decode()
    families = list(text_string_to_metric_families(text))
    assert [family.name for family in families] == [name for name, *_ in FAMILIES]
    assert text.endswith("\n# EOF\n")
    for family in families:
        assert family.name.startswith("hirte_")
        assert family.documentation.endswith(".")
        assert family.name.endswith(family.unit)


def test_the_document_tells_of_every_family_and_label_and_of_nothing_else():
    text = DOCUMENT.read_text("utf-8")
    named = re.findall(r"`(hirte_\w+)`", "".join(re.findall(r"(?m)^\| `hirte_.*?\|", text)))
    assert named == [name for name, *_ in FAMILIES]
    assert [word for word in (*RESULTS, OTHER, *REFUSALS) if f"`{word}`" not in text] == []


def test_a_label_says_what_the_name_says(world):
    assert escape('a\\b"c\nd') == 'a\\\\b\\"c\\nd'
    text = "# TYPE x gauge\nx" + labels(node='a\\b"c\nd', type="s") + " 1\n# EOF\n"
    ((sample,),) = [family.samples for family in text_string_to_metric_families(text)]
    assert sample.labels == {"node": 'a\\b"c\nd', "type": "s"}


def test_before_anything_happened(world):
    world.clock.advance(2.5)
    samples = world.scrape()
    assert samples[f"hirte_build_info {__version__}"] == 1
    assert samples["hirte_uptime_seconds"] == 2.5
    assert [samples[f"hirte_node_up {name}"] for name in "abc"] == [0, 0, 0]
    assert not any("last_seen" in sample for sample in samples)
    assert not any("node_queued" in sample for sample in samples)
    assert samples["hirte_jobs_total start done"] == 0
    assert samples["hirte_refusals_total unknown_node"] == 0


def test_a_node_that_is_there(world):
    agent = world.agent("b")
    agent.queued = 77
    world.call("/node/b", NODE, "ListUnits")
    world.clock.advance(1)
    samples = world.scrape()
    assert [samples[f"hirte_node_up {name}"] for name in "abc"] == [0, 1, 0]
    assert samples["hirte_node_registrations_total b"] == 1
    seen = world.clock.realtime_us() / 1e6 - 1
    assert samples["hirte_node_last_seen_timestamp_seconds b"] == seen
    assert samples["hirte_node_queued_bytes b"] == 77
    assert samples["hirte_node_open_calls b"] == 1
    assert samples["hirte_relayed_messages_total to_nodes"] == 1
    assert samples["hirte_relayed_messages_total from_nodes"] == 0
    assert samples["hirte_messages_total agents received"] == 1
    assert samples["hirte_messages_total agents sent"] == 3


def test_a_node_that_is_gone_is_still_told_of(world):
    world.agent("b").leave()
    samples = world.scrape()
    assert samples["hirte_node_up b"] == 0
    assert samples["hirte_node_registrations_total b"] == 1
    assert "hirte_node_last_seen_timestamp_seconds b" in samples
    assert "hirte_node_open_calls b" not in samples


def test_refusals_connections_and_protocol_errors(world):
    world.connect().open().register("stranger")
    world.connect().say(b"?\r\n")
    samples = world.scrape()
    assert samples["hirte_refusals_total unknown_node"] == 1
    assert samples["hirte_unregistered_connections"] == 1
    assert samples["hirte_protocol_errors_total agents"] == 1
    assert "stranger" not in world.view.text().decode()


def test_the_connections_of_the_public(world):
    world.bus.peer.queued = 5
    samples = world.scrape()
    assert samples["hirte_public_queued_bytes bus"] == 5
    assert samples["hirte_public_open_calls bus"] == 0
    assert samples["hirte_public_queued_bytes private"] == 0
    world.bus.peer.leave()
    assert world.scrape()["hirte_public_queued_bytes bus"] == 0


# Jobs and their times


def shares(world):
    return {name: histogram.sum_us for name, histogram in world.view.times.shares.items()}


def test_a_job_is_told_of_while_it_lasts_and_after(world):
    agent = world.agent("a")
    agent.reply(call := world.request(agent))
    assert world.scrape()["hirte_open_jobs"] == 1
    world.end(agent, call, 0)
    samples = world.scrape()
    assert samples["hirte_open_jobs"] == 0
    assert samples["hirte_jobs_total start done"] == 1
    assert samples["hirte_job_duration_seconds_count start"] == 1


def test_the_shares_add_up_to_the_whole(world):
    world.job(world.agent("a"))
    samples = world.scrape()
    assert samples["hirte_job_duration_seconds_sum start"] == 0.005
    assert samples["hirte_job_share_seconds_sum systemd"] == 0.003
    # Time stands still while the manager works.
    assert samples["hirte_job_share_seconds_sum manager"] == 0
    assert samples["hirte_job_share_seconds_sum agent"] == 0.002
    assert samples["hirte_job_duration_seconds_bucket start 0.005"] == 1
    assert samples["hirte_job_duration_seconds_bucket start 0.0025"] == 0
    assert samples["hirte_job_duration_seconds_bucket start +Inf"] == 1


def test_the_managers_share_is_its_work_on_request_answer_and_end(world, monkeypatch):
    agent = world.agent("a")
    now, work = world.clock.monotonic_us, iter(range(0, 10_000, 7))
    # Each look at the clock comes 7 us after the one before; two looks frame a piece of work.
    monkeypatch.setattr(world.clock, "monotonic_us", lambda: now() + next(work))
    world.job(agent)
    assert shares(world)[MANAGER] == 3 * 7
    assert sum(shares(world).values()) == world.view.times.whole["start"].sum_us


@pytest.mark.parametrize("us", [5001, 1 << 63])
def test_an_agent_that_measures_more_than_there_was(world, us):
    world.job(world.agent("a"), us)
    assert shares(world) == {MANAGER: 0, AGENT: 0, SYSTEMD: 5000}


@pytest.mark.parametrize("other", [{"unit": "y.service"}, {"method": "StopUnit"}, {"method": "?"}])
def test_a_measure_of_another_job_is_not_taken(world, other):
    world.job(world.agent("a"), **other)
    assert shares(world) == {MANAGER: 0, AGENT: 0, SYSTEMD: 0}
    assert world.view.times.whole["start"].sum_us == 5000


def test_a_measure_is_good_for_one_job(world):
    agent = world.agent("a")
    world.job(agent)
    agent.reply(call := world.request(agent))
    agent.tell("JobDone", "us", call.values()[2], "done")
    assert sum(world.view.times.shares[SYSTEMD].counts) == 1
    assert sum(world.view.times.whole["start"].counts) == 2


def test_refused_and_lost_jobs_have_no_times(world):
    agent = world.agent("a")
    agent.refuse(world.request(agent), E + "Failed")
    agent.reply(world.request(agent))
    agent.leave()
    samples = world.scrape()
    assert samples["hirte_job_duration_seconds_count start"] == 0
    assert samples["hirte_jobs_total start refused"] == 1
    assert samples["hirte_jobs_total start node_lost"] == 1


def test_bounds_belong_to_their_buckets():
    histogram = Histogram()
    for us in (0, BUCKETS_US[0], BUCKETS_US[0] + 1, BUCKETS_US[-1], BUCKETS_US[-1] + 1):
        histogram.observe(us)
    assert (histogram.counts[:2], histogram.counts[-2:]) == ([2, 1], [1, 1])


# The public's own metrics


def test_the_public_hears_nothing_of_it(world):
    agent = world.agent("a")
    world.job(agent)
    assert [m.member for m in world.bus.peer.heard if m.interface == METRICS] == []
    assert world.get("/metrics", METRICS, "x") == E + "UnknownObject"


def test_the_public_switch_is_for_the_public(world):
    agent = world.agent("a")
    before = world.request(agent)
    agent.reply(before)
    world.clock.advance(1)
    world.call("", MANAGER_INTERFACE, "EnableMetrics")
    agent.expect_nothing()
    world.forget()
    world.end(agent, before, 5)
    # What was requested before the switch is not measured, as without OpenMetrics.
    agent.expect_nothing()
    world.forget()
    world.job(agent)
    members = [message.member for message in world.bus.peer.heard]
    assert members == ["JobNew", "", "AgentJobMetrics", "JobRemoved"]
    for value in (70, 50):
        agent.reply(agent.take(), "v", ("t", value))
    world.bus.peer.heard[:-1] = []
    assert world.bus.peer.take().values()[-1] == 20
    world.call("", MANAGER_INTERFACE, "DisableMetrics")
    agent.expect_nothing()
    world.job(agent)
    assert world.view.times.shares[SYSTEMD].sum_us == 5 + 3000 + 3000


def test_without_openmetrics_nobody_measures():
    world = World()
    agent = world.agent("a")
    agent.expect_nothing()
    world.call("/node/a", NODE, "StartUnit", "ss", "x.service", "replace")
    agent.reply(agent.take())
    (job,) = world.manager.nodes["a"].jobs.values()
    assert (job.requested_us, job.manager_us) == (0, 0)
