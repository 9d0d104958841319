"""Print how many documents a core verifies, beside the bare signatures that this takes and beside other verifiers.

    python -m tests.perf.attest_bulk [--documents 10000] [--memory 100000]

``warm``: chains repeat, as in the captures of a fleet: 50 of them for all documents. ``cold``: no certificate but the
root occurs twice, so that each document takes five verifications. ``bare``: P-384 verifications alone, each with its
key loaded from a SubjectPublicKeyInfo. All are CPU time of this process, in turns, because the machine is shared; the
best round of each counts. Scaling to two processes is wall-clock time. Memory is the peak of a process of its own.
Other verifiers are measured where they are installed. Nothing is asserted here.
"""

import argparse
import base64
import contextlib
import functools
import importlib
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from nitroctl import pcr
from nitroctl.evidence import backend, remembered
from nitroctl.evidence.document import parse
from nitroctl.evidence.roots import Root
from nitroctl.evidence.verify import verify
from nitroctl.standin import nsm, pki
from nitroctl.standin.pki import Identity

NOW = datetime.now(UTC).replace(microsecond=0)
CHAINS = 50
ROUNDS = 5
PER_DOCUMENT = 5  # verifications, when nothing is remembered but the root

Chain = tuple[Identity, ...]


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def new_root() -> Identity:
    return pki.issue(pki.root_profile(at=NOW - timedelta(days=30)), None)


def accepted(root: Identity) -> tuple[Root, ...]:
    return (Root("test root", root.certificate.fingerprint(hashes.SHA256()).hex()),)


def new_chain(root: Identity, number: int) -> tuple[str, Chain]:
    """Return a module id and a chain that shares nothing but the root with any other."""
    instance = f"i-{number:017x}"
    module_id = nsm.new_module_id(instance, at=NOW)
    chain = [root]
    for profile in (
        pki.regional_profile("eu-west-1", at=NOW),
        pki.zonal_profile("eu-west-1", at=NOW),
        pki.instance_profile(instance, "eu-west-1", at=NOW),
        pki.leaf_profile(module_id, "eu-west-1", at=NOW),
    ):
        chain.append(pki.issue(profile, chain[-1]))
    return module_id, tuple(chain)


def new_document(module_id: str, chain: Chain, number: int) -> bytes:
    registers = {index: bytes([index + 1]) * 48 for index in range(3)}
    registers[4] = pcr.for_instance(module_id.partition("-enc")[0])
    content = nsm.fields(
        chain, module_id=module_id, pcrs=registers, at=NOW + timedelta(seconds=1), nonce=number.to_bytes(16)
    )
    return nsm.sign1(chain[-1].key, nsm.payload(content))


