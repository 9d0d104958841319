"""Throw hostile documents at the evidence readers: ``python -m tests.perf.fuzz_evidence --seconds 60``.

Each execution mutates a document (the lab's, the shared real ones where they are, bare or wrapped in text) and asks:
does only a NitroctlError come out; is the answer the same a second time (sampled); does cbor2 read what our reader
lets pass in the same way (sampled); is nothing accepted but what was signed? A share of the payloads and certificates
is signed anew after the mutation, so that what lies behind a signature is reached too. ``--engine atheris`` lets
coverage guide the mutations where that package is installed.
Inputs that break a promise are kept in ``--keep DIR``; the last line counts.
"""

import argparse
import base64
import hashlib
import importlib
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import cbor2

from nitroctl.errors import NitroctlError
from tests.conftest import VECTORS

#: What is sampled is done once in so many executions.
OFTEN, SELDOM, SAMPLED = 4, 16, 64
REPORTED = 15.0
INTERESTING = bytes.fromhex("0017181b1c1f2037383b40575f60777f8084989fa0a1b8bfc0c2d2d8f4f5f6f7f8f9fbff")
ITEMS = [
    bytes.fromhex(item)
    for item in (  # small items, and large claims
        *("00", "17", "1818", "20", "3863", "1bffffffffffffffff", "3bffffffffffffffff", "40", "4100", "60", "6161"),
        *("80", "8100", "9fff", "a0", "a10000", "bfff", "c249010000000000000000", "d81c80", "d9d9f7a0", "f4", "f5"),
        *("f6", "f7", "f97e00", "fb7ff8000000000000", "5f4100ff", "7f6161ff", "1c", "5fff", "9bffffffffffffffff"),
        *("bbffffffffffffffff", "5affffffff", "818181818181818100"),
    )
]


@dataclass
class Subject:
    """What is tried: loaded late, so that an engine can watch the modules as they are imported."""

    unwrap: Callable[[bytes], Any]
    parse: Callable[..., Any]
    verify: Callable[..., Any]
    load_certificate: Callable[[bytes], Any]
    certificate_fault: type[Exception]
    diagnose: Callable[[bytes], Any]
    read: Callable[[bytes], Any]
    cbor_fault: type[Exception]
    roots: tuple[Any, ...]
    at: datetime
    resign: Callable[[random.Random, Callable[[bytes], bytes]], bytes]
    recertify: Callable[[random.Random, Callable[[bytes], bytes]], bytes]
    seeds: list[bytes]
    certificates: list[bytes]
    signed: set[bytes] = field(default_factory=set)


def load() -> Subject:
    """Import everything and gather the seeds: each as raw CBOR."""
    from nitroctl.evidence import cbor, certificate, container, diagnostic, document, roots, verify
    from nitroctl.standin import lab, lab_change, nsm

    chain = lab_change.good_chain()
    fields = nsm.fields(
        chain, module_id=lab_change.MODULE_ID, pcrs=lab_change.PCRS, at=lab_change.AT, nonce=b"n", user_data=b"u"
    )
    payloads = [nsm.payload(fields), nsm.payload(fields, indefinite=False)]

    def resign(chance: random.Random, mutate: Callable[[bytes], bytes]) -> bytes:
        if chance.random() < 0.5:
            content = mutate(chance.choice(payloads))
        else:
            pairs: list[tuple[object, object]] = list(fields)
            place = chance.randrange(len(pairs))
            value = nsm.Encoded(chance.choice(ITEMS))
            key = pairs[place][0]
            match chance.randrange(4):
                case 0:
                    pairs[place] = (key, value)
                case 1:
                    pairs.insert(place, (value, 1))
                case 2:
                    pairs.append((key, value))
                case _:
                    del pairs[place]
            content = nsm.payload(pairs)
        return nsm.sign1(chain[-1].key, content)

    def recertify(chance: random.Random, mutate: Callable[[bytes], bytes]) -> bytes:
        number = chance.randrange(1, 5)
        signed = mutate(chain[number].certificate.tbs_certificate_bytes)
        der = lab_change.signed_certificate(signed[:2000], chain[number - 1].key)
        if number == lab_change.LEAF:
            change = lab_change.put(certificate=der)
        else:
            change = lab_change.bundle(lambda ders: [*ders[:number], der, *ders[number + 1 :]])
        return nsm.sign1(chain[-1].key, nsm.payload(change(fields)))

    real = sorted(VECTORS.glob("attestation/*.cbor")) + sorted(VECTORS.glob("nitrotpm/*.cbor"))
    seeds = [case.build() for case in lab.CASES] + [path.read_bytes() for path in real]
    subject = Subject(
        unwrap=container.unwrap,
        parse=document.parse,
        verify=verify.verify,
        load_certificate=certificate.load,
        certificate_fault=certificate.CertificateFault,
        diagnose=diagnostic.diagnose,
        read=lambda content: cbor.scan(content).value,
        cbor_fault=cbor.CborFault,
        roots=(*roots.AWS_ROOTS, *lab_change.accepted()),
        at=lab_change.AT,
        resign=resign,
        recertify=recertify,
        certificates=[identity.der for identity in chain],
        seeds=[seed for seed in seeds if len(seed) <= document.MAX_BYTES],
    )
    for seed in subject.seeds:
        parsed = subject.parse(seed)
        when = parsed.document.time if parsed.document else subject.at
        if subject.verify(parsed, subject.roots, at=when).report.passed:
            subject.signed.add(parsed.envelope.signed_bytes)
    return subject


