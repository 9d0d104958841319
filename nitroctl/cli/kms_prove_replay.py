"""A request of a proof as the command line of ``nitroctl kms simulate`` that asks it again."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl import pcr
from nitroctl.errors import UsageError
from nitroctl.kms import actions
from nitroctl.kms.operators import Presence
from nitroctl.kms.request import Platform, Request

#: Characters that no argument of a program can hold.
_UNSAYABLE: Final = re.compile("[\\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of the policies, as they were named."""

    policy: str
    ram: str | None = None
    grants: str | None = None


def command(request: Request, files: Files, *, iam: bool) -> str:
    """Return the command line; empty when the request has what no option can say.

    That is a key or a name of the encryption context with = in it, a key without a colon, and a character that no
    command line can carry (NUL, half of a surrogate pair).
    """
    if any("=" in name or ":" not in name for name in request.given):
        return ""
    if any("=" in name for name in request.encryption_context):
        return ""
    words = [*_words(request)]
    named = [f"--{option}={path}" for option, path in (("ram-policy", files.ram), ("grants", files.grants)) if path]
    last = ["--any-iam-policy" if iam else "--no-iam-policy", "--at", request.at.strftime("%Y-%m-%dT%H:%M:%SZ")]
    file = files.policy if not files.policy.startswith("-") or files.policy == "-" else f"./{files.policy}"
    line = ["nitroctl", "kms", "simulate", file, *words, *named, *last]
    if any(_UNSAYABLE.search(word) for word in line):
        return ""
    return " ".join(map(_quoted, line))


def _quoted(word: str) -> str:
    """Return a word for the shell: what cannot be printed as it is, as the bytes that it is."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


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
