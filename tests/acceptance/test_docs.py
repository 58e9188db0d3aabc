"""The tutorial is run as it stands; the reference names what is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from tests.acceptance.conftest import Network

ROOT = Path(__file__).resolve().parents[2]
BLOCK_TIMEOUT_S = 240.0


def blocks(page: str, language: str) -> list[str]:
    """Return a page's fenced blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def run(network: Network, folder: Path, command: list[str], text: str) -> str:
    """Run one block as a reader would, in his folder and environment."""
    programs = Path(sys.executable).parent
    done = subprocess.run(
        command,
        input=text,
        cwd=folder,
        env={
            **os.environ,
            "CAREGRID_PROFILE": str(network.clinic),
            "READER": str(network.reader),
            "PATH": f"{programs}:{os.environ['PATH']}",
        },
        text=True,
        capture_output=True,
        timeout=BLOCK_TIMEOUT_S,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_the_tutorial_runs(network: Network, tmp_path: Path) -> None:
    """Its shell block, then its Python blocks, in one folder."""
    [shell] = blocks("docs/tutorial.md", "sh")
    assert "takes records in" in run(network, tmp_path, ["bash", "-e"], shell)
    first, second = blocks("docs/tutorial.md", "python")
    assert "ask the patient" in run(network, tmp_path, [sys.executable, "-"], first)
    assert '"gender": "other"' in run(network, tmp_path, [sys.executable, "-"], second)


def test_sharing_a_record_goes_as_its_page_says(network: Network, tmp_path: Path) -> None:
    """Its shell blocks, one after another in one shell."""
    script = "\n".join(blocks("docs/how-to/share-a-record.md", "sh"))
    told = run(network, tmp_path, ["bash", "-e"], script)
    assert "key: escrowed" in told
    assert "ground=record" in told


def test_erasing_a_record_goes_as_its_page_says(network: Network, tmp_path: Path) -> None:
    """Its shell blocks, one after another in one shell."""
    script = "\n".join(blocks("docs/how-to/erase-a-record.md", "sh"))
    told = run(network, tmp_path, ["bash", "-e"], script)
    assert "the receipts hang together" in told


def test_every_setting_is_on_its_page() -> None:
    """And nothing that is no setting."""
    page = (ROOT / "docs/reference/sidecar.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(Settings.model_fields) == sorted(named)


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of every page names a file that is there."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [] == [link for link in links if not (page.parent / link).exists()]
