"""What ``fuzz_eif`` tries: a reader each, the promises it must keep on any bytes, and what its inputs are made of.

A judge returns a word for what became of an input, and the whole answer, which a second run must repeat. A broken
promise is an AssertionError, any exception that is not one of nitroctl's own a finding too. Wherever the reader accepts
an input, the readers of ``tests.eif_model`` must read the same from it.
"""

import base64
import gzip
import hashlib
import io
import os
import random
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cbor2

from nitroctl.checks import Outcome
from nitroctl.eif import compression, cpio, kernel, layers, metadata, remarks, signature, spool, tar, tree
from nitroctl.eif.format import Layout
from nitroctl.eif.measure import measure
from nitroctl.errors import NitroctlError
from tests import archives, eif_model, images, oci_images

#: The answer may come from a call, where making it costs.
Judged = tuple[str, object]
Chance = random.Random
MIB: Final = 1 << 20
SCRATCH: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class Subject:
    """One reader. ``tokens``: what its format is made of. ``repair``: makes an input consistent again, so that what
    lies behind checksums and digests is reached. ``memory``: bytes it may take beyond a multiple of its input.
    """

    name: str
    judge: Callable[[bytes], Judged]
    seeds: Sequence[bytes]
    tokens: Sequence[bytes]
    repair: Callable[[Chance, bytes], bytes] = field(default=lambda _, data: data)
    memory: int = 24 * MIB


class File:
    """A file in memory with a path, for readers that open one."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("fuzz")
        self.path = f"/proc/self/fd/{self._descriptor}"

    def put(self, data: bytes) -> str:
        """Make ``data`` the content; return the path."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)
        return self.path


def numbers(form: str, *values: int) -> list[bytes]:
    """Return numbers that readers trip over in one binary form."""
    width = 8 * struct.calcsize(form)
    return [struct.pack(form, value % (1 << width)) for value in (0, 1, 2, 31, 32, 33, (1 << width - 1), -1, *values)]


# -- images


def _image(file: File, image: bytes) -> Judged:
    found = measure(file.put(image), file_digest=image[-1:] != b"\0")
    accepted = found.report.passed
    assert bool(found.pcrs) == accepted
    seen = views(image, found.layout, found.views)
    if found.sha256:
        assert found.sha256 == hashlib.sha256(image).hexdigest()
    if accepted:
        assert eif_model.every_reader_agrees(image), "readers do not agree on it"
        assert seen
        assert {index: found.pcrs[index] for index in (0, 1, 2)} == seen.pcrs
        contents = {kind: data for _, kind, _, data in seen.sections}
        if images.METADATA in contents:
            assert found.metadata
            assert found.metadata.image_name == eif_model.metadata(contents[images.METADATA])["ImageName"]
        if images.SIGNATURE in contents:
            der = eif_model.signed(contents[images.SIGNATURE], seen.pcrs[0])
            assert der, "another measurement is signed"
            assert found.pcrs[8] == images.extended(hashlib.sha384(der).digest())
        else:
            assert 8 not in found.pcrs
    word = "accepted" if accepted else "refused" if found.layout.agreed else "malformed"
    return word, lambda: (found.report.as_json(), found.pcrs, found.sha256, found.views, found.cmdline, found.metadata)


def views(image: bytes, layout: Layout, found: Sequence[Any]) -> eif_model.Seen | None:
    """Hold what each kind of reader would compute against a reader of that kind; return what the second sees."""
    table, sizes = found
    if layout.header is None or layout.header.magic != b".eif" or layout.header.version not in (2, 3, 4):
        assert not table.pcrs
        assert not sizes.pcrs
        return None
    by_table, by_sizes = eif_model.by_table(image), eif_model.by_sizes(image)
    assert layout.table.complete == (by_table is not None)
    assert layout.sequence.complete == (by_sizes is not None)
    if by_table and sum(len(data) for *_, data in by_table.sections) > 2 * len(image):
        assert not table.pcrs, "work without bound"
    elif by_table:
        assert (table.pcrs, table.crc32) == (by_table.pcrs, by_table.crc32)
    if by_sizes and all(1 <= kind <= 5 for _, kind, _, _ in by_sizes.sections):
        assert (sizes.pcrs, sizes.crc32) == (by_sizes.pcrs, by_sizes.crc32)
    else:
        assert not sizes.pcrs
    return by_sizes


