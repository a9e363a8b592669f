from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import careful, catalogue, message, native, units
from devices.errors import MEANINGS
from tests.unit.devices.payloads import MISSING, decode, envelope, errors, reading

DESIGN = b"""{"stream": "k3Jx9", "seq": 1042, "oldest": 1040, "sent_at": "2026-11-21T10:00:03.120Z",
 "readings": [
   {"code": "spo2", "value": 96, "unit": "%", "taken_at": "2026-11-21T10:00:01Z", "source_id": "a1"},
   {"code": "systolic", "value": 138, "unit": "mm[Hg]", "taken_at": "2026-11-21T10:00:02Z", "set": "b7",
    "context": {"posture": "sitting"}},
   {"code": "diastolic", "value": 84, "unit": "mm[Hg]", "taken_at": "2026-11-21T10:00:02Z", "set": "b7",
    "flags": ["motion"]},
   {"code": "consciousness", "value": "A", "taken_at": "2026-11-21T10:00:05Z", "set": "b7"},
   {"code": "pulse", "value": null, "absent": "error", "unit": "/min", "taken_at": "2026-11-21T10:00:06Z"}]}"""


def test_a_whole_message() -> None:
    got = decode(DESIGN)
    assert (got.stream, got.seq, got.oldest, got.id, got.refusals) == ("k3Jx9", 1042, 1040, None, ())
    assert got.sent_at == datetime(2026, 11, 21, 10, 0, 3, 120_000, tzinfo=UTC)
    assert got.size == len(DESIGN)
    spo2, systolic, diastolic, consciousness, pulse = got.readings
    assert (spo2.code, spo2.value, spo2.unit, spo2.source_id) == ("spo2", 96.0, "%", "a1")
    assert spo2.taken_at == datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC)
    assert (systolic.set, systolic.context) == ("b7", {"posture": "sitting"})
    assert diastolic.flags == ("motion",)
    assert (consciousness.value, consciousness.value_code, consciousness.unit) == (None, "A", None)
    assert (pulse.value, pulse.absent, pulse.unit) == (None, "error", "/min")


