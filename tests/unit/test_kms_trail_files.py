"""Where CloudTrail's records come from: every form, and everything that is no such form."""

import gzip
import io
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nitroctl.errors import NitroctlError, UsageError
from nitroctl.kms.trail_files import RECORD_LIMIT, Files, Found
from tests import trails

ONE, TWO, THREE = (trails.call(minute) for minute in range(3))
S3 = trails.call(3) | {"eventSource": "s3.amazonaws.com"}


def packed(content: bytes) -> bytes:
    """Return ``content`` as gzip without a time, which would name the tests after the second they were collected in."""
    return gzip.compress(content, mtime=0)


EVENTS = (ONE, S3, TWO, THREE)


def wrapped(*events: Mapping[str, Any]) -> bytes:
    """Return what EventBridge hands on, a line each."""
    return b"\n".join(json.dumps({"version": "0", "detail": event}).encode() for event in events)


def logs(*events: Mapping[str, Any]) -> bytes:
    """Return what ``aws logs filter-log-events`` prints."""
    return json.dumps({"events": [{"timestamp": 1, "message": json.dumps(event)} for event in events]}).encode()


def read(path: Path | str) -> tuple[list[Any], Files]:
    """Return the minutes of the records in ``path``, or the code and message of an error in its place."""
    files = Files([str(path)])
    told = [
        int(each.record["eventTime"][14:16]) if isinstance(each, Found) else (each.code, each.message)
        for each in files.found()
    ]
    return told, files