def _repair_image(chance: Chance, image: bytes) -> bytes:
    """Make table, sizes or checksum of an image right again; or lay another one from its sections."""
    if len(image) < 548:
        return image
    kind = chance.random()
    if kind < 0.3:
        parts = list(images.GOOD)
        for _ in range(chance.randrange(4)):
            place = chance.randrange(len(parts) + 1)
            match chance.randrange(4):
                case 0:
                    parts.insert(place, (chance.randrange(7), chance.randbytes(chance.randrange(20))))
                case 1:
                    del parts[place:][:1]
                    parts = parts[:place] + parts[place + 1 :]
                case 2:
                    chance.shuffle(parts)
                case _:
                    parts.insert(place, chance.choice(parts or [(1, b"")]))
        image = images.forge(
            parts[:40],
            version=chance.choice((2, 3, 4, 4, 4, 5)),
            flags=chance.choice((0, 0, 1, 0x240)),
            section_flags={chance.randrange(5): chance.randrange(2)},
            trailing=chance.choice((b"", b"", b"", bytes(5), struct.pack(">HHQ", 3, 0, 2) + b"zz")),
        )
    elif kind < 0.6:
        seen = eif_model.by_sizes(image)
        if seen and len(seen.sections) <= 32:
            offsets = [offset for offset, *_ in seen.sections]
            sizes = [len(data) for *_, data in seen.sections]
            padding = [0] * (32 - len(offsets))
            table = struct.pack(">32Q32Q", *offsets, *padding, *sizes, *padding)
            image = image[:26] + struct.pack(">H", len(offsets)) + table + image[540:]
    return image[:544] + struct.pack(">I", zlib.crc32(image[548:], zlib.crc32(image[:544]))) + image[548:]


def image_subject() -> Subject:
    """Return the image reader and measurer."""
    key, certificate = images.pair("secp256r1")  # the fastest to verify
    pcr0 = images.registers(images.forge())[0]
    section = signature.sign(pcr0, private_key_pem=key, certificate_pem=certificate)
    hidden = struct.pack(">HHQ", images.RAMDISK, 0, 4) + b"evil"
    file = File()
    return Subject(
        "image",
        lambda image: _image(file, image),
        [
            images.forge(),
            images.forge([*images.GOOD, (images.SIGNATURE, section)]),
            images.forge([*images.GOOD, (images.SIGNATURE, b"\x80")]),
            images.forge([(1, b"k"), (2, b""), (3, b"r")], version=3),
            images.forge([(5, images.METADATA_JSON), (1, b"k"), (3, b""), (3, b"r"), (2, b"c\0d")]),
            images.forge(trailing=hidden),
            images.forge(gaps={2: b"gap"}),
            images.forge(offsets={5: 548}, sizes={5: len(images.KERNEL_BYTES)}, count=6),
            images.forge([(1, b"")] * 33),
            images.forge([], count=2),
        ],
        [
            *numbers(">H", 548),
            *numbers(">Q", 548, 560, 1 << 40),
            *(struct.pack(">HHQ", kind, 0, 1) for kind in range(7)),
        ],
        _repair_image,
    )


# -- sections


def _metadata(data: bytes) -> Judged:
    check, found = metadata.examine(data)
    assert (found is None) == (check.outcome is Outcome.FAIL)
    if found:
        other = eif_model.metadata(data)
        assert (found.image_name, found.image_version) == (other["ImageName"], other["ImageVersion"])
        assert found.kernel_version == other["BuildMetadata"]["KernelVersion"]
        assert found.docker_info == other["DockerInfo"]
        assert found.custom == other.get("CustomMetadata")
    return "accepted" if found else "refused", (check, found)


def metadata_subject() -> Subject:
    """Return the reader of metadata sections."""
    return Subject(
        "metadata",
        _metadata,
        [
            images.METADATA_JSON,
            images.METADATA_JSON.replace(b"null", b'{"a":[1,2.5,-0.0,1e3,{"b":"\\ud83d\\ude00"}],"c":true}'),
            images.METADATA_JSON.replace(b',"CustomMetadata":null', b""),
        ],
        [
            *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0"),
            *(b"\\ud800", b"\\udc00", b"\\u0000", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"[" * 70, b"9" * 5000),
            *(b'"ImageName"', b'"BuildMetadata"', b'"DockerInfo":{}', b'"CustomMetadata":', b'"ImageName":"x",'),
        ],
    )


