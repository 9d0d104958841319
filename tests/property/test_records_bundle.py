"""A sigstore bundle that was changed anywhere is refused, or says the same; none is a bug."""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitroctl.checks import Report
from tests import sigstore_bundles as made
from tests.sigstore_bundles import IDENTITY, ISSUER, Signing

pytest.importorskip("sigstore", reason="the optional dependency sigstore is not installed")

CONTENT = b"the file"
STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": hashlib.sha256(CONTENT).hexdigest()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
    }
).encode()
BUNDLES = {"signature": Signing(content=CONTENT), "attestation": Signing(payload=STATEMENT)}
VALUES: list[object] = [
    *(None, True, 0, -1, 2**70, 1.5, "", "x", "\0", "\ud800", "AAAA", "7", "99999999999999999999", [], {}, [[]], [{}]),
    *("A" * 100_000, "é", made.b64(bytes(32)), made.b64(bytes(72)), "— a AAAAAAAA\n", "a\n1\nAA==\n\n— a AAAAAAAA\n"),
]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(place for key, item in inner for place in leaves(item, (*path, key)))]


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[object], bool]:
    from nitroctl.records import bundle

    directory = tmp_path_factory.mktemp("bundles")
    (directory / "root.json").write_text(json.dumps(made.WORLD.trusted_root()))
    path = directory / "b.json"
    asked = bundle.Asked(
        path=str(path), identity=IDENTITY, issuer=ISSUER, trusted_root=str(Path(directory, "root.json"))
    )

    def judge(document: object) -> bool:
        path.write_text(json.dumps(document))
        return Report.of(bundle.judge(CONTENT, asked).checks).passed

    return judge


@pytest.mark.parametrize("kind", BUNDLES)
def test_what_was_not_changed_passes(kind: str, passes: Callable[[object], bool]) -> None:
    assert passes(BUNDLES[kind].bundle())


@given(st.sampled_from(sorted(BUNDLES)), st.data())
def test_a_changed_value_is_an_answer(passes: Callable[[object], bool], kind: str, data: st.DataObject) -> None:
    document = BUNDLES[kind].bundle()
    path = data.draw(st.sampled_from(leaves(document)))
    value = data.draw(st.sampled_from(VALUES))
    changed = copy.deepcopy(document)
    here = changed
    for step in path[:-1]:
        here = here[step]
    if path:
        here[path[-1]] = value
    else:
        changed = value  # type: ignore[assignment]
    held = passes(changed)
    # What says when, or over what, may be left out where another part says it; the rest has to stand.
    assert not held or path[-1:] in (("messageDigest",), ("algorithm",), ("keyid",)) or changed == document


SIGNED = ("rawBytes", "payload", "sig", "signature", "canonicalizedBody", "signedEntryTimestamp", "rootHash", "keyId")


@given(st.sampled_from(sorted(BUNDLES)), st.sampled_from(SIGNED), st.integers(0, 2**20), st.integers(0, 7))
def test_a_changed_bit_is_refused(passes: Callable[[object], bool], kind: str, name: str, place: int, bit: int) -> None:
    document = BUNDLES[kind].bundle()
    for path in leaves(document):
        if path[-1:] == (name,):
            here = document
            for step in path[:-1]:
                here = here[step]
            if isinstance(here[name], str):
                octets = bytearray(base64.b64decode(here[name]))
                octets[place % len(octets)] ^= 1 << bit
                here[name] = made.b64(bytes(octets))
                assert not passes(document)
