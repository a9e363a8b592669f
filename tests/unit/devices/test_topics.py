from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import topics

TOPICS = st.builds(
    topics.Topic, st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.sampled_from(topics.CHANNELS)
) | st.builds(
    topics.Topic,
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    st.sampled_from(topics.LANES),
    st.sampled_from(["gatt", "fhir", "omh"]),
)


@given(TOPICS)
def test_topics_are_read_as_they_are_written(topic: topics.Topic) -> None:
    assert topics.parse(str(topic)) == topic
    assert topics.valid_device_id(topic.device_id)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "telehealth/v1",
        "telehealth/v1/d1",
        "telehealth/v1//readings",
        "telehealth/v2/d1/readings",
        "telehealth/v1/d1/other",
        "telehealth/v1/d1/status/gatt",
        "telehealth/v1/d1/readings/",
        "telehealth/v1/d1/readings/gatt/x",
        "telehealth/v1/d 1/readings",
        "telehealth/v1/d1/readings\n",
        "/telehealth/v1/d1/readings",
        "telehealth/v1/+/readings",
        "telehealth/v1/" + "d" * 65 + "/readings",
        "telehealth/v1/dé/readings",
        "x/telehealth/v1/d1/readings",
    ],
)
def test_other_topics_are_none_of_ours(topic: str) -> None:
    assert topics.parse(topic) is None


def test_filters_cover_the_formats_of_the_lanes() -> None:
    assert topics.filters("readings") == ("telehealth/v1/+/readings", "telehealth/v1/+/readings/+")
    assert topics.filters("status") == ("telehealth/v1/+/status",)


@pytest.mark.parametrize("device_id", ["", "d/1", "d+", "d#", "d 1", "d\n", "d" * 65])
def test_device_ids_that_are_none(device_id: str) -> None:
    assert not topics.valid_device_id(device_id)
