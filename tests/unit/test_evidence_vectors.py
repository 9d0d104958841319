"""Every captured document gives the outcome its manifest states, as of its own time, under AWS's root alone."""

import csv
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification

from nitroctl.checks import Outcome
from nitroctl.evidence import container, roots
from nitroctl.evidence.document import Document, Kind, parse
from nitroctl.evidence.verify import Verified, verify
from tests.conftest import VECTORS, vectors

#: What refuses each of the known-bad documents.
REFUSED_BY = {
    "bad-base-nots-a05aa73a.cbor": {"cbor.types"},
    "bad-blocky-nots-e388022c.cbor": {"cose.shape"},
    "bad-capeprivacy-nots-c53e6d0d.cbor": {"cbor.tags"},
    "bad-eternisai-20240723T212940-5f42eb91.cbor": {"cose.signature"},
    "bad-fortanix-20210909T101920-15d4f223.cbor": {"cose.signature"},
    "bad-marlinprotocol-20241213T090545-d8032479.cbor": {"chain.root-pinned"},
    "bad-worldcoin-nots-f75ee568.cbor": {"cbor.complete"},
}


def manifest() -> Iterator[dict[str, str]]:
    for directory in ("attestation", "nitrotpm"):
        path = VECTORS / directory / "MANIFEST.tsv"
        if path.exists():
            with path.open() as stream:
                rows = csv.DictReader(stream, delimiter="\t")
                yield from (
                    {**row, "path": str(path.parent / row["file"])} for row in rows if row["file"][-5:] == ".cbor"
                )


ROWS = {row["file"]: row for row in manifest()}
GENUINE = sorted(name for name in ROWS if not name.startswith("bad-"))


def judged(name: str, *, strict: bool = False) -> tuple[Document | None, Verified]:
    parsed = parse(container.unwrap(Path(ROWS[name]["path"]).read_bytes()).cbor, strict=strict)
    at = parsed.document.time if parsed.document else datetime(2026, 1, 1, tzinfo=UTC)
    return parsed.document, verify(parsed, at=at)


def test_the_vectors_are_there() -> None:
    vectors("attestation", "MANIFEST.tsv")
    assert len(GENUINE) >= 70
    assert set(REFUSED_BY) == {name for name in ROWS if name.startswith("bad-")}


@pytest.mark.parametrize("name", GENUINE)
def test_a_genuine_document_is_authentic_at_its_own_time(name: str) -> None:
    row, (document, verified) = ROWS[name], judged(name)
    assert verified.report.passed
    assert verified.chain.root == roots.AWS_ROOTS[0]
    assert document is not None
    assert {check.id for check in verified.report.having(Outcome.WARN)} <= {"document.lengths"}
    if row.get("expected"):
        assert row["expected"].startswith("VALID")
        assert document.module_id == row["module_id"]
        assert document.timestamp == int(row["timestamp_ms"])
        assert verified.report["habit.region"].detail == row["region"]
        assert len(document.pcrs) == int(row["pcr_count"])
        assert hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"]
    assert document.kind is (Kind.NITROTPM if "tpm" in name else Kind.ENCLAVE)


def departures(row: dict[str, str]) -> set[str]:
    """What the manifest's own columns say the published text forbids: a field that is null, or of another length."""
    stated = dict(item.split("=") for item in row["optional_fields"].split(","))
    sizes = {name: int(size) for name, size in stated.items() if size != "null"}
    found = set()
    if len(sizes) < len(stated):
        found.add("document.nulls")
    if sizes.get("nonce", 0) > 512 or sizes.get("user_data", 0) > 512 or not 1 <= sizes.get("public_key", 1) <= 1024:
        found.add("document.lengths")
    return found


@pytest.mark.parametrize("name", [name for name in GENUINE if ROWS[name].get("optional_fields")])
def test_the_strict_profile_refuses_what_departs_from_the_published_text_and_nothing_else(name: str) -> None:
    row = ROWS[name]
    _, verified = judged(name, strict=True)
    assert {check.id for check in verified.report.having(Outcome.FAIL)} == departures(row)
    assert verified.report.passed is not bool(departures(row))


@pytest.mark.parametrize("name", sorted(REFUSED_BY))
def test_a_known_bad_document_is_refused_for_its_reason(name: str) -> None:
    vectors("attestation", name)
    assert ROWS[name]["expected"].startswith("INVALID")
    _, verified = judged(name)
    assert not verified.report.passed
    assert {check.id for check in verified.report.having(Outcome.FAIL)} == REFUSED_BY[name]


@pytest.mark.parametrize("name", GENUINE[::6])
def test_the_librarys_validator_agrees(name: str) -> None:
    """A second opinion only: it accepts much that the walk refuses."""
    document, _ = judged(name)
    assert document is not None
    anything = verification.ExtensionPolicy.permit_all()
    authorities = anything.require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
    store = verification.Store([x509.load_pem_x509_certificate(roots.pem(roots.AWS_ROOTS[0]))])
    builder = verification.PolicyBuilder().store(store).time(document.time)
    verifier = builder.extension_policies(ca_policy=authorities, ee_policy=anything).build_client_verifier()
    leaf, *others = (x509.load_der_x509_certificate(der) for der in reversed(document.chain))
    assert len(verifier.verify(leaf, others[:-1]).chain) == 5


@pytest.mark.parametrize("name", GENUINE[::12])
def test_openssl_agrees(name: str, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("no openssl program")
    document, _ = judged(name)
    assert document is not None
    certificates = [x509.load_der_x509_certificate(der) for der in document.chain]
    pems = [certificate.public_bytes(Encoding.PEM) for certificate in certificates]
    (tmp_path / "root.pem").write_bytes(roots.pem(roots.AWS_ROOTS[0]))
    (tmp_path / "between.pem").write_bytes(b"".join(pems[1:-1]))
    (tmp_path / "leaf.pem").write_bytes(pems[-1])
    instant = str(int(document.time.timestamp()))
    argv = ["openssl", "verify", "-attime", instant, "-CAfile", "root.pem", "-untrusted", "between.pem", "leaf.pem"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "leaf.pem: OK\n"), done.stderr