def test_one_bad_reading_does_not_lose_the_others() -> None:
    got = decode(envelope(reading(), reading(unit="furlong"), reading(code="pulse", unit="/min")))
    assert [one.index for one in got.readings] == [0, 2]
    assert errors(got) == [("unit_unknown", "unit", 1)]
    assert (got.stream, got.seq) == ("k3Jx9", 7)


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"code": MISSING}, "code_missing", "code"),
        ({"code": 3}, "code_missing", "code"),
        ({"code": "spo3"}, "code_unknown", "code"),
        ({"taken_at": MISSING}, "taken_at_missing", "taken_at"),
        ({"taken_at": None}, "taken_at_missing", "taken_at"),
        ({"taken_at": "2026-11-21"}, "taken_at_invalid", "taken_at"),
        ({"taken_at": "2026-11-21  10:00:01Z"}, "taken_at_invalid", "taken_at"),
        ({"taken_at": "2026-11-31T10:00:01Z"}, "taken_at_invalid", "taken_at"),
        ({"taken_at": 1795255201}, "taken_at_invalid", "taken_at"),
        ({"taken_at": "2026-11-21T10:00:01"}, "taken_at_no_offset", "taken_at"),
        ({"taken_at": "1899-12-31T23:59:59Z"}, "taken_at_out_of_range", "taken_at"),
        ({"taken_at": "2201-01-01T00:00:00Z"}, "taken_at_out_of_range", "taken_at"),
        ({"taken_at": "0001-01-01T00:00:00+10:00"}, "taken_at_out_of_range", "taken_at"),
        ({"taken_at": "9999-12-31T23:59:59-10:00"}, "taken_at_out_of_range", "taken_at"),
        ({"value": MISSING}, "value_missing", "value"),
        ({"value": None}, "value_missing", "value"),
        ({"value": "98"}, "value_not_number", "value"),
        ({"value": True}, "value_not_number", "value"),
        ({"value": [96]}, "value_not_number", "value"),
        ({"value": {"value": 96}}, "value_not_number", "value"),
        ({"value": float("nan")}, "value_not_finite", "value"),
        ({"value": float("-inf")}, "value_not_finite", "value"),
        ({"value": 0.96}, "value_impossible", "value"),
        ({"value": 101}, "value_impossible", "value"),
        ({"value": -0.0}, "value_impossible", "value"),
        ({"unit": MISSING}, "unit_missing", "unit"),
        ({"unit": None}, "unit_missing", "unit"),
        ({"unit": ""}, "unit_unknown", "unit"),
        ({"unit": 1}, "unit_unknown", "unit"),
        ({"unit": "furlong"}, "unit_unknown", "unit"),
        ({"code": "fall", "value": 1, "unit": MISSING}, "value_not_boolean", "value"),
        ({"code": "fall", "value": "true", "unit": MISSING}, "value_not_boolean", "value"),
        ({"code": "fall", "value": True}, "unit_unknown", "unit"),
        ({"code": "consciousness", "value": "a", "unit": MISSING}, "value_not_code", "value"),
        ({"code": "consciousness", "value": 0, "unit": MISSING}, "value_not_code", "value"),
        ({"code": "consciousness", "value": "AC", "unit": MISSING}, "value_not_code", "value"),
        (
            {"code": "answer", "value": "two words", "unit": MISSING, "context": {"question": "q"}},
            "value_not_code",
            "value",
        ),
        ({"code": "answer", "value": "yes", "unit": MISSING}, "context_invalid", "context"),
        ({"code": "pain", "value": 11, "unit": MISSING}, "value_impossible", "value"),
        ({"value": None, "absent": "tired"}, "absent_unknown", "absent"),
        ({"value": None, "absent": ["error"]}, "absent_unknown", "absent"),
        ({"value": None, "absent": "error", "unit": "furlong"}, "unit_unknown", "unit"),
        ({"absent": "error"}, "absent_with_value", "absent"),
        ({"source_id": ""}, "source_id_invalid", "source_id"),
        ({"source_id": 5}, "source_id_invalid", "source_id"),
        ({"source_id": "a\x00"}, "source_id_invalid", "source_id"),
        ({"subject": "x" * 65}, "subject_invalid", "subject"),
        ({"set": "\n"}, "set_invalid", "set"),
        ({"context": []}, "context_invalid", "context"),
        ({"context": {"Posture": "sitting"}}, "context_invalid", "context"),
        ({"context": {"posture": ["sitting"]}}, "context_invalid", "context"),
        ({"context": {"posture": "a\x00"}}, "context_invalid", "context"),
        ({"context": {"user": 10**30}}, "context_invalid", "context"),
        ({"context": {"user": float("nan")}}, "context_invalid", "context"),
        ({"context": {f"k{n}": 1 for n in range(9)}}, "context_invalid", "context"),
        ({"flags": "motion"}, "flags_invalid", "flags"),
        ({"flags": ["Motion!"]}, "flags_invalid", "flags"),
        ({"flags": ["motion"] * 17}, "flags_invalid", "flags"),
        ({"method": "guessed"}, "method_unknown", "method"),
    ],
)
def test_a_bad_reading_is_refused_with_its_index(fields: dict[str, Any], error: str, field: str) -> None:
    got = decode(envelope(reading(code="pulse", unit="/min"), reading(**fields)))
    assert errors(got) == [(error, field, 1)]
    assert [one.index for one in got.readings] == [0]
    assert got.seq == 7


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "9" * 64])
def test_numbers_too_large_to_be_numbers(literal: str) -> None:
    payload = json.dumps(envelope(reading(value=0))).replace('"value": 0', f'"value": {literal}')
    assert errors(decode(payload.encode()))[0][0] in {"value_not_finite", "value_impossible"}


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    payload = json.dumps(envelope(reading(value=0))).replace('"value": 0', f'"value": {"9" * 5000}')
    assert errors(decode(payload.encode())) == [("value_not_number", "value", 0)]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"stream": ""}, "stream_invalid"),
        ({"stream": 5}, "stream_invalid"),
        ({"stream": "a\x00b"}, "stream_invalid"),
        ({"stream": MISSING}, "stream_invalid"),
        ({"seq": 0}, "seq_invalid"),
        ({"seq": "7"}, "seq_invalid"),
        ({"seq": 7.0}, "seq_invalid"),
        ({"seq": True}, "seq_invalid"),
        ({"seq": 2**53}, "seq_invalid"),
        ({"seq": 10**5000}, "seq_invalid"),
        ({"seq": MISSING}, "seq_invalid"),
        ({"stream": MISSING, "seq": MISSING, "id": ""}, "id_invalid"),
    ],
)
def test_a_message_that_cannot_be_numbered_keeps_its_readings_and_is_answered_by_its_digest(
    fields: dict[str, Any], error: str
) -> None:
    if fields.get("seq", 0) == 10**5000:
        payload = json.dumps(envelope()).replace('"seq": 7', '"seq": ' + "1" * 5000).encode()
    else:
        payload = json.dumps(envelope(**fields)).encode()
    got = decode(payload)
    assert errors(got) == [(error, error.removesuffix("_invalid"), None)]
    assert (got.seq, got.id) == (None, got.digest)
    assert len(got.readings) == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"oldest": 8}, "oldest_invalid"),
        ({"oldest": 0}, "oldest_invalid"),
        ({"oldest": "1"}, "oldest_invalid"),
        ({"sent_at": "yesterday"}, "sent_at_invalid"),
        ({"sent_at": "2026-11-21T10:00:03"}, "sent_at_invalid"),
        ({"sent_at": 5}, "sent_at_invalid"),
    ],
)
def test_another_bad_field_of_the_envelope_is_left_out(fields: dict[str, Any], error: str) -> None:
    got = decode(envelope(**fields))
    name = error.removesuffix("_invalid")
    assert errors(got) == [(error, name, None)]
    assert (getattr(got, name), got.seq, got.id, len(got.readings)) == (None, 7, None, 1)


