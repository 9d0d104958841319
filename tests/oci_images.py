"""Layers and images for the tests, laid out by hand from the formats' descriptions: nothing here uses nitroctl.eif."""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

OCI = "application/vnd.oci.image"
INDEX_TYPE = f"{OCI}.index.v1+json"
MANIFEST_TYPE = f"{OCI}.manifest.v1+json"
CONFIG_TYPE = f"{OCI}.config.v1+json"
LAYER_TYPE = f"{OCI}.layer.v1.tar"
USTAR, GNU, V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
PACKING: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "+gzip": lambda data: gzip.compress(data, mtime=0),
    "+zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


def header(
    name: bytes,
    kind: bytes = b"0",
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 1000,
    link: bytes = b"",
    magic: bytes = USTAR,
    rdev: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
    checksum: int | None = None,
    fields: Mapping[int, bytes] | None = None,
) -> bytes:
    """Return one header block. ``fields``: other bytes, by offset; the checksum covers them."""
    block = bytearray(
        name[:100].ljust(100, b"\0")
        + b"%07o\0%07o\0%07o\0" % (mode, uid, gid)
        + b"%011o\0%011o\0" % (size, mtime)
        + b" " * 8
        + kind
        + link[:100].ljust(100, b"\0")
        + magic
        + bytes(64)
        + b"%07o\0%07o\0" % rdev
        + prefix.ljust(155, b"\0")
        + bytes(12)
    )
    for offset, value in (fields or {}).items():
        block[offset : offset + len(value)] = value
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes = b"", **how: Any) -> bytes:
    return header(name, size=len(data), **how) + padded(data)


def directory(name: bytes, **how: Any) -> bytes:
    return header(name + b"/", b"5", **{"mode": 0o755, **how})


def symlink(name: bytes, target: bytes, **how: Any) -> bytes:
    return header(name, b"2", link=target, **{"mode": 0o777, **how})


def hard_link(name: bytes, target: bytes, **how: Any) -> bytes:
    return header(name, b"1", link=target, **how)


def whiteout(name: bytes) -> bytes:
    above, slash, last = name.rpartition(b"/")
    return file(above + slash + b".wh." + last)


def opaque(name: bytes) -> bytes:
    return file(name + b"/.wh..wh..opq")


def pax(kind: bytes = b"x", **records: bytes | str) -> bytes:
    """Return an extended header; keys with ``_`` for ``.``, as in ``GNU_sparse_map``."""
    return pax_records([(key.replace("_", "."), value) for key, value in records.items()], kind)


def pax_records(records: Sequence[tuple[str, bytes | str]], kind: bytes = b"x") -> bytes:
    data = b""
    for key, value in records:
        text = b" " + key.encode() + b"=" + (value if isinstance(value, bytes) else value.encode()) + b"\n"
        length = len(text) + 1
        while length != len(text) + len(str(length)):
            length += 1
        data += str(length).encode() + text
    return header(b"pax", kind, size=len(data)) + padded(data)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    return header(b"././@LongLink", kind, size=len(name) + 1, magic=GNU) + padded(name + b"\0")


def archive(*members: bytes, end: bytes = bytes(1024)) -> bytes:
    return b"".join(members) + end


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


START: Mapping[str, object] = {
    "Entrypoint": ["/bin/app"],
    "Cmd": ["--serve"],
    "Env": ["PATH=/bin", "MODE=fast"],
    "WorkingDir": "/srv",
    "User": "app",
    "Labels": {"team": "signing"},
}


def config(layers: Sequence[bytes], **changes: object) -> dict[str, object]:
    """Return an image's configuration for ``layers``, unpacked."""
    return {
        "created": "2026-11-20T10:00:00Z",
        "architecture": "amd64",
        "os": "linux",
        "config": dict(START),
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        **changes,
    }


Parts = dict[str, bytes]


def put(parts: Parts, data: bytes, media_type: str, **more: object) -> dict[str, object]:
    """Store a blob; return its descriptor."""
    digest = sha256(data)
    parts["blobs/" + digest.replace(":", "/")] = data
    return {"mediaType": media_type, "digest": digest, "size": len(data), **more}


def manifest(
    parts: Parts,
    layers: Sequence[bytes],
    *,
    packing: str = "+gzip",
    about: Mapping[str, object] | None = None,
    **more: object,
) -> dict[str, object]:
    """Store an image; return the descriptor of its manifest."""
    found = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": put(parts, compact(about or config(layers)), CONFIG_TYPE),
        "layers": [put(parts, PACKING[packing](layer), LAYER_TYPE + packing) for layer in layers],
    }
    return put(parts, compact(found), MANIFEST_TYPE, **more)


def layout(*manifests: Mapping[str, object], parts: Parts) -> Parts:
    """Return a whole image layout: ``parts`` with an index of ``manifests``."""
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": list(manifests)}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": compact(index), **parts}


def image(*layers: bytes, packing: str = "+gzip", **about: object) -> Parts:
    """Return a layout of one image."""
    parts: Parts = {}
    return layout(manifest(parts, layers, packing=packing, about=config(layers, **about)), parts=parts)


def docker_save(*layers: bytes, tags: Sequence[str] = ("app:1",), about: Mapping[str, object] | None = None) -> Parts:
    """Return the members of an archive as Docker before 25 saves it."""
    raw = compact(about or config(layers))
    parts: Parts = {}
    names = []
    for number, layer in enumerate(layers):
        directory_ = hashlib.sha256(b"layer %d" % number).hexdigest()
        parts |= {f"{directory_}/VERSION": b"1.0", f"{directory_}/json": b"{}", f"{directory_}/layer.tar": layer}
        names.append(f"{directory_}/layer.tar")
    name = sha256(raw).removeprefix("sha256:") + ".json"
    parts[name] = raw
    parts["manifest.json"] = compact([{"Config": name, "RepoTags": list(tags), "Layers": names}])
    parts["repositories"] = b"{}"
    return parts


def as_archive(parts: Parts) -> bytes:
    return archive(*(file(name.encode(), data) for name, data in parts.items()))


def as_directory(parts: Parts, path: Path) -> Path:
    for name, data in parts.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