def _signature(pcr0: bytes, section: bytes) -> Judged:
    checks, found = signature.examine(section, pcr0)
    accepted = all(check.outcome is Outcome.PASS for check in checks)
    if accepted:
        assert found
        der = eif_model.signed(section, pcr0)
        assert der == found.certificate.der
        assert found.certificate.pcr8 == images.extended(hashlib.sha384(der).digest())
    return "accepted" if accepted else "refused" if found else "malformed", (checks, found)


def _repair_signature(chance: Chance, section: bytes) -> bytes:
    """Change what lies inside the encodings: certificate, PEM, payload, header or signature, and encode again."""
    try:
        [entry] = cbor2.loads(section)
        pem, cose = bytes(entry["signing_certificate"]), cbor2.loads(bytes(entry["signature"]))
        protected, payload, value = (bytearray(cose[index]) for index in (0, 2, 3))
    except Exception:  # noqa: BLE001  (nothing to be made of it)
        return section
    head, _, rest = pem.partition(b"-----BEGIN CERTIFICATE-----")
    match chance.randrange(4):
        case 0 | 1:
            try:
                der = bytearray(base64.b64decode(rest.split(b"-----END", 1)[0]))
            except ValueError:
                return section
            der = _nudged(chance, der)
            text = base64.encodebytes(der)
            pem = head + b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"
        case 2:
            pem = bytes(_nudged(chance, bytearray(pem)))
        case _:
            part = chance.choice((protected, payload, value))
            part[:] = _nudged(chance, part)
    whole = cbor2.dumps([bytes(protected), {}, bytes(payload), bytes(value)])
    return cbor2.dumps([{"signing_certificate": list(pem), "signature": list(whole)}])


def _nudged(chance: Chance, data: bytearray) -> bytearray:
    place = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            data[place : place + 1] = chance.randbytes(1)
        case 1:
            del data[place : place + chance.choice((1, 2, 10))]
        case 2:
            data[place:place] = chance.choice((b"\n", b" ", b"\0", b"\x30\x80", b"-----BEGIN X-----", b"=", b"\x80"))
        case _:
            data[place:place] = data[chance.randrange(len(data) + 1) :][:40]
    return data


def signature_subject() -> Subject:
    """Return the reader of signature sections."""
    pcr0 = images.registers(images.forge())[0]
    seeds = []
    for curve in ("secp256r1", "secp384r1", "secp521r1"):
        key, certificate = images.pair(curve)
        seeds.append(signature.sign(pcr0, private_key_pem=key, certificate_pem=certificate))
    return Subject(
        "signature",
        lambda section: _signature(pcr0, section),
        [*seeds, b"\x80", b"\x81\xa0"],
        [
            *(
                bytes.fromhex(item)
                for item in ("80", "81", "9f", "ff", "a0", "a2", "bf", "d2", "d8", "f6", "1818", "1800")
            ),
            *(
                bytes.fromhex(item)
                for item in ("9bffffffffffffffff", "5affffffff", "98ff", "99ffff", "8181818181818181")
            ),
            b"\x69signature",
            b"\x73signing_certificate",
        ],
        _repair_signature,
    )


def _kernel(data: bytes) -> Judged:
    found = kernel.identify(io.BytesIO(data), 0, len(data))
    for text in (found.format, found.version, found.banner, found.architecture, found.compression, found.protocol):
        assert text.isascii()
    return found.format.split(" ")[0], found


def kernel_subject() -> Subject:
    """Return what tells kernels apart."""
    banner = b"Linux version 6.12.9-cloud-amd64 (a@b) (gcc) #1 SMP\n\0"
    setup = bytearray(2048)
    setup[0x1FE:0x200], setup[0x202:0x206], setup[0x206:0x208] = b"\x55\xaa", b"HdrS", b"\x0f\x02"
    setup[0x211] = 1
    setup[0x20E:0x210] = (0x400).to_bytes(2, "little")
    setup[0x600 : 0x600 + len(banner)] = banner
    arm = bytearray(64) + bytearray(500) + banner
    arm[56:60] = b"ARM\x64"
    return Subject(
        "kernel",
        _kernel,
        [
            bytes(setup),
            bytes(arm),
            gzip.compress(bytes(arm), mtime=0),
            b"\x7fELF\2\1\1" + bytes(60) + banner,
            b"MZ\0\0zimg" + bytes(16) + b"gzip\0" + bytes(100),
        ],
        [b"HdrS", b"\x55\xaa", b"Linux version ", b"ARM\x64", b"\x7fELF", b"\x1f\x8b", *numbers("<H"), *numbers("<I")],
    )


