"""Who may publish, subscribe to and receive what. The user name of a device is its device_id.

A device has its own topics and no others; the service's account reads everything and answers.
"""

from __future__ import annotations

import re

SERVICE = "telehealth"

#: Below telehealth/v1/{device_id}/; + is one level.
DEVICE_WRITES = ("readings", "readings/+", "backlog", "backlog/+", "status")
DEVICE_READS = ("receipts", "commands")
#: Where `telehealth check` talks to itself.
CHECK = "telehealth/check"

_ROOT = "telehealth/v1"
_DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOPIC = re.compile(r"telehealth/v1/([A-Za-z0-9_-]{1,64})/(.+)", re.DOTALL)
_WRITES = re.compile(r"(readings|backlog)(/[^/+#]{1,64})?|status")


def is_device_id(name: str) -> bool:
    """Whether a name can be a device's, and so a user name at all."""
    return _DEVICE_ID.fullmatch(name) is not None


def may_publish(user: str, topic: str) -> bool:
    """Whether what this user publishes on this topic is passed on."""
    if user == SERVICE and topic.startswith(f"{CHECK}/"):
        return True
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return False
    device_id, rest = match.groups()
    if user == SERVICE:
        return rest in DEVICE_READS
    return device_id == user and _WRITES.fullmatch(rest) is not None


def may_subscribe(user: str, topic_filter: str) -> bool:
    """Whether this user may have a subscription with this filter."""
    if not topic_filter or "\0" in topic_filter:
        return False
    if user == SERVICE:
        return topic_filter == f"{_ROOT}/#" or topic_filter.startswith((f"{_ROOT}/", f"{CHECK}/"))
    # The wildcards bring a device what it said itself, and nobody else's.
    return topic_filter in {f"{_ROOT}/{user}/{last}" for last in (*DEVICE_READS, "#", "+")}


def may_receive(user: str, topic: str) -> bool:
    """Whether a message on this topic may go out to this user: the last check, whatever was subscribed."""
    return user == SERVICE or topic.startswith(f"{_ROOT}/{user}/")


def retained(topic: str) -> bool:
    """Whether the newest message of a topic is kept for those who subscribe later: status only."""
    return topic.endswith("/status")


def matches(topic_filter: str, topic: str) -> bool:
    """MQTT's matching of a topic (not one beginning with $) with a filter."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return index == len(wanted) - 1
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)
