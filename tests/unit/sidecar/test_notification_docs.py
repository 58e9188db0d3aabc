"""The page on notifications says what is; its receiver runs; the settings are checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from caregrid.errors import ConfigInvalid
from caregrid.webhooks import decode_secret, new_secret, signed_headers
from ocw_sidecar.notifications.events import TOLD
from ocw_sidecar.notifications.items import FACTS, NoticeKind
from ocw_sidecar.settings import Settings
from ocw_sidecar.settings.notifications import NotificationSettings
from ocw_sidecar.testing import ORGANISATION
from tests.notifying import T0

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/notifications.md").read_text()
CANARY = "canary-5b1e77c0"


def test_every_kind_and_setting_is_on_the_page() -> None:
    """And nothing that is none."""
    kinds = dict(
        re.findall(r"^\| `([a-z]+_[a-z]+)` \| (.* \| .*) \|$", PAGE.partition("## Promises")[0], re.MULTILINE)
    )
    assert set(NoticeKind) == kinds.keys()
    events = {f"`Emr.{event}`": kind for event, (kind, _) in TOLD.items()}
    assert events == {
        found: NoticeKind(kind) for kind, text in kinds.items() for found in re.findall(r"`Emr\.\w+`", text)
    }
    settings = re.findall(r"^\| `(\w+)` \|", PAGE.partition("| setting |")[2], re.MULTILINE)
    assert sorted(NotificationSettings.model_fields) == sorted(settings)
    text = PAGE.partition("`facts` are of these")[2].partition("The purpose")[0]
    assert set(FACTS) == set(re.findall(r"`(\w+)`", text))


async def test_the_receiver_of_the_page_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied as it stands it takes what is signed, once, and nothing else."""
    secret = new_secret()
    monkeypatch.setenv("CAREGRID_WEBHOOK_SECRET", secret)
    (source,) = [
        block
        for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        if "WebhookVerifier" in block
    ]
    example: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(source, "notifications.md", "exec"), example)  # noqa: S102 - our own page
    notice = b'{"kind": "access_granted", "facts": {"block": 7}}'
    body = b'{"type": "access_granted", "data": {"notices": [' + notice + b"]}}"
    monkeypatch.setattr(example["verifier"], "_now", T0.timestamp)
    headers = signed_headers(
        [decode_secret(secret)], message_id="msg_1", timestamp=int(T0.timestamp()), body=body
    )
    async with TestClient(TestServer(example["app"])) as client:
        answers = [await client.post("/caregrid", data=body, headers=headers) for _ in range(2)]
        assert [204, 204] == [answer.status for answer in answers]
        assert 401 == (await client.post("/caregrid", data=body + b" ", headers=headers)).status
    assert "access_granted {'block': 7}\n" == capsys.readouterr().out


def test_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are JSON there; secrets do not show."""
    channel = f'{{"type": "apprise", "url": "mailtos://{CANARY}", "kinds": "record_failed, access_expired"}}'
    monkeypatch.setenv("CAREGRID_NOTIFICATIONS__CHANNELS", f"[{channel}]")
    monkeypatch.setenv("CAREGRID_NOTIFICATIONS__APPRISE_SCHEMES", '["mailtos"]')
    found = Settings.load(home=tmp_path, organisation=ORGANISATION).notifications
    assert frozenset({"mailtos"}) == found.apprise_schemes
    assert ["record_failed", "access_expired"] == found.channels[0].plain()["kinds"]
    assert (CANARY in found.channels[0].plain()["url"], CANARY in repr(found)) == (True, False)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"lanes": 0}, "notifications.lanes"),
        ({"retention_s": 5}, "notifications.retention_s"),
        ({"give_up_s": 5}, "notifications.give_up_s"),
        ({"surprise": 5}, "notifications.surprise"),
        ({"channels": [{"type": "pigeon", "url": CANARY}]}, "notifications.channels.0.type"),
        ({"channels": [{"type": "webhook", "url": 5}]}, "notifications.channels.0.url"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, settings: dict[str, Any], named: str) -> None:
    """A wrong setting is named, and what was written is not repeated."""
    with pytest.raises(ConfigInvalid, match=re.escape(named)) as refused:
        Settings.load(home=tmp_path, organisation=ORGANISATION, notifications=settings)
    assert (78, False) == (refused.value.exit_code, CANARY in str(refused.value))
