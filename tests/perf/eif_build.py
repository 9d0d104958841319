"""Print time and memory of ``nitroctl eif build`` as ratios to ``tar`` plus one SHA-384 by OpenSSL of the same data.

    python -m tests.perf.eif_build [--rounds 3] [--mib 1024] [--directory DIR]

The root file system is random bytes (no holes), most of it in large files and a sixteenth in files of 4 KiB, laid in a
temporary directory that is removed after. It is built from as a directory, as a tar archive, and as an OCI layout with
one gzip layer, whose yardstick is ``tar -xz`` in place of ``tar -c``. Whole processes, start-up included, files in the
page cache, rounds interleaved; of each the least wall and CPU time counts. A build reads, writes and hashes the data
for three registers, and then measures the file anew. Nothing is asserted here.
"""

import argparse
import gzip
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.perf.eif_measure import Run, peak, run

_MIB = 1024 * 1024
_NITROCTL = (sys.executable, "-m", "nitroctl")


def lay(directory: Path, mib: int) -> None:
    """Write the root file system, the same sources in three forms, and the blobs."""
    root = directory / "rootfs"
    (root / "bin").mkdir(parents=True)
    (root / "bin/app").write_bytes(b"#!/bin/true\n")
    (root / "bin/app").chmod(0o755)
    small = mib * _MIB // 16
    for number in range(small // 4096):
        place = root / f"small/{number // 256}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}").write_bytes(os.urandom(4096))
    left, number = mib * _MIB - small, 0
    while left > 0:
        with (root / f"large-{number}").open("wb") as stream:
            for _ in range(min(64, -(-left // _MIB))):
                stream.write(os.urandom(_MIB))
        left -= 64 * _MIB
        number += 1
    run([_tool("tar"), "-C", str(root), "-cf", str(directory / "rootfs.tar"), "."])
    _layout(directory / "layout", directory / "rootfs.tar")
    blobs = directory / "blobs"
    blobs.mkdir()
    for name, content in {"bzImage": b"kernel", "init": b"init", "nsm.ko": b"driver", "cmdline": b"panic=1\n"}.items():
        (blobs / name).write_bytes(content)


def _layout(layout: Path, layer: Path) -> None:
    """Write an OCI image layout with ``layer``, compressed, as its one layer."""
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    packed = layout / "layer.gz"
    with layer.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as stream:
        shutil.copyfileobj(plain, stream, _MIB)
    described = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **_described(packed)}
    packed.rename(blobs / str(described["digest"]).partition(":")[2])
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/app"]},
        "rootfs": {"type": "layers", "diff_ids": [_described(layer)["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **_stored(blobs, config)},
        "layers": [described],
    }
    index = [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **_stored(blobs, manifest)}]
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": index}))


def _stored(blobs: Path, document: Mapping[str, object]) -> Mapping[str, object]:
    data = json.dumps(document).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def _described(path: Path) -> Mapping[str, str | int]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_MIB):
            digest.update(chunk)
    return {"digest": f"sha256:{digest.hexdigest()}", "size": path.stat().st_size}


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return found


def cases(directory: Path) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """Yield what is built from, our command, and the commands that are its yardstick."""
    archive = str(directory / "again.tar")
    pack = [_tool("tar"), "-C", str(directory / "rootfs"), "-cf", archive, "."]
    digest = [_tool("openssl"), "dgst", "-sha384"]
    ours = ["--blobs", str(directory / "blobs"), "--output-file", str(directory / "image.eif"), "--json"]
    start = ["--cmd", "/bin/app", "--platform", "linux/amd64"]
    yield "directory", ["eif", "build", str(directory / "rootfs"), *start, *ours], [pack, [*digest, archive]]
    tar = str(directory / "rootfs.tar")
    yield "tar", ["eif", "build", tar, *start, *ours], [pack, [*digest, archive]]
    layer = max((directory / "layout/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    unpack = [_tool("tar"), "-xzf", str(layer), "-C", str(directory / "unpacked")]
    yield "OCI layout (gzip)", ["eif", "build", str(directory / "layout"), *ours], [unpack, [*digest, tar]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--directory", type=Path, help="where the data is laid, in a directory of its own")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.directory) as name:
        directory = Path(name)
        lay(directory, asked.mib)
        (directory / "unpacked").mkdir()
        say(f"{asked.mib} MiB, {asked.rounds} rounds, {os.cpu_count()} processors")
        for label, ours, theirs in cases(directory):
            built: list[Run] = []
            yardstick: list[list[Run]] = []
            for _ in range(asked.rounds):
                yardstick.append([run(argv) for argv in theirs])
                built.append(run([*_NITROCTL, *ours]))
            wall, cpu = min(each.wall for each in built), min(each.cpu for each in built)
            their_wall = sum(min(each[step].wall for each in yardstick) for step in range(len(theirs)))
            their_cpu = sum(min(each[step].cpu for each in yardstick) for step in range(len(theirs)))
            memory = peak(*ours) - peak()
            say(
                f"{label:18} wall {wall:6.2f} s, {wall / their_wall:4.2f} times {their_wall:5.2f} s; "
                f"CPU {cpu:6.2f} s, {cpu / their_cpu:4.2f} times {their_cpu:5.2f} s; "
                f"peak {memory:.0f} MiB over the interpreter"
            )


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