# -- ramdisks

_RAMDISK_LIMITS: Final = cpio.Limits(members=500, streams=20, text=MIB, faults=8, expanded=MIB, ratio=8)


def _ramdisk(data: bytes) -> Judged:
    reading = cpio.read(io.BytesIO(data), 0, len(data), limits=_RAMDISK_LIMITS)
    members = list(reading)
    assert len(reading.faults) <= _RAMDISK_LIMITS.faults + 1
    assert reading.expanded <= max(_RAMDISK_LIMITS.expanded, 8 * len(data)) + MIB
    others = cpio.read(io.BytesIO(data), 0, len(data), limits=_RAMDISK_LIMITS, digests=False)
    passed_over = list(others)
    assert others.complete == reading.complete
    if reading.complete:
        assert [(one.name, one.offset, one.size) for one in members] == [
            (one.name, one.offset, one.size) for one in passed_over
        ]
    if reading.complete and not reading.faults:
        assert [_entry(member) for member in members] == [_entry(other) for other in eif_model.ramdisk(data)]
    word = "clean" if not reading.faults else "faulty" if reading.complete else "cut"
    return word, (members, reading.faults, reading.archives, reading.compressions, reading.expanded)


def _entry(found: cpio.Member | eif_model.Entry) -> tuple[object, ...]:
    """Return what both readers tell of an entry."""
    if isinstance(found, cpio.Member):
        digest = found.sha256 if stat.S_ISREG(found.mode) else None
        what = found.target or digest
    else:
        regular, link = stat.S_ISREG(found.mode), stat.S_ISLNK(found.mode)
        what = hashlib.sha256(found.content).digest() if regular else found.content if link else b""
        what = what or None
    return (
        *(found.name, found.mode, found.uid, found.gid, found.mtime, found.ino, found.nlink, what),
        *(found.archive, found.compression),
    )


def ramdisk_subject() -> Subject:
    """Return the cpio reader."""
    import bz2
    import lzma

    small = archives.newc([archives.directory("d"), archives.file("d/f", b"data"), archives.symlink("l", "d/f")])
    other = archives.newc([archives.file("x", b"y" * 300)], padding=4)
    return Subject(
        "ramdisk",
        _ramdisk,
        [
            small,
            small + other,
            small + bytes(512) + gzip.compress(other, mtime=0),
            gzip.compress(small, mtime=0) + bytes(3) + gzip.compress(other, mtime=0) + bytes(1),
            bz2.compress(other),
            lzma.compress(other, lzma.FORMAT_XZ),
            lzma.compress(other, lzma.FORMAT_ALONE),
            small.replace(b"070701", b"070702"),
            oci_images.PACKING["+zstd"](small) + bytes(2) + oci_images.PACKING["+zstd"](other),
        ],
        [
            *(
                b"070701",
                b"070702",
                b"070707",
                b"TRAILER!!!\0",
                b"../",
                b"/",
                b"\0",
                b"\0\0\0\0",
                b"00000000",
                b"ffffffff",
            ),
            *(b"FFFFFFFF", b"00000001", b"00001000", b"00001001", b"000081a4", b"000041ed", b"0000a1ff", b"-0000001"),
            *(
                b"0x000001",
                b"+0000001",
                b" 0000001",
                b"0_000001",
                b"\x1f\x8b\x08\0",
                b"BZh9",
                b"\xfd7zXZ\0",
                b"\x5d\0\0",
            ),
            *(small[:128], small[-124:], gzip.compress(b"", mtime=0)),
        ],
        memory=160 * MIB,  # what an xz header may ask of liblzma
    )


# -- archives and images they hold


