"""What is replaced is kept first, in a file of its own that nothing overwrites, and found again only for its key."""

import errno
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.kms import backups, canonical, document
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.live import LiveKey
from tests.kms_live import KEY, SESSION, A, B, good

AT = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
NAME = "111122223333.eu-west-1.1234abcd-12ab-34cd-56ef-1234567890ab.20261121T100000Z"


def policy(*images: str) -> PolicyDocument:
    return document.parse(json.dumps(good(*images)), where="policy")


def live(arn: str = KEY) -> LiveKey:
    _, partition, _, region, account, _ = arn.split(":")
    return LiveKey(
        asked=arn, arn=arn, partition=partition, account=account, region=region, state="Enabled",
        usage="ENCRYPT_DECRYPT", spec="SYMMETRIC_DEFAULT", origin="AWS_KMS", manager="CUSTOMER", multi_region=False,
        region_type="", replicas=(), policies={"default": json.dumps(good(A))}, grants=(), read_at=AT,
    )  # fmt: skip


def save(where: Path, before: str = A, after: str = B, arn: str = KEY, at: datetime = AT) -> str:
    return backups.save(str(where), live(arn), policy(before), policy(after), who=SESSION, at=at)


def test_a_backup_says_what_it_is_and_is_a_policy(tmp_path: Path) -> None:
    path = save(tmp_path / "kept" / "here")
    assert path == str(tmp_path / "kept" / "here" / f"{NAME}.json")
    assert json.loads(Path(path).read_text()) == {
        "schema": "urn:nitroctl:key-policy-backup:1",
        "key": KEY,
        "saved_at": "2026-11-21T10:00:00Z",
        "saved_by": SESSION,
        "sha256": canonical.digest(policy(A)),
        "replaced_by_sha256": canonical.digest(policy(B)),
        "Policy": json.dumps(good(A), separators=(",", ":")),
    }
    assert document.read(path).raw == good(A)
    found = backups.load(path)
    assert (found.path, found.key, found.saved_at, found.saved_by) == (path, KEY, "2026-11-21T10:00:00Z", SESSION)
    assert found.replaced_by == canonical.digest(policy(B))
    assert (found.policy.raw, found.text) == (good(A), json.dumps(good(A), separators=(",", ":")))


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = save(tmp_path / "kept")
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}-2.json").symlink_to("nowhere")
    assert [Path(save(tmp_path)).name for _ in range(3)] == [f"{NAME}.json", f"{NAME}-3.json", f"{NAME}-4.json"]
    assert (tmp_path / f"{NAME}-2.json").readlink() == Path("nowhere")


def test_a_link_that_appears_meanwhile_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{NAME}.json").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr("os.path.lexists", lambda _: False)
    assert Path(save(tmp_path)).name == f"{NAME}-2.json"
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CannotAnswer) as caught:
        save(tmp_path)
    assert (caught.value.code, caught.value.message) == (
        "file.unwritable",
        f"{tmp_path / NAME}.json: cannot write: no space left on device",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_newest_that_fits_is_found(tmp_path: Path) -> None:
    save(tmp_path, at=datetime(2026, 11, 20, tzinfo=UTC))
    save(tmp_path, before="11" * 48)
    newest = save(tmp_path, before="22" * 48)
    save(tmp_path, after="33" * 48, at=datetime(2026, 11, 22, tzinfo=UTC))
    found = backups.replaced(str(tmp_path), live(), policy(B))
    assert found is not None
    assert found.path == newest


@pytest.mark.parametrize(
    "other", [KEY.replace("1234abcd-", "0000abcd-"), KEY.replace("eu-west-1", "us-east-1"), KEY.replace("1111", "9999")]
)
def test_another_keys_is_not_found(tmp_path: Path, other: str) -> None:
    save(tmp_path, arn=other)
    assert backups.replaced(str(tmp_path), live(), policy(B)) is None


def test_what_another_policy_replaced_is_not_found(tmp_path: Path) -> None:
    save(tmp_path)
    assert backups.replaced(str(tmp_path), live(), policy(A)) is None
    assert backups.replaced(str(tmp_path / "absent"), live(), policy(B)) is None


def test_a_backup_under_another_keys_name_is_not_taken(tmp_path: Path) -> None:
    path = save(tmp_path, arn=KEY.replace("1234abcd-", "0000abcd-"))
    Path(path).rename(tmp_path / f"{NAME}.json")
    assert backups.replaced(str(tmp_path), live(), policy(B)) is None


#: What somebody may do to a kept policy: a member, its value, the error.
SPOILT: dict[str, tuple[dict[str, object], str]] = {
    "another form": ({"schema": "urn:nitroctl:key-policy-backup:2"}, "not a backup that nitroctl kms apply wrote"),
    "no key": ({"key": None}, "no text in key"),
    "a number": ({"saved_by": 1}, "no text in saved_by"),
    "another policy": (
        {"Policy": json.dumps(good(B))},
        "the policy is not the one that was saved: its digest is another",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_backup_is_refused_and_not_passed_over(tmp_path: Path, name: str) -> None:
    change, message = SPOILT[name]
    path = Path(save(tmp_path))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CannotAnswer) as caught:
        backups.replaced(str(tmp_path), live(), policy(B))
    assert (caught.value.code, caught.value.message) == ("kms.backup", f"{path}: {message}")


def test_something_else_in_the_directory_is_left_alone(tmp_path: Path) -> None:
    path = save(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / f"{NAME}.json.part").write_text("x")
    assert backups.of_key(str(tmp_path), live()) == (path,)


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"HOME": "/home/op"}, "/home/op/.local/state/nitroctl/key-policies"),
        ({"HOME": "/home/op", "XDG_STATE_HOME": "/state"}, "/state/nitroctl/key-policies"),
        ({"HOME": "/home/op", "XDG_STATE_HOME": ""}, "/home/op/.local/state/nitroctl/key-policies"),
        ({"HOME": "/home/op", "XDG_STATE_HOME": "state"}, "/home/op/.local/state/nitroctl/key-policies"),
    ],
)
def test_where_they_are_kept(environ: dict[str, str], where: str) -> None:
    assert backups.directory(environ) == where


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_somebody_must_say_where(environ: dict[str, str]) -> None:
    with pytest.raises(CannotAnswer) as caught:
        backups.directory(environ)
    assert (caught.value.code, caught.value.hints) == ("kms.backup-directory", ("say where: --backup-dir DIR",))


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotAnswer) as caught:
        save(tmp_path / "file" / "kept")
    assert caught.value.code == "file.unwritable"