@dataclass
class Campaign:
    """Counts, and keeps what breaks a promise."""

    subject: Subject
    keep: Path
    began: float = field(default_factory=time.monotonic)
    said: float = 0.0
    executions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    seen: set[str] = field(default_factory=set)

    def execute(self, content: bytes, *, ours: bool = False) -> None:
        """Try one input; ``ours``: it was signed anew here, so it may be accepted."""
        self.executions += 1
        try:
            outcome, details = self.judge(content, ours=ours)
            if self.executions % SAMPLED == 0 and self.judge(content, ours=ours)[1]() != details():
                raise AssertionError("another answer on the second run")
            self.outcomes[outcome] += 1
        except Exception as error:  # noqa: BLE001  (any exception is the finding)
            self.found(content, error)
        if time.monotonic() - self.said > REPORTED:
            self.say()

    def judge(self, content: bytes, *, ours: bool) -> tuple[str, Callable[[], object]]:
        """Return what became of the input, in a word and (when asked) whole: two runs must agree on it."""
        subject = self.subject
        try:
            unwrapped = subject.unwrap(content)
        except NitroctlError as error:
            said = error.code, error.message
            return "unreadable", lambda: said
        strict = content[-1:] == b"\x01"
        if self.executions % SELDOM == 0:
            subject.diagnose(unwrapped.cbor)
        parsed = subject.parse(unwrapped.cbor, strict=strict)
        if self.executions % OFTEN == 0:
            for item in (unwrapped.cbor, parsed.envelope.payload if parsed.envelope else b""):
                self.second_reader(item)
        at = parsed.document.time if parsed.document else subject.at
        verified = subject.verify(parsed, subject.roots, at=at)
        if verified.report.passed and not ours and parsed.envelope.signed_bytes not in subject.signed:
            raise AssertionError("accepted, though nobody signed it")
        word = "accepted" if verified.report.passed else "refused" if parsed.document else "malformed"
        return word, verified.report.as_json

    def second_reader(self, content: bytes) -> None:
        """Hold what our reader makes of an item against cbor2's reading: the same value of the same types."""
        try:
            ours = self.subject.read(content)
        except self.subject.cbor_fault:
            return
        if repr(cbor2.loads(content, allow_duplicate_keys=False)) != repr(ours):
            raise AssertionError("cbor2 reads it differently")

    def certificate(self, der: bytes) -> None:
        """Try to read one certificate."""
        self.executions += 1
        try:
            self.subject.load_certificate(der)
            self.outcomes["certificate"] += 1
        except self.subject.certificate_fault:
            self.outcomes["no-certificate"] += 1
        except Exception as error:  # noqa: BLE001  (any exception is the finding)
            self.found(der, error)

    def found(self, content: bytes, error: Exception) -> None:
        """Keep the input, once for each place."""
        self.broken += 1
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__}-{Path(frame.filename).stem}-{frame.lineno}"
        if place in self.seen:
            return
        self.seen.add(place)
        self.keep.mkdir(parents=True, exist_ok=True)
        name = f"{place}-{hashlib.sha256(content).hexdigest()[:12]}"
        (self.keep / name).write_bytes(content)
        (self.keep / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
        sys.stderr.write(f"FOUND {place}: {error}\n")

    def say(self) -> None:
        """Write the counts so far."""
        self.said = time.monotonic()
        spent = self.said - self.began
        counts = " ".join(f"{name}={count}" for name, count in sorted(self.outcomes.items()))
        sys.stderr.write(
            f"executions={self.executions} seconds={spent:.0f} per_second={self.executions / spent:.0f} "
            f"broken={self.broken} {counts}\n"
        )
        sys.stderr.flush()


def mutated(chance: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Return ``content`` with one to four small changes."""
    edited = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        chance.choice(CHANGES)(chance, edited, chance.randrange(len(edited) + 1), others)
    return bytes(edited)


def _flip(chance: random.Random, edited: bytearray, place: int, _others: list[bytes]) -> None:
    if place < len(edited):
        edited[place] ^= 1 << chance.randrange(8)


def _set(chance: random.Random, edited: bytearray, place: int, _others: list[bytes]) -> None:
    edited[place : place + 1] = bytes([chance.choice(INTERESTING)])


def _set_early(chance: random.Random, edited: bytearray, place: int, others: list[bytes]) -> None:
    """Change a head of the envelope."""
    _set(chance, edited, place % 24, others)


def _cut(chance: random.Random, edited: bytearray, place: int, _others: list[bytes]) -> None:
    del edited[place : place + chance.choice((1, 1, 2, 4, 50, 500))]


def _insert(chance: random.Random, edited: bytearray, place: int, _others: list[bytes]) -> None:
    edited[place:place] = chance.choice((chance.choice(ITEMS), chance.randbytes(chance.choice((1, 2, 4, 8)))))


def _overwrite(chance: random.Random, edited: bytearray, place: int, _others: list[bytes]) -> None:
    item = chance.choice(ITEMS)
    edited[place : place + len(item)] = item


def _repeat(chance: random.Random, edited: bytearray, place: int, _others: list[bytes]) -> None:
    start = chance.randrange(len(edited) + 1)
    edited[place:place] = edited[start : start + chance.choice((1, 4, 48, 300))]


def _splice(chance: random.Random, edited: bytearray, place: int, others: list[bytes]) -> None:
    other = chance.choice(others)
    edited[place:] = other[chance.randrange(len(other) + 1) :]


CHANGES = (_flip, _flip, _set, _set_early, _cut, _insert, _overwrite, _repeat, _splice)


def wrapped(chance: random.Random, content: bytes) -> bytes:
    """Return ``content`` in one of the texts that documents travel in."""
    return chance.choice(WRAPPINGS)(content)


def _json(content: bytes) -> bytes:
    text = base64.b64encode(content).decode()
    return json.dumps({"attestation_document": text, "x": [1, {"doc": None}]}).encode()


WRAPPINGS: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: content.hex().encode(),
    lambda content: b"0x" + content.hex().upper().encode(),
    base64.b64encode,
    lambda content: base64.urlsafe_b64encode(content).rstrip(b"="),
    base64.encodebytes,
    lambda content: b"-----BEGIN X-----\n" + base64.encodebytes(content) + b"-----END X-----\n",
    _json,
    lambda content: json.dumps({"evidence": {"type": "Buffer", "data": list(content)}}).encode(),
)


def step(campaign: Campaign, chance: random.Random) -> None:
    """Make one execution of a kind chosen by chance: most are cheap ones that the parser ends."""
    seeds = campaign.subject.seeds

    def mutate(content: bytes) -> bytes:
        return mutated(chance, content, seeds)

    kind = chance.random()
    if kind < 0.66:
        campaign.execute(mutate(chance.choice(seeds)))
    elif kind < 0.80:
        campaign.execute(mutated(chance, wrapped(chance, chance.choice(seeds)[:1500]), seeds))
    elif kind < 0.95:
        campaign.certificate(mutate(chance.choice(campaign.subject.certificates)))
    elif kind < 0.98:
        campaign.execute(campaign.subject.resign(chance, mutate), ours=True)
    else:
        campaign.execute(campaign.subject.recertify(chance, mutate), ours=True)


def by_chance(campaign: Campaign, seconds: float, chance: random.Random) -> None:
    """Mutate by chance until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(200):
            step(campaign, chance)


def by_coverage(atheris: Any, campaign: Campaign, seconds: float, corpus: Path) -> None:
    """Let libFuzzer keep what reaches new code. Does not return: the engine ends the process."""
    seeds = campaign.subject.seeds
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
        if number % 16 == 0:
            (corpus / f"text-{number}").write_bytes(wrapped(random.Random(number), seed[:1500]))

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5 or not data:
            return bytes(atheris.Mutate(data, max_size))
        return mutated(chance, data, seeds)[:max_size]

    arguments = ["fuzz", f"-max_total_time={int(seconds)}", "-max_len=16384", "-rss_limit_mb=2048", "-verbosity=0"]
    atheris.Setup([*arguments, str(corpus)], campaign.execute, custom_mutator=mutator)
    atheris.Fuzz()


def main() -> None:
    """Run a campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--engine", choices=["random", "atheris"], default="random")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--seed", type=int, default=None, help="for --engine random; a fresh one is printed")
    options = parser.parse_args()
    if options.engine == "atheris":
        atheris = importlib.import_module("atheris")
        with atheris.instrument_imports(include=["nitroctl.evidence", "nitroctl.checks"]):
            campaign = Campaign(load(), options.keep)
        by_coverage(atheris, campaign, options.seconds, options.keep / "corpus")
        return
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    sys.stderr.write(f"seed={seed}\n")
    campaign = Campaign(load(), options.keep)
    by_chance(campaign, options.seconds, random.Random(seed))
    campaign.say()
    sys.exit(1 if campaign.broken else 0)


if __name__ == "__main__":
    main()