def _tar(data: bytes) -> Judged:
    try:
        found = tar.Archive(io.BytesIO(data), where="layer")
        members = [(member, b"".join(found.chunks())) for member in found]
    except NitroctlError as error:
        return "refused", (error.code, error.message)
    theirs = eif_model.tar(data)
    assert theirs is None or len(theirs) <= len(members), "Python sees more members"
    for (member, stored), other in zip(members, theirs or (), strict=False):
        if data[other.place + 257 : other.place + 262] == b"ustar":  # else Python takes a prefix where nobody has one
            assert member.name.rstrip(b"/") == other.name.rstrip(b"/"), "another name"
        assert member.size == other.size or member.kind != tar.REGULAR, "another size"
        kind = tar.REGULAR if other.kind in (b"\0", b"7", b"S") else other.kind
        assert member.kind == kind or other.name.endswith(b"/"), "another type"
        assert member.link == other.link or member.kind not in (tar.LINK, tar.SYMLINK), "another link"
        assert _whole(member, stored) == other.content or member.kind != tar.REGULAR, "another content"
    return "read", members


def _whole(member: tar.Member, stored: bytes) -> bytes:
    if member.segments is None:
        return stored
    if member.size > 16 * MIB:
        return b""
    whole, at = bytearray(member.size), 0
    for offset, length in member.segments:
        whole[offset : offset + length] = stored[at : at + length]
        at += length
    return bytes(whole)


def _repair_tar(_chance: Chance, data: bytes) -> bytes:
    """Make the checksum right of every block that looks like a header."""
    edited = bytearray(data)
    for at in range(0, len(edited) - 511, 512):
        block = edited[at : at + 512]
        if block[257:262] == b"ustar" or block[148:150] == b"00":
            block[148:156] = b" " * 8
            edited[at + 148 : at + 156] = b"%06o\0 " % (sum(block) & 0o777777)
    return bytes(edited)


def _members() -> list[bytes]:
    sparse = oci_images.pax_records(
        [
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "hole"),
            ("GNU.sparse.realsize", "2000"),
        ]
    ) + oci_images.file(b"x", b"1\n1000\n4\n".ljust(512, b"\0") + b"data")
    return [
        oci_images.directory(b"etc"),
        oci_images.file(b"etc/motd", b"hello"),
        oci_images.symlink(b"link", b"etc"),
        oci_images.hard_link(b"hard", b"etc/motd"),
        oci_images.file(b"link/new", b"x", uid=1, gid=2, mtime=2_000_000_000),
        oci_images.whiteout(b"etc/motd"),
        oci_images.opaque(b"etc"),
        oci_images.pax(path="a/long/name", mtime="1.5") + oci_images.file(b"cut", b"y"),
        oci_images.long_name(b"n" * 150) + oci_images.file(b"cut"),
        oci_images.header(b"dev", b"3", rdev=(1, 3)),
        sparse,
    ]


_TAR_TOKENS: Final = (
    *(b"ustar\x0000", b"ustar  \0", b"\0", b"\0\0", b"/", b"../", b".wh.", b".wh..wh..opq", b"0000000\0", b"7777777\0"),
    *(
        b"0",
        b"1",
        b"2",
        b"3",
        b"5",
        b"6",
        b"7",
        b"L",
        b"K",
        b"x",
        b"g",
        b"S",
        b"V",
        b"\x80\0\0\0\0\0\0\1",
        b"\xff" * 12,
    ),
    *(b"00000000001\0", b"77777777777\0", b"12 path=x\n", b"11 size=9\n", b"GNU.sparse.map", b"GNU.sparse.realsize"),
    bytes(512),
    bytes(1024),
)


def tar_subject() -> Subject:
    """Return the tar reader."""
    members = _members()
    return Subject(
        "tar",
        _tar,
        [oci_images.archive(*members), *(oci_images.archive(member) for member in members), oci_images.archive()],
        _TAR_TOKENS,
        _repair_tar,
    )


def checked(found: tree.Tree, *, epoch: int) -> None:
    """Hold what is promised of every tree."""
    names = list(found.nodes)
    assert names == sorted(names, key=tree.canonical), "not in canonical order"
    for name, node in found.nodes.items():
        assert node.name == name
        parts = name.split(b"/")
        assert not {b"", b".", b".."} & set(parts), "a name that leads elsewhere"
        assert b"\0" not in name
        above = name.rpartition(b"/")[0]
        assert not above or stat.S_ISDIR(found.nodes[above].mode), "below what is no directory"
        assert 0 <= node.mtime <= epoch
        assert bool(node.target) == stat.S_ISLNK(node.mode)
        if stat.S_ISREG(node.mode):
            assert (node.content is None) == bool(node.hard_link)
        else:
            assert node.content is None
        if node.hard_link:
            first = found.nodes[node.hard_link]
            assert first.content is not None
            assert tree.canonical(node.hard_link) < tree.canonical(name)
            assert (first.mode, first.uid, first.gid, first.mtime) == (node.mode, node.uid, node.gid, node.mtime)
        if node.content and node.content.size <= MIB:
            assert sum(len(piece) for piece in node.content.chunks()) == node.content.size


