"""The operator's commands for quarantine and storage."""

from __future__ import annotations

import json

from telehealth.store.db import Database
from tests.conftest import Urls
from tests.integration.ingest.wards import NOW, envelope, rows, spo2
from tests.integration.quarantine.test_quarantine import sent, take
from tests.integration.quarantine.test_resident_export import telehealth
from tests.support import world


async def test_an_unknown_device_from_list_to_retry(urls: Urls, database: Database) -> None:
    """Seen by its command only; shown with its bytes, which is noted; taken in once it is registered."""
    ward = await world.ward(database)
    await take(database, sent("new-one", envelope(spo2(93, at=NOW), source="\u202e\u001b[2J")))
    status, out, said = await telehealth(urls, "quarantine", "list", "--unknown", "--json")
    assert status == 0, said
    [entry] = json.loads(out)
    assert (entry["error"], entry["state"], entry["retryable"]) == ("device_unknown", "held", True)
    status, out, _ = await telehealth(urls, "quarantine", "show", str(entry["id"]), "--bytes")
    assert status == 0
    assert "000000  7b 22" in out
    assert out.isascii()
    await world.device(database, ward, "new-one")
    status, out, _ = await telehealth(urls, "quarantine", "retry", "--unknown", "--json")
    assert status == 0
    assert json.loads(out)["stored"] == 1
    actions = [row["action"] for row in await rows(database, "SELECT action FROM audit ORDER BY id")]
    assert actions == ["quarantine.list", "quarantine.bytes", "quarantine.retry"]


async def test_dismissing_and_what_is_refused(urls: Urls, database: Database) -> None:
    """With a reason, by device; a choice of nothing, of too much or of nobody is refused."""
    device = await world.device(database, await world.ward(database))
    await take(database, sent(device.device_id, b"a"), sent(device.device_id, b"b"))
    for wrong in (
        ["dismiss", "--reason", "x"],
        ["dismiss", "--reason", "x", "--device", "d", "--unknown"],
        ["dismiss", "--reason", "", "--device", device.device_id],
        ["dismiss", "--reason", "x", "--device", "nobody"],
        ["retry", "999999"],
        ["show", "999999"],
        ["list", "--state", "x"],
    ):
        status, _, said = await telehealth(urls, "quarantine", *wrong)
        assert status == 1, wrong
        assert said.startswith("telehealth: ")
    status, out, _ = await telehealth(
        urls, "quarantine", "dismiss", "--device", device.device_id, "--reason", "test kit", "--json"
    )
    assert (status, json.loads(out)) == (0, {"dismissed": 2})


async def test_storage(urls: Urls, database: Database) -> None:
    """Measured, kept up and repaired by hand."""
    device = await world.device(database, await world.ward(database))
    await take(database, sent(device.device_id, envelope(spo2(93, at=NOW.replace(year=2019)))))
    status, out, said = await telehealth(urls, "storage", "--json")
    assert status == 0, said
    measured = json.loads(out)
    assert measured["readings"] == 1
    assert measured["in_default"] == [{"month": "2019-03", "readings": 1}]
    assert {"reading", "quarantine"} <= {table["name"] for table in measured["tables"]}
    status, _, said = await telehealth(urls, "storage", "upkeep")
    assert status == 0, said
    status, _, said = await telehealth(urls, "storage", "repair", "--month", "2019-03")
    assert status == 0, said
    status, out, _ = await telehealth(urls, "storage", "--json", "--estimate")
    assert json.loads(out)["in_default"] == []
    status, _, _ = await telehealth(urls, "storage", "repair", "--month", "March")
    assert status == 1
