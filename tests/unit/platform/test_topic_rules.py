"""Topic rules: a device's topics are its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telehealth.brokers import mosquitto, rules

names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
levels = st.sampled_from(
    ["telehealth", "v1", "ox-1", "ox-2", "readings", "status", "receipts", "gatt", "+", "#", "", "$SYS"]
)
paths = st.lists(levels, min_size=1, max_size=6).map("/".join)


@given(names, names)
def test_never_another_devices(one: str, two: str) -> None:
    for last in ("readings", "readings/gatt", "backlog", "status", "receipts", "commands"):
        topic = f"telehealth/v1/{two}/{last}"
        assert rules.may_publish(one, topic) == (one == two and last not in rules.DEVICE_READS) or one == rules.SERVICE
        assert rules.may_receive(one, topic) == (one == two) or one == rules.SERVICE


@given(paths, paths)
def test_a_granted_filter_matches_only_what_may_be_received(topic_filter: str, topic: str) -> None:
    """Whatever a device may subscribe to brings it nothing of another device."""
    wild = set(topic) & set("+#")
    if rules.may_subscribe("ox-1", topic_filter) and not wild and rules.matches(topic_filter, topic):
        assert rules.may_receive("ox-1", topic)


def test_the_contract() -> None:
    """The topics of the contract, by name."""
    for last in ("readings", "backlog", "readings/gatt", "backlog/fhir", "status"):
        assert rules.may_publish("ox-1", f"telehealth/v1/ox-1/{last}")
    for last in ("receipts", "commands", "readings/a/b", "status/x", "readings/", "other", "status\n"):
        assert not rules.may_publish("ox-1", f"telehealth/v1/ox-1/{last}")
    for last in ("receipts", "commands"):
        assert rules.may_subscribe("ox-1", f"telehealth/v1/ox-1/{last}")
        assert rules.may_publish(rules.SERVICE, f"telehealth/v1/ox-1/{last}")
    assert not rules.may_publish(rules.SERVICE, "telehealth/v1/ox-1/readings")


def test_mosquitto_is_told_the_same() -> None:
    """Every topic that a device may use here is in the file of topic rules, and no other pattern."""
    patterns = [line for line in mosquitto.topics("telehealth").splitlines() if line.startswith("pattern ")]
    written = [f"pattern write telehealth/v1/%u/{last}" for last in rules.DEVICE_WRITES]
    assert patterns == written + [f"pattern read telehealth/v1/%u/{last}" for last in rules.DEVICE_READS]
