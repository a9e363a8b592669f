"""Nothing that is printed or logged by mistake shows a secret."""

from __future__ import annotations

import pytest

from telehealth import config
from telehealth.brokers import control
from telehealth.errors import Invalid, SettingError
from telehealth.ingest import address, places
from telehealth.model import people

_WORD = "unsayable"


def test_settings_and_addresses() -> None:
    """However they are shown."""
    urls = {
        "DATABASE_URL": f"postgresql://app:{_WORD}@127.0.0.1/telehealth",
        "DATABASE_OWNER_URL": f"postgresql://owner:{_WORD}@127.0.0.1/telehealth",
        "MQTT_URL": f"mqtt://telehealth:{_WORD}@127.0.0.1:1884",
        "mqtt_admin_url": f"mqtt://admin:{_WORD}@127.0.0.1:1884",
    }
    settings = config.from_environment(urls)
    where = address.of(settings)
    assert where.password == _WORD
    account = control.Account("127.0.0.1", 1884, "admin", _WORD)
    place = places.of_slot("ingest-0", [_WORD])[0]
    assert _WORD in place.wanted(shares=True)[0]
    for shown in (settings, settings.model_dump(), settings.model_dump_json(), where, account, place):
        assert _WORD not in f"{shown!r} {shown}"


@pytest.mark.parametrize("url", [f"mqtt://a:{_WORD}@:x", f"http://a:{_WORD}@h", f"mqtt://a:{_WORD}@h/path"])
def test_wrong_addresses_are_not_repeated(url: str) -> None:
    """The message names the setting."""
    with pytest.raises(SettingError) as refused:
        address.parse(url)
    assert _WORD not in str(refused.value)
    assert "MQTT_URL" in str(refused.value)


def test_names_end_where_they_seem_to() -> None:
    """A name with the end of a line behind it would be two lines of a password file."""
    for check in (people.check_device_id, people.check_username):
        for name in ("ox-1\n", "ox-1\nother", "ox:1", "ox 1", ""):
            with pytest.raises(Invalid):
                check(name)
        assert check("ox-1") == "ox-1"