def _layers(base: bytes, data: bytes) -> Judged:
    with ExitStack() as owned:
        try:
            said = remarks.Remarks()
            budget = layers.Budget(tree.Limits(entries=500, size=64 * MIB, names=MIB), "image")
            files = layers.FileSystem(spool.Spool(owned, SCRATCH), budget, said, epoch=tree.EPOCH)
            files.apply(io.BytesIO(base), where="lower")
            files.apply(io.BytesIO(data), where="upper")
            found = tree.Tree(kind="oci", root=files.root(), nodes=files.nodes(), remarks=said.all())
        except NitroctlError as error:
            return "refused", (error.code, error.message)
        checked(found, epoch=tree.EPOCH)
        answer = [(node.name, node.mode, node.uid, node.mtime, node.target) for node in found.nodes.values()]
        return "applied", (answer, found.root.mode, found.remarks)


def layers_subject() -> Subject:
    """Return what puts layers over one another."""
    members = _members()
    base = oci_images.archive(
        *(oci_images.directory(b"etc"), oci_images.file(b"etc/motd", b"old"), oci_images.symlink(b"link", b"etc")),
        *(oci_images.symlink(b"loop", b"loop"), oci_images.symlink(b"up", b"../.."), oci_images.file(b"plain", b"p")),
        oci_images.hard_link(b"etc/again", b"plain"),
    )
    return Subject(
        "layers",
        lambda data: _layers(base, data),
        [oci_images.archive(*members), *(oci_images.archive(member) for member in members)],
        (*_TAR_TOKENS, b"etc", b"link/", b"loop/x", b"up/x", b"plain/x", b"etc/motd/below", b".wh.etc", b".wh.link"),
        _repair_tar,
    )


_BREAK: Final = b"\n@@\n"


def _source(file: File, data: bytes) -> Judged:
    """Read an image whose parts are the input's, put together with right digests: ``@0``…, sizes ``#0``… of parts."""
    parts = data.split(_BREAK, 5)
    members: list[bytes] = []
    for number in range(len(parts) - 1, -1, -1):
        for lower in range(number + 1, len(parts)):
            parts[number] = parts[number].replace(b"@%d" % lower, b"sha256:" + _hex(parts[lower]))
            parts[number] = parts[number].replace(b"#%d" % lower, b"%d" % len(parts[lower]))
        if number:
            members.append(oci_images.file(b"blobs/sha256/" + _hex(parts[number]), parts[number]))
    name = b"manifest.json" if parts[0][:1] == b"[" else b"index.json"
    members += [oci_images.file(name, parts[0]), oci_images.file(b"oci-layout", b'{"imageLayoutVersion":"1.0.0"}')]
    return _opened(file, oci_images.archive(*members), {b"sha256:" + _hex(part) for part in parts[1:]})