def test_a_message_without_any_number_or_id_is_no_error() -> None:
    got = decode(envelope(stream=MISSING, seq=MISSING))
    assert (got.stream, got.seq, got.refusals) == (None, None, ())
    assert got.id == got.digest
    assert len(got.id) == 16


def test_a_message_with_just_an_id_is_answered_by_it() -> None:
    got = decode(envelope(stream=MISSING, seq=MISSING, id="m-1"))
    assert (got.stream, got.seq, got.id, got.refusals) == (None, None, "m-1", ())
    assert decode(envelope(seq=MISSING, id="m-1")).stream == "k3Jx9"
    assert decode(envelope(id="m-1")).id is None


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", "not_json"),
        (b"\xef\xbb\xbf", "not_json"),
        (b"\xef\xbb\xbf{}", "schema"),
        (b"{", "not_json"),
        (b'{"a":' * 200_00, "not_json"),
        (b"[" * 200_000, "not_json"),
        (b"null", "schema"),
        (b"[]", "schema"),
        (b'"readings"', "schema"),
        (b"NaN", "schema"),
        (b"{}", "schema"),
        (b'{"readings": {}}', "schema"),
        (b"\xff", "not_utf8"),
        (b'{"stream":"\xff","seq":3,"readings":[]}', "not_utf8"),
    ],
)
def test_what_is_no_message_is_refused_whole(payload: bytes, error: str) -> None:
    got = decode(payload)
    assert [one.error for one in got.refusals] == [error]
    assert (got.readings, got.seq, got.id, got.refusals[0].index) == ((), None, got.digest, None)


def test_a_byte_order_mark_before_a_message_and_line_ends_of_windows_are_ignored() -> None:
    plain = json.dumps(envelope(reading()), indent=1)
    got = decode(b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode())
    assert (got.readings, got.refusals, got.seq) == (decode(plain.encode()).readings, (), 7)


def test_a_reading_that_is_no_object_is_refused_alone() -> None:
    got = decode(envelope(reading(), 5, None, [reading()]))
    assert errors(got) == [("schema", "readings", n) for n in (1, 2, 3)]


def test_invalid_utf8_is_refused_by_the_number_of_the_message() -> None:
    payload = json.dumps(envelope(reading(source_id="a1"))).encode().replace(b"a1", b"\xc3(")
    got = decode(payload)
    assert (errors(got), got.readings) == ([("not_utf8", None, None)], ())
    assert (got.stream, got.seq, got.id) == ("k3Jx9", 7, None)
    assert errors(decode(json.dumps(envelope(more="a1")).encode().replace(b"a1", b"\xff"))) == [
        ("not_utf8", None, None)
    ]


def test_too_long_messages_are_refused_by_their_number_up_to_a_mebibyte() -> None:
    exact = json.dumps(envelope(pad="")).encode()
    pad = message.PAYLOAD_LIMIT - len(exact)
    assert len(decode(envelope(pad="x" * pad)).readings) == 1
    over = decode(envelope(pad="x" * (pad + 1)))
    assert (errors(over), over.readings, over.seq) == ([("payload_too_large", None, None)], (), 7)
    huge = decode(envelope(pad="x" * message.SEARCH_LIMIT))
    assert (errors(huge), huge.seq, huge.id) == ([("payload_too_large", None, None)], None, huge.digest)
    assert errors(decode(b"\xff" * (message.PAYLOAD_LIMIT + 1))) == [("payload_too_large", None, None)]


