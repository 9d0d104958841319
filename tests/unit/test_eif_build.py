"""The plan of an image: its instant, its metadata, and what there is to say about making it again."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nitroctl.eif import build, parts, recipe, unpinned
from nitroctl.eif.build import Plan
from nitroctl.eif.parts import Given
from nitroctl.eif.tree import Concern, ImageConfig, Tree, open_source
from nitroctl.errors import CannotAnswer, UsageError
from tests import images
from tests.unit.test_eif_parts import bzimage, elf


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Tree]:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for name, content in {"bzImage": bzimage(), "init": elf(62), "cmdline": b"panic=1\n"}.items():
        (blobs / name).write_bytes(content)
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs/app").write_bytes(b"#!/bin/true\n")
    with open_source(str(tmp_path / "rootfs")) as tree:
        yield tree


def planned(source: Tree, tmp_path: Path, **how: Any) -> Plan:
    found = parts.find(Given(directory=str(tmp_path / "blobs")), architecture=None)
    return build.plan(source, found, recipe.command(None, cmd=["/app"]), **{"epoch": 7, **how})


@pytest.mark.parametrize(("text", "epoch"), [(None, 1492533000), ("", 1492533000), ("0", 0), ("4294967295", 2**32 - 1)])
def test_the_instant_that_no_time_is_after(text: str | None, epoch: int) -> None:
    assert build.source_date_epoch(text) == epoch


@pytest.mark.parametrize("text", ["x", " 1", "-1", "1e3", "4294967296", "٣"])
def test_an_instant_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is not a number of seconds from 0 to 4294967295"):
        build.source_date_epoch(text)


def test_what_is_written_is_what_the_registers_say(source: Tree, tmp_path: Path) -> None:
    stream = io.BytesIO()
    seen: list[int] = []
    written = build.write(stream, planned(source, tmp_path), on_bytes=seen.append)
    assert written.pcrs == images.registers(stream.getvalue())
    kernel, _, _, boot, application = (section.size for section in written.sections)
    assert sum(seen) == kernel + boot + application


def test_a_plan_can_be_written_again(source: Tree, tmp_path: Path) -> None:
    plan, streams = planned(source, tmp_path), [io.BytesIO(), io.BytesIO()]
    for stream in streams:
        build.write(stream, plan)
    assert streams[0].getvalue() == streams[1].getvalue()


def test_the_signature_is_over_the_pcr0_of_what_was_written(source: Tree, tmp_path: Path) -> None:
    asked: list[bytes] = []

    def sign(pcr0: bytes) -> bytes:
        asked.append(pcr0)
        return b"section"

    stream = io.BytesIO()
    written = build.write(stream, planned(source, tmp_path, sign=sign))
    assert asked == [written.pcrs[0]]
    assert [section.kind for section in written.sections][-1] == "signature"
    assert stream.getvalue().endswith(b"section")


def test_metadata_that_no_reader_would_take_is_refused(source: Tree, tmp_path: Path) -> None:
    deep: object = None
    for _ in range(70):
        deep = [deep]
    with pytest.raises(CannotAnswer, match="the image cannot be written: the metadata is nested more than 64 deep"):
        planned(source, tmp_path, custom={"deep": deep})


def test_the_version_of_an_image_is_its_id(source: Tree, tmp_path: Path) -> None:
    config = ImageConfig(id="sha256:" + "a" * 64, names=("registry:5000/app@sha256:0",), cmd=("/app",))
    tree = Tree(kind="docker", root=source.root, nodes=source.nodes, config=config)
    found = json.loads(planned(tree, tmp_path).metadata)
    assert (found["ImageName"], found["ImageVersion"]) == ("registry:5000/app", "a" * 64)


def test_what_nothing_pins_comes_first(source: Tree, tmp_path: Path) -> None:
    plan = planned(source, tmp_path)
    build.write(io.BytesIO(), plan)
    remarks = unpinned.remarks(plan, deterministic_signature=False, epoch_given=True)
    order = [remark.concern for remark in remarks]
    assert order == sorted(order, key=[Concern.UNPINNED, Concern.LOST, Concern.CHANGED].index)
    assert [remark.id for remark in remarks if remark.concern is Concern.UNPINNED] == [
        *("build.part", "build.part", "build.part"),
        "build.source-date-epoch",
        "build.signature-random",
    ]
    quiet = unpinned.remarks(plan, deterministic_signature=True, epoch_given=False)
    assert {remark.id for remark in quiet if remark.concern is Concern.UNPINNED} == {"build.part"}
