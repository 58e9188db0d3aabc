"""Files of networks and signatures: broken rows are told by their lines, the others go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from caregrid.errors import InputInvalid
from ocw_sidecar.background import intake
from ocw_sidecar.background.intake import Layout, Rows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOOD = {"net": "192.0.2.0/24", "reason": "Scanning", "hours": "24"}


def lines(text: str) -> list[str]:
    """Return a file's lines, each with its end."""
    return text.splitlines(keepends=True)


def test_a_csv_with_broken_rows() -> None:
    """Malformed addresses, prefixes, reasons and ends, and rows of another width."""
    text = (
        "net,reason,hours\n"
        "192.0.2.0/24,Scanning,24\n"
        "192.0.2.1/24,Scanning,24\n"
        "300.0.2.1,Scanning,24\n"
        '"2001:db8::/48",bruteforce,1\n'
        "192.0.2.9,Because,24\n"
        "192.0.2.9,Policy,0\n"
        "192.0.2.9,Policy\n"
        "192.0.2.9,Policy,1,2\n"
        "192.0.2.9,Policy,soon\n"
    )
    rows = Rows()
    found = list(intake.networks(lines(text), Layout.CSV, rows, now=NOW))
    assert ["192.0.2.0/24", "2001:db8::/48"] == [str(each.net) for each in found]
    assert [NOW + timedelta(hours=24), NOW + timedelta(hours=1)] == [each.expires_at for each in found]
    assert (2, 7, [3, 4, 6, 7, 8, 9, 10]) == (rows.good, rows.broken, [each.line for each in rows.told])


def test_ndjson_with_broken_lines() -> None:
    """No JSON, no object, nested beyond reason, too long."""
    good = json.dumps({**GOOD, "hours": None, "expires_at": "2026-06-02T00:00:00+02:00"})
    broken = ["{", "[]", '"x"', "[" * 100_000, json.dumps({**GOOD, "reason": "x" * 20_000}), "{}"]
    rows = Rows()
    text = "\n".join([good, "", *broken])
    [found] = intake.networks(lines(text), Layout.NDJSON, rows, now=NOW)
    assert datetime(2026, 6, 1, 22, tzinfo=UTC) == found.expires_at
    assert list(range(3, 9)) == [each.line for each in rows.told]


def test_an_open_quotation_mark_ends_a_csv() -> None:
    """What was read before it stands."""
    rows = Rows()
    text = 'net,reason,hours\n192.0.2.0/24,Policy,1\n"192.0.2.0/24,Policy,1\n'
    assert 1 == len(list(intake.networks(lines(text), Layout.CSV, rows, now=NOW)))
    assert 1 == rows.broken


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"net": "10.0.0.0/33"}, "network"),
        ({"net": ""}, "net is missing"),
        ({"net": 7}, "net is missing"),
        ({"hours": "-1"}, "past"),
        ({"hours": "999999"}, "days ahead"),
        ({"hours": "1e400"}, "hours is a number"),
        ({"hours": "nan"}, "hours is a number"),
        ({"hours": ""}, "either"),
        ({"expires_at": "2026-07-01T00:00:00Z"}, "either"),
        ({"hours": "", "expires_at": "2026-07-01T00:00:00"}, "time zone"),
        ({"hours": "", "expires_at": "tomorrow"}, "like 2026"),
        ({"hours": "", "expires_at": "2026-05-01T00:00:00Z"}, "past"),
    ],
)
def test_what_is_no_network_to_block(change: dict[str, Any], said: str) -> None:
    """Each says what is wrong."""
    with pytest.raises(InputInvalid, match=said):
        intake.new_block({**GOOD, **change}, now=NOW)


@pytest.mark.parametrize(
    "change",
    [{"pattern": ""}, {"pattern": "x" * 2049}, {"format": "Perl"}, {"severity": "Bad"}, {"id": "7"}],
)
def test_what_is_no_signature(change: dict[str, str]) -> None:
    """Nor these; without an id, one is drawn."""
    good = {"pattern": "GET /x", "format": "regex", "severity": "high", "id": "07" * 16}
    assert b"\x07" * 16 == intake.new_signature(good).signature_id
    assert 16 == len(intake.new_signature({**good, "id": ""}).signature_id)
    with pytest.raises(InputInvalid):
        intake.new_signature({**good, **change})


def test_of_many_broken_rows_some_are_told() -> None:
    """A file of nonsense takes no memory."""
    rows = Rows()
    assert [] == list(intake.networks(["{\n"] * 10_000, Layout.NDJSON, rows, now=NOW))
    assert (10_000, intake.MAX_TOLD) == (rows.broken, len(rows.told))
