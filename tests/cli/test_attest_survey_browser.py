"""The survey's report in a real browser: it renders, asks for nothing, says nothing on the console, runs nothing.

Optional: where there is no Chromium these tests are skipped, visibly. No name resolves for the browser, so what it asks
for by itself (its updates) leads nowhere; what a page asks for is told from that by its initiator.
"""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from nitroctl import pcr
from tests.conftest import Cli
from tests.heaps import OTHER, Wanted, root

BROWSER = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--enable-logging=stderr",
    "--dump-dom",
)
LURE = '<img src="http://lure.invalid/x.png"><script>document.title = "run"</script>'
HOSTILE = "<img src=http:lure.invalid onerror=alert(1)><script>document.title='run'<\u2215script>"


@dataclasses.dataclass(frozen=True)
class Shown:
    """What became of a page: its DOM, its lines on the console, and what it asked the network for."""

    dom: str
    console: list[str]
    asked: list[str]

    @property
    def title(self) -> str:
        found = re.search("<title>(.*?)</title>", self.dom)
        return found[1] if found else ""


def show(page: Path, tmp_path: Path) -> Shown:
    assert BROWSER is not None
    log, profile = tmp_path / "net.json", tmp_path / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    argv = [BROWSER, *FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    child = subprocess.Popen(
        [*argv, f"--log-net-log={log}", page.absolute().as_uri()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        dom, said = child.communicate(timeout=120)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    assert child.returncode == 0
    return Shown(
        dom.decode(), [line for line in said.decode(errors="replace").splitlines() if ":CONSOLE" in line], _asked(log)
    )


def _asked(log: Path) -> list[str]:
    """Return the addresses that a page, not the browser itself, asked for, other than files."""
    document = json.loads(log.read_text())
    started = document["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event["params"] for event in document["events"] if event["type"] == started and "params" in event]
    return [
        str(request["url"])
        for request in requests
        if "url" in request
        and request.get("initiator") != "not an origin"
        and not str(request["url"]).startswith(("file:", "data:", "chrome:"))
    ]


@pytest.fixture
def report(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report on hostile names, debug mode and an anomaly."""
    monkeypatch.chdir(tmp_path)
    heap = tmp_path / "heap"
    heap.mkdir()
    (tmp_path / "root.pem").write_bytes(root().pem)
    first = Wanted(nonce=b"same")
    (heap / "a.cbor").write_bytes(first.document())
    (heap / HOSTILE).write_bytes(
        dataclasses.replace(first, instance=OTHER, pcrs=dict.fromkeys((0, 1, 2), pcr.ZERO)).document()
    )
    (heap / f"{HOSTILE}2").write_bytes(first.document()[:-5])
    assert cli("attest", "survey", "heap", "--root", "root.pem", "--html", "survey.html").status == 0
    return tmp_path / "survey.html"


def test_it_renders_and_asks_for_nothing_and_runs_nothing(report: Path, tmp_path: Path) -> None:
    shown = show(report, tmp_path)
    assert (shown.console, shown.asked, shown.title) == ([], [], "Attestation survey")
    assert shown.dom.count('class="row"') == 2
    assert "survey.nonce-reused" in shown.dom
    assert "<img" not in shown.dom
    assert "<script" not in shown.dom
    assert "&lt;img src=http:lure.invalid onerror=alert(1)&gt;" in shown.dom


def test_its_own_policy_stops_what_would_be_put_into_it(report: Path, tmp_path: Path) -> None:
    page = report.read_text()
    report.write_text(page.replace("<main>", f"<main>{LURE}<style>body {{ color: red }}</style>"))
    shown = show(report, tmp_path)
    assert (shown.asked, shown.title) == ([], "Attestation survey")
    said = "\n".join(shown.console)
    for what in ("image", "inline script", "inline style"):
        assert re.search(f"{what}.*violates the following Content Security Policy", said), said


def test_without_the_policy_the_lure_works_so_these_tests_would_see_it(report: Path, tmp_path: Path) -> None:
    page = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    report.write_text(page.replace("<main>", f"<main>{LURE}"))
    shown = show(report, tmp_path)
    assert shown.asked == ["http://lure.invalid/x.png"]
    assert shown.title == "run"