def test_too_many_readings_are_refused_by_the_number_of_the_message() -> None:
    # Short, or they would be too many bytes first.
    many = [{"code": "fall", "value": True, "taken_at": "2026-11-21T10:00:01Z"}] * 1001
    got = decode(envelope(*many))
    assert (errors(got), got.readings, got.seq) == ([("too_many_readings", "readings", None)], (), 7)
    assert len(decode(envelope(*many[:1000])).readings) == 1000


def test_a_message_without_readings_is_taken() -> None:
    got = decode(envelope(readings=[]))
    assert (got.readings, got.refusals, got.seq) == ((), (), 7)


def test_unknown_keys_are_ignored_and_of_two_equal_keys_the_last_counts() -> None:
    assert decode(envelope(reading(colour="red"), colour=[1, {"a": None}])).refusals == ()
    payload = json.dumps(envelope()).replace('"value": 96', '"value": "x", "value": 97').encode()
    assert [one.value for one in decode(payload).readings] == [97]


@pytest.mark.parametrize(
    ("taken_at", "expected"),
    [
        ("2026-11-21T11:00:01+01:00", datetime(2026, 11, 21, 10, 0, 1, tzinfo=UTC)),
        ("2026-11-21T10:00:01.1239Z", datetime(2026, 11, 21, 10, 0, 1, 123_000, tzinfo=UTC)),
        ("2038-01-19T03:14:08Z", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1900-01-01T00:00:00-00:00", datetime(1900, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_become_utc_in_whole_milliseconds(taken_at: str, expected: datetime) -> None:
    (got,) = decode(envelope(reading(taken_at=taken_at))).readings
    assert got.taken_at == expected
    assert got.taken_at.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    ("token", "unit", "value", "value_sent", "unit_sent"),
    [
        ("96", "%", 96, None, None),
        ("96.0", "%", 96, "96.0", None),
        ("9.6e1", "%", 96, "9.6e1", None),
        ("0.96", "1", 96, "0.96", "1"),
        ("96.5", "%", 96.5, None, None),
    ],
)
def test_what_was_sent_is_kept(
    token: str, unit: str, value: float, value_sent: str | None, unit_sent: str | None
) -> None:
    payload = json.dumps(envelope(reading(value=0, unit=unit))).replace('"value": 0', f'"value": {token}').encode()
    (got,) = decode(payload).readings
    assert (got.value, got.value_sent, got.unit_sent, got.unit) == (value, value_sent, unit_sent, "%")
    assert (message.value_token(got), message.unit_token(got)) == (token, unit)


def test_booleans_and_codes_have_no_unit_and_scores_need_none() -> None:
    got = decode(
        envelope(
            reading(code="fall", value=True, unit=None),
            reading(code="on_oxygen", value=False, unit=MISSING),
            reading(code="pain", value=3, unit="{score}"),
            reading(code="pain", value=3, unit=MISSING),
            reading(code="answer", value="S_COVID_COUGH:2", unit=MISSING, context={"question": "cough"}),
            reading(code="pulse", value=None, absent="not-performed", unit=MISSING),
        )
    )
    assert got.refusals == ()
    assert [(one.value, one.unit) for one in got.readings] == [
        (1, None),
        (0, None),
        (3, None),
        (3, None),
        (None, None),
        (None, None),
    ]
    assert [message.value_token(one) for one in got.readings] == [
        "true",
        "false",
        "3",
        "3",
        '"S_COVID_COUGH:2"',
        "null",
    ]
    assert [message.unit_token(one) for one in got.readings] == [None, None, "{score}", None, None, None]


@pytest.mark.parametrize(
    ("code", "value", "unit"), [("systolic", 40, "mm[Hg]"), ("spo2", 50, "%"), ("pulse", 250, "/min")]
)
def test_emergencies_are_kept_and_marked_extreme(code: str, value: float, unit: str) -> None:
    (got,) = decode(envelope(reading(code=code, value=value, unit=unit))).readings
    assert got.extreme
    assert not decode(envelope()).readings[0].extreme


def test_a_refused_reading_keeps_its_place_among_its_equals() -> None:
    def identities(first: dict[str, Any]) -> Any:
        return decode(envelope(first, reading(value=95))).readings[-1].identity

    good = identities(reading(value=96))
    for bad in ({"value": "x"}, {"unit": "furlong"}, {"flags": [""]}, {"value": float("nan")}, {"set": ""}):
        assert identities(reading(**bad)) == good
    assert identities(reading(source_id="a")) != good


# Properties --------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = list(native._Reading.__struct_fields__)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=64)
TIMES = st.datetimes(datetime(1900, 1, 2), datetime(2200, 12, 30)).map(lambda at: at.isoformat() + "Z")  # noqa: DTZ001


@st.composite
def valid_readings(draw: st.DrawFn) -> dict[str, Any]:
    """Any reading that must be accepted."""
    entry = draw(st.sampled_from(list(catalogue.ENTRIES.values())))
    given: dict[str, Any] = {"code": entry.code, "taken_at": draw(TIMES)}
    for name in ("source_id", "subject", "set"):
        if draw(st.booleans()):
            given[name] = draw(TEXT)
    if len(entry.needs_context) > 0 or draw(st.booleans()):
        given["context"] = {"question": draw(TEXT), "user": draw(st.integers(0, 9)), "far": draw(st.booleans())}
    if draw(st.booleans()):
        given["flags"] = draw(st.lists(st.sampled_from(["motion", "low-perfusion"]), max_size=3))
        given["method"] = draw(st.sampled_from(["device", "keyed", "supervised", "estimated"]))
    if draw(st.integers(0, 9)) == 0:
        return given | {"value": None, "absent": "error"}
    if entry.kind == "boolean":
        return given | {"value": draw(st.booleans())}
    if entry.kind == "code":
        return given | {"value": draw(st.sampled_from(entry.codes or ("yes", "no", "a.b:c-d_2")))}
    low, high = entry.impossible_low, entry.impossible_high
    value: float = draw(st.floats(low, high))
    if draw(st.booleans()):
        value = draw(st.integers(math.ceil(low), math.floor(high)))
    return given | {"value": value} | ({"unit": entry.unit} if entry.unit else {})


MESSAGES = st.builds(
    lambda readings, stream, seq, oldest: envelope(*readings, stream=stream, seq=seq, oldest=min(oldest, seq)),
    st.lists(valid_readings(), min_size=1, max_size=4),
    TEXT,
    st.integers(1, message.SEQ_LIMIT),
    st.integers(1, message.SEQ_LIMIT),
)


@given(MESSAGES)
def test_valid_messages_are_taken_whole_and_alike_on_both_paths(content: dict[str, Any]) -> None:
    payload = json.dumps(content, ensure_ascii=False).encode()
    fast = native.decode("d1", payload)
    assert (fast.refusals, len(fast.readings)) == ((), len(content["readings"]))
    assert careful.decode("d1", payload, fast.digest) == fast
    escaped = native.decode("d1", json.dumps(content).encode())
    assert (escaped.readings, escaped.stream) == (fast.readings, fast.stream)


@given(MESSAGES)
def test_what_was_sent_can_be_written_again(content: dict[str, Any]) -> None:
    for sent, got in zip(content["readings"], decode(content).readings, strict=True):
        assert message.value_token(got) == json.dumps(sent["value"])
        assert message.unit_token(got) == sent.get("unit")


@given(st.binary(max_size=200))
def test_decode_never_raises_on_bytes(payload: bytes) -> None:
    _holds(native.decode("d1", payload))


@given(JSON)
def test_decode_never_raises_on_json(content: Any) -> None:
    _holds(decode(json.dumps(content).encode()))


@given(
    st.dictionaries(st.sampled_from(["stream", "seq", "oldest", "id", "sent_at"]), JSON),
    st.lists(st.tuples(valid_readings(), st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3)), max_size=3),
    st.booleans(),
)
def test_decode_never_raises_on_nearly_valid_messages(
    fields: dict[str, Any], readings: list[Any], escaped: bool
) -> None:
    content = envelope(**{"readings": [good | bad for good, bad in readings], **fields})
    payload = json.dumps(content, ensure_ascii=escaped).encode(errors="surrogatepass")
    got = native.decode("d1", payload)
    _holds(got)
    again = careful.decode("d1", payload, got.digest)
    assert again == got
    if not any(one.error in {"not_utf8", "not_json"} for one in got.refusals):
        assert {one.index for one in got.readings} | {one.index for one in got.refusals} - {None} == set(
            range(len(readings))
        )


def _holds(got: message.Message) -> None:
    """What is true of every message, whatever was sent."""
    assert (got.seq is None) != (got.id is None)
    assert got.seq is None or got.stream is not None
    for refused in got.refusals:
        assert refused.error in MEANINGS
    for one in got.readings:
        assert one.taken_at is not None
        assert one.taken_at.utcoffset() is not None
        assert one.taken_at.microsecond % 1000 == 0
        assert -(2**63) <= one.value_key < 2**63
        assert one.unit is None or one.unit in units.CONVERSIONS[one.code]
        for text in (one.source_id, one.subject, one.set, *one.flags):
            assert text is None or "\x00" not in text