def _hex(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _opened(file: File, data: bytes, digests: set[bytes] | None = None) -> Judged:
    limits = tree.Limits(entries=500, size=64 * MIB, names=MIB)
    try:
        opened = tree.open_source(file.put(data), scratch=SCRATCH, limits=limits)
    except NitroctlError as error:
        return "refused", (error.code, error.message)
    with opened as found:
        checked(found, epoch=tree.EPOCH)
        if found.config and digests is not None:
            assert found.config.id.encode() in digests, "no part has the digest of the configuration"
            assert not found.config.manifest or found.config.manifest.encode() in digests
        return found.kind, (found.config, list(found.nodes), found.remarks)


def source_subject() -> Subject:
    """Return the reader of OCI layouts and docker archives, behind their digests."""
    file = File()
    layer = oci_images.archive(oci_images.directory(b"bin"), oci_images.file(b"bin/app", b"app", mode=0o755))
    config = oci_images.compact(oci_images.config([layer])).replace(oci_images.sha256(layer).encode(), b"@3")
    kind = oci_images.OCI.encode()
    manifest = (
        b'{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"@2",'
        b'"size":#2},"layers":[{"mediaType":"%s.layer.v1.tar","digest":"@3","size":#3}]}' % (kind, kind, kind)
    )
    index = (
        b'{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"@1","size":#1,'
        b'"annotations":{"org.opencontainers.image.ref.name":"app:1"},"platform":{"os":"linux","architecture":"amd64"}}]}'
        % kind
    )
    packed = config.replace(b"@3", oci_images.sha256(layer).encode())
    docker = b'[{"Config":"blobs/sha256/%s","RepoTags":["app:1"],"Layers":["blobs/sha256/%s"]}]' % (
        _hex(packed),
        _hex(layer),
    )
    return Subject(
        "source",
        lambda data: _source(file, data),
        [
            _BREAK.join((index, manifest, config, layer)),
            _BREAK.join((index, manifest, packed, gzip.compress(layer, mtime=0))),
            _BREAK.join((docker, b"{}", packed, layer)),
        ],
        [
            *(
                _BREAK,
                b"@1",
                b"@2",
                b"@3",
                b"#3",
                b"sha256:",
                b"sha512:",
                b"{",
                b"}",
                b"[",
                b"]",
                b'"',
                b",",
                b"null",
                b"-1",
            ),
            *(
                b"1e5",
                b"[]",
                b"{}",
                b'"os"',
                b'"Entrypoint":',
                b'"Env":[',
                b'"rootfs"',
                b'"diff_ids"',
                b"+gzip",
                b"+zstd",
            ),
            *(b"application/vnd.oci.image.index.v1+json", b"linux/arm64", b"..", b"/", b"\xff", b"\\ud800", b"[" * 200),
        ],
        memory=160 * MIB,
    )


def archive_subject() -> Subject:
    """Return the reader of whole archives, whatever they are."""
    file = File()
    layer = oci_images.archive(oci_images.file(b"bin/app", b"app"))
    seeds = [
        oci_images.as_archive(oci_images.image(layer, packing="")),
        oci_images.as_archive(oci_images.image(layer)),
        oci_images.as_archive(oci_images.docker_save(layer)),
        oci_images.archive(*_members()),
        gzip.compress(oci_images.archive(*_members()), mtime=0),
    ]
    return Subject("archive", lambda data: _opened(file, data), seeds, _TAR_TOKENS, _repair_tar, memory=160 * MIB)


def _unpacked(data: bytes) -> Judged:
    pieces: list[bytes] = []
    try:
        stream = compression.unpacked(io.BufferedReader(io.BytesIO(data)), where="layer")
        total = 0
        while total < 8 * MIB and (piece := stream.read(MIB)):
            pieces.append(piece)
            total += len(piece)
    except NitroctlError as error:
        return "refused", (error.code, error.message)
    if total < 8 * MIB and data[:4] != b"\x28\xb5\x2f\xfd" and data[1:4] != b"\x2a\x4d\x18":
        assert b"".join(pieces) == eif_model.unpacked(data)
    return "unpacked" if total < 8 * MIB else "large", pieces


def compression_subject() -> Subject:
    """Return what unpacks layers."""
    import bz2
    import lzma

    text = b"layer" * 40
    seeds = [
        gzip.compress(text, mtime=0),
        gzip.compress(text, mtime=0) + gzip.compress(b"", mtime=0) + bytes(20),
        bz2.compress(text) + bz2.compress(b"more"),
        lzma.compress(text, lzma.FORMAT_XZ) + lzma.compress(b"more", lzma.FORMAT_XZ),
        oci_images.PACKING["+zstd"](text) + b"\x50\x2a\x4d\x18\2\0\0\0ab" + oci_images.PACKING["+zstd"](bytes(300_000)),
    ]
    tokens = [
        b"\x1f\x8b\x08",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"\x5f\x2a\x4d\x18",
        *numbers("<I"),
        bytes(8),
    ]
    return Subject("compression", _unpacked, seeds, tokens, memory=320 * MIB)


SUBJECTS: Final[dict[str, Callable[[], Subject]]] = {
    "image": image_subject,
    "metadata": metadata_subject,
    "signature": signature_subject,
    "kernel": kernel_subject,
    "ramdisk": ramdisk_subject,
    "tar": tar_subject,
    "layers": layers_subject,
    "source": source_subject,
    "archive": archive_subject,
    "compression": compression_subject,
}


def chosen(names: Sequence[str]) -> Iterator[Subject]:
    """Yield the subjects called ``names``; all of them for none."""
    for name in names or SUBJECTS:
        yield SUBJECTS[name]()