def new_documents(root: Identity, count: int, *, chains: int) -> Iterator[bytes]:
    """Yield ``count`` documents in the order of ``chains`` chains, made as they are asked for."""
    share = -(-count // chains)
    for number in range(count):
        if number % share == 0:
            module_id, chain = new_chain(root, number)
        yield new_document(module_id, chain, number)


def verify_all(documents: Sequence[bytes], roots: tuple[Root, ...]) -> None:
    for document in documents:
        if not verify(parse(document), roots, at=NOW + timedelta(minutes=1)).report.passed:
            raise SystemExit("a good document was refused")


@dataclass(frozen=True)
class Signature:
    """One signature with its key, as a bare verification takes them."""

    spki: bytes
    signature: bytes
    content: bytes


def signatures(documents: Sequence[bytes]) -> list[Signature]:
    found = []
    for document in documents:
        parsed = parse(document)
        if parsed.document is None or parsed.envelope is None:
            raise SystemExit("a good document was not read")
        key = x509.load_der_x509_certificate(parsed.document.certificate).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        found.append(Signature(spki, backend.der_of(parsed.envelope.signature), parsed.envelope.signed_bytes))
    return found


def bare_cryptography(items: Sequence[Signature]) -> None:
    for item in items:
        key = load_der_public_key(item.spki)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(item.signature, item.content, ec.ECDSA(hashes.SHA384()))


def bare_awscrt(items: Sequence[Signature]) -> None:
    for item in items:
        if not backend._awscrt(item.spki)(item.signature, item.content):
            raise SystemExit("a good signature was refused")


def per_second(count: int, work: Callable[[], object]) -> float:
    """Return how many of ``count`` things a second of this process's CPU time does."""
    begin = time.process_time()
    work()
    return count / (time.process_time() - begin)


@dataclass
class Rates:
    """The best of the rounds, per second."""

    bare: float = 0
    warm: float = 0
    cold: float = 0


def measured(
    warm: Sequence[bytes],
    cold: Sequence[bytes],
    roots: tuple[Root, ...],
    items: Sequence[Signature],
    bare: Callable[[Sequence[Signature]], None],
) -> Rates:
    """Measure in turns; each round takes its own share of the documents, and begins with nothing remembered."""
    rates = Rates()
    verify_all(warm[:50], roots)
    for part in range(ROUNDS):
        rates.bare = max(rates.bare, per_second(len(items), functools.partial(bare, items)))
        for kind, documents in (("warm", warm), ("cold", cold)):
            remembered.forget()
            share = documents[part * len(documents) // ROUNDS : (part + 1) * len(documents) // ROUNDS]
            rate = per_second(len(share), functools.partial(verify_all, share, roots))
            setattr(rates, kind, max(getattr(rates, kind), rate))
    return rates


@contextlib.contextmanager
def using(name: str) -> Iterator[None]:
    """Compute by that backend, and by the one before it afterwards."""
    before = os.environ.get(backend.VARIABLE)
    os.environ[backend.VARIABLE] = name
    remembered.forget()
    try:
        yield
    finally:
        remembered.forget()
        os.environ.pop(backend.VARIABLE)
        if before is not None:
            os.environ[backend.VARIABLE] = before


def print_rates(warm: Sequence[bytes], cold: Sequence[bytes], roots: tuple[Root, ...]) -> Rates:
    """Print the table of both backends and return what the default one does."""
    items = signatures(warm[:: max(1, len(warm) // 400)])
    backends: list[tuple[str, Callable[[Sequence[Signature]], None]]] = [(backend.DEFAULT, bare_cryptography)]
    if installed("awscrt"):
        backends.append((backend.AWSCRT, bare_awscrt))
    say(f"{'backend':<14}{'bare/s':>8}{'warm/s':>8}{'of bare':>9}{'cold/s':>8}{'of bare/5':>11}{'times default':>18}")
    default = Rates()
    for name, bare in backends:
        with using(name):
            rates = measured(warm, cold, roots, items, bare)
        default = default if default.bare else rates
        times = f"{rates.warm / default.warm:.2f} / {rates.cold / default.cold:.2f}"
        say(
            f"{name:<14}{rates.bare:8.0f}{rates.warm:8.0f}{rates.warm / rates.bare:9.2f}{rates.cold:8.0f}"
            f"{rates.cold / (rates.bare / PER_DOCUMENT):11.2f}{times:>18}"
        )
    if len(backends) == 1:
        say(f"{backend.AWSCRT:<14}  absent")
    return default


def installed(module: str) -> bool:
    try:
        importlib.import_module(module)
    except Exception:  # noqa: BLE001  (a peer that cannot be loaded is absent, whatever its reason)
        return False
    return True


def print_scaling(documents: Sequence[bytes], roots: tuple[Root, ...]) -> None:
    """Print how much faster two processes are than one, by the wall clock: the best of three each."""
    context = multiprocessing.get_context("fork")
    best: dict[int, float] = {}
    for _ in range(3):
        for count in (1, 2):
            with context.Pool(count) as pool:
                pool.map(len, [b""] * count)  # the processes are there
                halves = [(documents[number::count], roots) for number in range(count)]
                begin = time.perf_counter()
                pool.starmap(verify_all, halves, chunksize=1)
                best[count] = min(best.get(count, 1e9), time.perf_counter() - begin)
    say(f"2 processes   {len(documents) / best[2]:.0f} documents/s, {best[1] / best[2]:.2f} times one (wall clock)")


def print_memory(most: int) -> None:
    """Print the peak memory of processes that verify 0, 10,000 and ``most`` documents, a new chain every 200."""
    for count in (0, 10_000, most):
        argv = [sys.executable, "-m", "tests.perf.attest_bulk", "--peak", str(count)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        say(f"{count:>7} documents: peak {int(done.stdout) / 1024:.1f} MiB")


def print_peak(count: int) -> None:
    root = new_root()
    roots = accepted(root)
    for document in new_documents(root, count, chains=max(1, count // 200)) if count else ():
        verify_all([document], roots)
    say(str(_peak_kib()))


def print_peers(documents: Sequence[bytes], root: Identity) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "root.pem"
        path.write_bytes(root.pem)
        peers = {
            "epsilon-attestation-verifier": lambda: epsilon(documents, path),
            "pycape": lambda: pycape(documents, root.pem),
        }
        for name, run in peers.items():
            try:
                say(f"{name}: {per_second(len(documents), run):.0f} documents/s")
            except ImportError:
                say(f"{name}: absent")
    bindings = "evervault-attestation-bindings"
    there = installed("evervault_attestation_bindings")
    say(f"{bindings}: {'there, but it takes no root of ours: not measured' if there else 'absent'}")


def epsilon(documents: Sequence[bytes], root: Path) -> None:
    judge = importlib.import_module("epsilon_verifier.verifier").verify_attestation
    for document in documents:
        text = base64.b64encode(document).decode()
        if not judge(text, aws_root_cert_path=str(root), allow_expired=True).valid:
            raise SystemExit("epsilon refused a good document")


def alone(package: str, file: str) -> Any:
    """Load one file of a package without the rest of it, which wants much that is of no use here."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(package)
    spec = importlib.util.spec_from_file_location("alone", Path(found.submodule_search_locations[0]) / file)
    if spec is None or spec.loader is None:
        raise ImportError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pycape(documents: Sequence[bytes], root: bytes) -> None:
    judge = alone("pycape", "_attestation.py").parse_attestation
    for document in documents:
        judge(document, root, checkDate=NOW + timedelta(minutes=1))


def _peak_kib() -> int:
    """Return this program's peak of resident memory. Not ru_maxrss: that keeps the peak of whoever started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000, help="in the warm run")
    parser.add_argument("--cold", type=int, default=1000, help="documents in the cold run")
    parser.add_argument("--memory", type=int, default=100_000, help="documents of the longest memory run; 0: none")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.peak is not None:
        print_peak(wanted.peak)
        return
    root = new_root()
    roots = accepted(root)
    warm = list(new_documents(root, wanted.documents, chains=CHAINS))
    cold = list(new_documents(root, wanted.cold, chains=wanted.cold))
    say(
        f"{len(warm)} documents of {CHAINS} chains, {len(cold)} of as many chains; per core, CPU time, best of {ROUNDS}"
    )
    print_rates(warm, cold, roots)
    print_scaling(warm, roots)
    print_peers(warm[:200], root)
    if wanted.memory:
        print_memory(wanted.memory)


if __name__ == "__main__":
    main()
