"""Print how long ``nitroctl kms prove`` takes with the size of the policy, beside reading it, and on hostile policies.

    python -m tests.perf.kms_prove

``generated``: what ``kms generate`` writes for so many releases, which is proved. ``attacked``: the same with a
statement that lets the account's IAM policies decide, which has bypasses until the Denies; and one without the Denies.
``recorded``: asked with the ledger. ``hostile``: policies of the largest size made to be slow. Times are CPU time of
this process, the best of some rounds; ``read`` is reading the same text with ``kms.document``. Nothing is asserted.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from nitroctl.errors import CannotAnswer
from nitroctl.kms.authorize import Policies
from nitroctl.kms.document import PolicyDocument, parse
from nitroctl.kms.generate import Targets, generate
from nitroctl.kms.key_policy import SIZE_LIMIT
from nitroctl.kms.principals import roles
from nitroctl.kms.prove import Proof, Property, prove
from nitroctl.records import Entry, Ledger
from tests.kms_requests import ACCOUNT, AT, PCR0, ROOT, statement
from tests.records import active, register

ROUNDS: Final = 3
NAMES: Final = ("signer", "keeper", "writer")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def releases(count: int) -> list[Entry]:
    return [
        active(
            f"{number}", component=f"c{number}", pcrs={0: register(number), 1: register(1), 2: register(2)}, pin=(0,)
        )
        for number in range(count)
    ]


def generated(count: int) -> list[dict[str, Any]]:
    signer, keeper, writer = (roles([f"arn:aws:iam::{ACCOUNT}:role/{name}"], option="") for name in NAMES)
    made = generate(releases(count), Targets(enclave_roles=signer, admin_roles=keeper, policy_writers=writer))
    return [each.as_json() for each in made.statements]


def text(statements: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def filled(make: Callable[[int], Mapping[str, Any]], *first: Mapping[str, Any]) -> str:
    """Return the largest policy of statements that ``make`` numbers."""
    made = [*first]
    while len(text([*made, make(len(made))])) <= SIZE_LIMIT:
        made.append(make(len(made)))
    return text(made)


def most() -> int:
    """Return how many releases a generated policy can hold."""
    count = 60
    while True:
        try:
            generated(count + 1)
        except CannotAnswer:
            return count
        count += 1


def gate(number: int, **condition: dict[str, Any]) -> dict[str, Any]:
    return statement(Sid=f"s{number}", Condition=condition)


def hostile() -> Iterator[tuple[str, str]]:
    """Yield policies of the largest size, and what is bad about each."""
    everybody = {"Principal": "*"}
    keys = [f"aws:PrincipalTag/t{number}" for number in range(400)]
    yield (
        "patterns that overlap",
        filled(lambda n: gate(n, StringLike={PCR0: [f"*{n:02x}*{n + 7:02x}*{each:x}*" for each in range(16)]})),
    )
    yield (
        "patterns in Denies of one key",
        filled(
            lambda n: statement(
                "Deny", **everybody, Condition={"StringLike": {"aws:PrincipalTag/t": f"*{n:03}*{n + 1:03}*"}}
            ),
            statement(**everybody),
        ),
    )
    yield (
        "Denies of three keys each",
        filled(
            lambda n: statement(
                "Deny",
                **everybody,
                Condition={
                    "StringEquals": {keys[n * 7 % 40]: "a"},
                    "StringNotEquals": {keys[n * 11 % 40]: "b"},
                    "StringLike": {keys[n * 13 % 40]: "c*"},
                },
            ),
            statement(**everybody),
        ),
    )
    yield (
        "thousands of accounts",
        text(
            [
                statement(
                    Principal={"AWS": [f"{number:012}" for number in range(1, 2100)]},
                    Condition={"StringEquals": {PCR0: register(1).hex()}},
                )
            ]
        ),
    )
    yield (
        "hundreds of roles and patterns of them",
        filled(
            lambda n: statement(
                Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/r{n}"},
                Condition={
                    "StringEquals": {PCR0: register(1).hex()},
                    "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:role/*{n}*"},
                },
            )
        ),
    )
    yield (
        "sets of many values",
        filled(
            lambda n: statement(
                "Deny",
                **everybody,
                Condition={"ForAllValues:StringLike": {"kms:ResourceAliases": [f"alias/{n}*", f"*{n}"]}},
            ),
            statement(**everybody),
        ),
    )
    yield (
        "a value of nothing but stars",
        text([gate(0, StringLike={PCR0: "*a" * 15_000})]),
    )
    yield (
        "patterns of ARNs",
        text(
            [
                statement(**everybody, Action="kms:*"),
                gate(0, ArnLike={"aws:PrincipalArn": [f"arn:aws:iam::*:role/*{n}*" for n in range(1000)]}),
            ]
        ),
    )
    yield (
        "names of an encryption context",
        text(
            [
                statement(
                    **everybody,
                    Action="kms:*",
                    Condition={
                        "StringEquals": {f"kms:EncryptionContext:k{n}": "v" for n in range(600)},
                        "Null": {"kms:EncryptionContextKeys": "false"},
                    },
                )
            ]
        ),
    )
    yield (
        "Denies of two keys that are there",
        filled(
            lambda n: statement("Deny", **everybody, Condition={"Null": {f"a:{n}": "true", f"b:{n}": "true"}}),
            statement(**everybody),
        ),
    )
    yield (
        "one long list of registers",
        text([gate(0, StringEquals={PCR0: [register(number).hex() for number in range(325)]})]),
    )
    yield (
        "networks",
        filled(
            lambda n: statement(
                "Deny",
                **everybody,
                Condition={"IpAddress": {"aws:SourceIp": [f"10.{n}.{k}.0/{17 + k % 8}" for k in range(20)]}},
            ),
            statement(**everybody),
        ),
    )


def timed(run: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    best, found = float("inf"), None
    for _ in range(rounds):
        start = time.process_time()
        found = run()
        best = min(best, time.process_time() - start)
    return best, found


def row(name: str, written: str, *, rounds: int = ROUNDS, **asked: Any) -> None:
    reading, document = timed(lambda: parse(written, where="policy.json"), rounds)
    spent, proof = timed(lambda: _proved(document, **asked), rounds)
    say(
        f"{name:42} {len(written):6} bytes  {len(document.statements):4} statements  read {reading * 1000:7.2f} ms"
        f"  prove {spent:7.3f} s  ({spent / reading:6.0f} x)  {proof.steps:9} steps  {proof.holds.value}"
    )


def _proved(document: PolicyDocument, **asked: Any) -> Proof:
    return prove(Policies(key=(document,)), at=AT, **asked)


def main() -> None:
    largest = most()
    root = statement(Principal={"AWS": ROOT}, Action="kms:*")
    for count in (1, 10, 50, min(100, largest), largest):
        ledger = Ledger.of(releases(count), max_active=64)
        row(f"generated, {count} releases", text(generated(count)))
        both = [Property.NO_UNATTESTED_DECRYPT, Property.ONLY_RECORDED]
        row(f"recorded, {count} releases", text(generated(count)), properties=both, recorded=ledger)
        row(f"attacked and denied, {count} releases", text([root, *generated(count)]))
        allows = [each for each in generated(count) if each["Effect"] == "Allow"]
        row(f"attacked, {count} releases", text([root, *allows]))
    for name, written in hostile():
        row(f"hostile: {name}", written, rounds=1)


if __name__ == "__main__":
    main()
