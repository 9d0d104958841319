"""A request of a proof as the command line of ``nitroctl kms simulate`` that asks it again."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms import actions
from nitroctl.kms.operators import Presence
from nitroctl.kms.request import Platform, Request


@dataclass(frozen=True, slots=True)
class Files:
    """The files of the policies, as they were named."""

    policy: str
    ram: str | None = None
    grants: str | None = None


def command(request: Request, files: Files, *, iam: bool) -> str:
    """Return the command line; empty when the request has what no option can say (a key with = in its name)."""
    words = [*_words(request)]
    if any(name.partition("=")[0] != name or ":" not in name for name in request.given):
        return ""
    named = [f"--{option}={path}" for option, path in (("ram-policy", files.ram), ("grants", files.grants)) if path]
    last = ["--any-iam-policy" if iam else "--no-iam-policy", "--at", request.at.strftime("%Y-%m-%dT%H:%M:%SZ")]
    file = files.policy if not files.policy.startswith("-") or files.policy == "-" else f"./{files.policy}"
    return shlex.join(["nitroctl", "kms", "simulate", file, *words, *named, *last])


def _words(request: Request) -> Iterator[str]:
    yield from ("--principal", request.caller.text, "--action", request.action.removeprefix("kms:"))
    if request.attested is not None:
        registers = dict(request.attested.pcrs)
        if request.attested.platform is Platform.TPM:
            yield from ("--platform", Platform.TPM.value)
        elif all(registers.get(index) == pcr.ZERO for index in (0, 1, 2)):
            yield "--debug-mode"
            registers = {index: value for index, value in registers.items() if index not in (0, 1, 2)}
        for index, value in sorted(registers.items()):
            yield from ("--pcr", f"{pcr.name(index)}={value.hex()}")
    yield from _context(request)
    for key, actual in request.given.items():
        if actual.presence is Presence.ABSENT:
            yield from ("--absent", key)
        for text in actual.values:
            yield from ("--context", f"{key}={text}")
    if request.key:
        yield from ("--key", request.key)


def _context(request: Request) -> Iterator[str]:
    """Yield the options of an encryption context; as condition keys where KMS could be sent it and we refuse it."""
    from nitroctl.kms.generate import parse_context

    written: Sequence[str] = [f"{name}={value}" for name, value in request.encryption_context.items()]
    try:
        plain = not written or parse_context(written) == dict(sorted(request.encryption_context.items()))
    except UsageError:
        plain = False
    if plain and request.action in actions.WITH_CONTEXT:
        for text in written:
            yield from ("--encryption-context", text)
        return
    for name, value in request.encryption_context.items():
        yield from ("--context", f"kms:EncryptionContext:{name}={value}")
        yield from ("--context", f"kms:EncryptionContextKeys={name}")