@pytest.mark.parametrize(
    ("content", "order"),
    [
        (trails.delivered(*EVENTS), [0, 1, 2]),
        (json.dumps({"Records": EVENTS}, indent=2).encode(), [0, 1, 2]),
        (b"\xef\xbb\xbf" + trails.delivered(*EVENTS), [0, 1, 2]),
        (packed(trails.delivered(*EVENTS)), [0, 1, 2]),
        (packed(trails.delivered(ONE)) + packed(trails.delivered(TWO)), [0, 1]),
        (trails.looked_up(*EVENTS), [2, 1, 0]),
        (json.dumps({"Account": "x", "Records": EVENTS}).encode(), [0, 1, 2]),
        (json.dumps(EVENTS).encode(), [0, 1, 2]),
        (b"\n".join(json.dumps(event).encode() for event in EVENTS), [0, 1, 2]),
        (b"\n".join(trails.delivered(event) for event in EVENTS), [0, 1, 2]),
        (wrapped(*EVENTS), [0, 1, 2]),
        (logs(*EVENTS), [0, 1, 2]),
        (json.dumps(ONE, indent=4).encode(), [0]),
        (trails.delivered(), []),
        (json.dumps([ONE]).replace("kms.amazonaws.com", "\\u006bms.amazonaws.com").encode(), [0]),
        (json.dumps([ONE | {"x": 'a "b" : "c": {"d":1}'}]).encode(), [0]),
    ],
    ids=lambda value: "" if isinstance(value, list) else value[:24].decode("latin-1"),
)
def test_every_form_gives_the_same_records(content: bytes, order: list[int], tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert read(tmp_path / "x.json")[0] == order


def test_records_of_every_service_are_counted(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(trails.delivered(*EVENTS))
    files = read(tmp_path / "x.json")[1]
    assert (files.files, files.records, files.digests, files.unfinished) == (1, 4, 0, 0)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pieces_of_any_size_give_the_same_records(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.kms.trail_files._CHUNK", size)
    (tmp_path / "x.json").write_bytes(json.dumps({"Records": [ONE, S3, TWO], "NextToken": "t"}, indent=1).encode())
    told, files = read(tmp_path / "x.json")
    assert (told, files.unfinished) == ([0, 1], 1)


@pytest.mark.parametrize(
    ("content", "before", "message"),
    [
        (b"", [], "there is no record: the file is empty"),
        (b" \n", [], "there is no record: the file is empty"),
        (b"hello", [], "not CloudTrail's JSON: no object or array where one must begin"),
        (b"[1]", [], "not CloudTrail's JSON: what stands in the list is not an object"),
        (b'{"Records":[{"a":1}]}', [], "record 1: no eventSource, so it is no record of CloudTrail"),
        (b"{}", [], "record 1: no eventSource, so it is no record of CloudTrail"),
        (trails.delivered(ONE)[:-1], [0], "after 1 record: not CloudTrail's JSON: it breaks off"),
        (
            trails.delivered(ONE, TWO)[:-9],
            [0],
            "after 1 record: not CloudTrail's JSON: unterminated string starting at",
        ),
        (
            trails.delivered(ONE)[:-2] + b"}}",
            [0],
            "after 1 record: not CloudTrail's JSON: a comma or bracket is missing",
        ),
        (b'{"Records":[],"Records":[' + json.dumps(ONE).encode() + b"]}", [], "two lists of records"),
        (b'{"x":1,"Records":[],"Events":[]}', [], "not CloudTrail's JSON: two lists of records"),
        (b'{"Records":[{"eventSource":NaN}]}', [], "not CloudTrail's JSON: NaN is not a JSON number"),
        (b"[" * 100_000, [], "not CloudTrail's JSON: what stands in the list is not an object"),
        (b'{"a":' * 100_000, [], "not CloudTrail's JSON: nested too deeply"),
        (packed(trails.delivered(ONE))[:-20], [], "the compressed data breaks off"),
        (packed(trails.delivered(ONE))[:12] + b"\0" * 40, [], "not CloudTrail's JSON: Error -3"),
        (b'{"eventSource":"\xff"}', [], "not UTF-8 text"),
        (b'[{"CloudTrailEvent":"{\\"eventSource\\": kms. }"}]', [], "record 1: the record within it is no JSON"),
        (b'[{"CloudTrailEvent":"\\"eventSource kms.\\""}]', [], "record 1: no eventSource"),
    ],
    ids=lambda value: (
        "" if isinstance(value, list) else value[:24].decode("latin-1") if isinstance(value, bytes) else value[:30]
    ),
)
def test_what_cannot_be_read_is_said_in_its_place(
    content: bytes, before: list[int], message: str, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_bytes(content)
    told, _ = read(tmp_path / "x.json")
    assert told[:-1] == before
    assert message in told[-1][1]
    assert told[-1][1].startswith(f"{tmp_path}/x.json: ")


@pytest.mark.parametrize("text", ['"eventSource":"s3.amazonaws.com",', '"event\\u0053ource":"kms.amazonaws.com",'])
@pytest.mark.parametrize("space", ["", " ", "\n", "\t\r"])
def test_a_record_with_a_key_twice_is_refused(text: str, space: str, tmp_path: Path) -> None:
    """Python keeps the last: the first could hide a use of the key from whoever reads only this one."""
    text = text.replace(":", f"{space}:")
    raw = trails.delivered(ONE, TWO).decode().replace('"eventSource"', f'{text}"eventSource"', 1)
    (tmp_path / "x.json").write_text(raw)
    told, _ = read(tmp_path / "x.json")
    assert told == [
        ("json.duplicate-key", f"{tmp_path}/x.json: record 1: /: the key 'eventSource' occurs twice"),
        1,
    ]


@pytest.mark.parametrize("place", ["inner", "outer"])
def test_a_wrapped_record_with_a_key_twice_is_refused(place: str, tmp_path: Path) -> None:
    inner = json.dumps(ONE)
    if place == "inner":
        inner = inner.replace('"eventSource"', '"eventSource": "s3.amazonaws.com", "eventSource"')
    text = json.dumps({"CloudTrailEvent": inner})
    if place == "outer":
        text = text[:-1] + ', "CloudTrailEvent": "{\\"eventSource\\": \\"s3\\"}"}'
    (tmp_path / "x.json").write_text(f"[{text}]")
    assert [code for code, _ in read(tmp_path / "x.json")[0]] == ["json.duplicate-key"]


def test_a_record_that_never_ends_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'{"Records":[{"eventSource":"' + b"a" * (RECORD_LIMIT * 3))
    told, _ = read(tmp_path / "x.json")
    what = f"a record is damaged, or longer than {RECORD_LIMIT} characters: unterminated string starting at"
    assert told == [("kms.trail-unreadable", f"{tmp_path}/x.json: not CloudTrail's JSON: {what}")]


def test_compressed_data_that_swells_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nitroctl.kms.trail_files._ALWAYS_EXPANDED", 1_000_000)
    (tmp_path / "x.json.gz").write_bytes(packed(b" " * 4_000_000))
    assert read(tmp_path / "x.json.gz")[0][0][1].endswith("it expands to more than 200 times its size")


def test_directories_are_read_by_name_and_nothing_is_passed_over(tmp_path: Path) -> None:
    day = tmp_path / "AWSLogs" / "2026" / "11"
    day.mkdir(parents=True)
    (day / "b.json.gz").write_bytes(packed(trails.delivered(TWO)))
    (day / "a.json").write_bytes(trails.delivered(ONE))
    (day / "notes.txt").write_text("hello")
    os.mkfifo(day / "pipe")
    (day / "round").symlink_to(tmp_path)
    (day / "digest.json").write_text('{"digestS3Bucket": "b", "logFiles": []}')
    told, files = read(tmp_path / "AWSLogs")
    assert [each if isinstance(each, int) else each[0] for each in told] == [
        *(0, 1),
        "kms.trail-unreadable",
        "file.not-regular",
        "file.not-regular",
    ]
    assert files.digests == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [("missing", "file.unreadable"), ("empty", "kms.trail-unreadable"), ("a\0b", "file.unreadable")],
)
def test_an_argument_that_is_not_there_is_told(name: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert [each[0] for each in read(f"{tmp_path}/{name}")[0]] == [code]


def test_a_digest_with_a_list_of_records_is_no_digest(tmp_path: Path) -> None:
    content = {"digestS3Bucket": "b", "logFiles": [], "Records": [ONE]}
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert read(tmp_path / "x.json")[0] == [0]


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed(trails.delivered(ONE)))))
    assert read("-")[0] == [0]
    with pytest.raises(UsageError) as caught:
        Files(["-", "x", "-"])
    assert caught.value.code == "usage.invalid"


def test_errors_are_those_of_the_tree(tmp_path: Path) -> None:
    found = list(Files([str(tmp_path / "missing")]).found())
    assert all(isinstance(each, NitroctlError) for each in found)
    assert len(found) == 1
