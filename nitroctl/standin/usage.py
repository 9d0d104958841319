"""nitro-cli's command line: which flags each subcommand has, and how wrong use is refused.

The flags, their requirements and conflicts are nitro-cli's (facts of its ``create_app!``); refusals come out as its
parser (clap 4) makes them: ``error: …`` on stderr, a ``Usage:`` line, status 2. Flags have no short forms and no
abbreviations; ``--flag value`` and ``--flag=value`` are the same; no flag may come twice. The exact sentences of clap
are not part of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nitroctl.standin import knobs

_LAST_LINE: Final = "For more information, try '--help'."


class Usage(Exception):
    """The invocation is refused before anything is done: text for stderr, status 2."""


class Help(Exception):
    """Help or a version was asked for: text for stdout, status 0."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A long flag. ``value``: it takes one; ``many``: one or more, space separated. ``since``: first version with it.

    ``unless``: required when none of these is given (a lone "" means always). ``conflicts``, ``requires``: flag names.
    """

    name: str
    help: str
    value: bool = True
    many: bool = False
    unless: Sequence[str] | None = None
    conflicts: Sequence[str] = ()
    requires: Sequence[str] = ()
    since: str = "0.1.0"
    placeholder: str = ""

    def __str__(self) -> str:
        """Write the flag as usage lines do: ``--cpu-ids <cpu-ids>...``."""
        if not self.value:
            return f"--{self.name}"
        return f"--{self.name} <{self.placeholder or self.name}>{'...' if self.many else ''}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A subcommand and what was given to it."""

    command: str
    values: Mapping[str, Sequence[str]]

    def get(self, name: str) -> str | None:
        """Return a flag's one value, None where it was not given."""
        return self.values[name][0] if name in self.values else None

    def has(self, name: str) -> bool:
        """Whether the flag was given."""
        return name in self.values


ALWAYS: Final = ("",)
_CERTIFICATE: Final = Flag("signing-certificate", "PEM certificate of the signer", requires=("private-key",))
_KEY: Final = Flag(
    "private-key", "PEM private key of the signer, or the ARN of a KMS key", requires=("signing-certificate",)
)

COMMANDS: Final[Mapping[str, tuple[str, str, Sequence[Flag]]]] = {
    "run-enclave": (
        "Start an enclave from an image",
        "0.1.0",
        (
            Flag(
                "cpu-ids", "CPUs to give", many=True, unless=("cpu-count", "config"), conflicts=("cpu-count", "config")
            ),
            Flag("cpu-count", "Number of CPUs to give", unless=("cpu-ids", "config"), conflicts=("cpu-ids", "config")),
            Flag("memory", "Memory to give, in MiB or with a unit", unless=("config",), conflicts=("config",)),
            Flag("eif-path", "The image", unless=("config",), conflicts=("config",)),
            Flag("enclave-cid", "The CID to use", conflicts=("config",)),
            Flag("debug-mode", "Make the console readable", value=False, conflicts=("config",)),
            Flag("attach-console", "Read the console at once", value=False, since="1.2.0"),
            Flag("enclave-name", "The enclave's name", conflicts=("config",), since="1.1.0"),
            Flag("config", "Take everything from a JSON file", placeholder="json-config"),
        ),
    ),
    "terminate-enclave": (
        "End an enclave",
        "0.1.0",
        (
            Flag("enclave-id", "The enclave's id", unless=("all", "enclave-name"), conflicts=("all", "enclave-name")),
            Flag(
                "all",
                "Every enclave of this user",
                value=False,
                unless=("enclave-id", "enclave-name"),
                conflicts=("enclave-id", "enclave-name"),
            ),
            Flag(
                "enclave-name",
                "The enclave's name",
                unless=("enclave-id", "all"),
                conflicts=("enclave-id", "all"),
                since="1.1.0",
            ),
        ),
    ),
    "build-enclave": (
        "Make an enclave image from a docker image",
        "0.1.0",
        (
            Flag("docker-uri", "The docker image", unless=ALWAYS),
            Flag("docker-dir", "Directory with a Dockerfile to build it from"),
            Flag("output-file", "The enclave image to write", unless=ALWAYS),
            _CERTIFICATE,
            _KEY,
            Flag("name", "The image's name", since="1.2.0"),
            Flag("version", "The image's version", since="1.2.0"),
            Flag("metadata", "JSON file of further metadata", since="1.2.0"),
        ),
    ),
    "describe-eif": ("Describe an enclave image", "1.1.0", (Flag("eif-path", "The image", unless=ALWAYS),)),
    "describe-enclaves": (
        "List the running enclaves",
        "0.1.0",
        (Flag("metadata", "With the images' metadata", value=False, since="1.2.0"),),
    ),
    "console": (
        "Read the console of an enclave in debug mode",
        "0.1.0",
        (
            Flag("enclave-id", "The enclave's id", unless=("enclave-name",), conflicts=("enclave-name",)),
            Flag(
                "enclave-name", "The enclave's name", unless=("enclave-id",), conflicts=("enclave-id",), since="1.1.0"
            ),
            Flag("disconnect-timeout", "Seconds after which to stop", since="1.1.0"),
        ),
    ),
    "pcr": (
        "Make a register from a file or a certificate",
        "1.1.0",
        (
            Flag(
                "signing-certificate",
                "PEM certificate, for PCR8",
                unless=("input",),
                conflicts=("input",),
            ),
            Flag("input", "Any file", unless=("signing-certificate",), conflicts=("signing-certificate",)),
        ),
    ),
    "explain": ("Say more about an error", "0.1.0", (Flag("error-code", "The error, as E26", unless=ALWAYS),)),
    "sign-eif": (
        "Sign an enclave image in place",
        "1.4.0",
        (Flag("eif-path", "The image"), _CERTIFICATE, _KEY),
    ),
}


def parse(argv: Sequence[str]) -> Parsed:
    """Return what ``argv`` (without the program's name) asks for. Raises Usage or Help."""
    if not argv:
        raise Usage(_overview())
    first, *rest = argv
    if first in ("-V", "--version"):
        raise Help(f"Nitro CLI {knobs.version()}\n")
    if first in ("-h", "--help"):
        raise Help(_overview())
    if first == "help":
        raise Help(_help(_known(rest[0])) if rest else _overview())
    if first.startswith("-") and first != "-":
        raise Usage(_refusal(f"unexpected argument '{first}' found", "nitro-cli <COMMAND>"))
    command = _known(first)
    values = _read(command, rest)
    _judge(command, values)
    return Parsed(command, values)


def flags(command: str) -> Mapping[str, Flag]:
    """Return the flags that the subcommand has in the version at hand."""
    return {flag.name: flag for flag in COMMANDS[command][2] if knobs.since(flag.since)}


def _known(command: str) -> str:
    if command not in COMMANDS or not knobs.since(COMMANDS[command][1]):
        raise Usage(_refusal(f"unrecognized subcommand '{command}'", "nitro-cli <COMMAND>"))
    return command


def _read(command: str, words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values given for each flag. Raises Usage for anything that is no flag, Help for ``--help``."""
    known = flags(command)
    values: dict[str, list[str]] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word in ("-h", "--help"):
            raise Help(_help(command))
        name, sign, attached = word.removeprefix("--").partition("=")
        flag = known.get(name) if word.startswith("--") else None
        if flag is None:
            stray = word.partition("=")[0] if word.startswith("--") else word
            raise Usage(_refusal(f"unexpected argument '{stray}' found", _line(command)))
        if name in values:
            raise Usage(_refusal(f"the argument '{flag}' cannot be used multiple times", _line(command)))
        if not flag.value:
            if sign:
                raise Usage(
                    _refusal(f"unexpected value '{attached}' for '{flag}' found; no more were expected", _line(command))
                )
            values[name] = []
            continue
        given = [attached] if sign else []
        while queue and not sign and (flag.many or not given) and not _is_flag(queue[0]):
            given.append(queue.pop(0))
        if not given:
            if queue and not queue[0].startswith("--") and queue[0] != "-h":
                raise Usage(_refusal(f"unexpected argument '{queue[0]}' found", _line(command)))
            raise Usage(_refusal(f"a value is required for '{flag}' but none was supplied", _line(command)))
        values[name] = given
    return values


def _is_flag(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _judge(command: str, values: Mapping[str, Sequence[str]]) -> None:
    """Refuse flags that exclude each other, then flags that are missing: clap's order."""
    known = flags(command)
    given = [flag for name, flag in known.items() if name in values]
    for flag in given:
        for other in flag.conflicts:
            if other in values:
                raise Usage(_refusal(f"the argument '{flag}' cannot be used with '{known[other]}'", _line(command)))
    missing = [known[name] for flag in given for name in flag.requires if name not in values]
    missing += [
        flag
        for flag in known.values()
        if flag.unless is not None and flag.name not in values and not any(name in values for name in flag.unless)
    ]
    if missing:
        listed = "".join(f"\n  {flag}" for flag in missing)
        raise Usage(
            _refusal(f"the following required arguments were not provided:{listed}", _line(command, (*given, *missing)))
        )


def _line(command: str, wanted: Sequence[Flag] = ()) -> str:
    """Return the usage line: the flags that are always required, and ``wanted``."""
    always = [flag for flag in flags(command).values() if flag.unless == ALWAYS]
    named = [*always, *(flag for flag in wanted if flag not in always)]
    options = "" if wanted else " [OPTIONS]"
    return f"nitro-cli {command}{options}{''.join(f' {flag}' for flag in named)}"


def _refusal(what: str, usage: str) -> str:
    return f"error: {what}\n\nUsage: {usage}\n\n{_LAST_LINE}\n"


def _overview() -> str:
    rows = [(name, about) for name, (about, since, _) in COMMANDS.items() if knobs.since(since)]
    rows.append(("help", "Print this message or the help of the given subcommand(s)"))
    width = max(len(name) for name, _ in rows)
    commands = "".join(f"  {name:<{width}}  {about}\n" for name, about in rows)
    options = "  -h, --help     Print help\n  -V, --version  Print version\n"
    return (
        "The stand-in for nitro-cli: no enclave it runs is one\n\nUsage: nitro-cli <COMMAND>\n\n"
        f"Commands:\n{commands}\nOptions:\n{options}"
    )


def _help(command: str) -> str:
    rows = [(f"    {flag}", flag.help) for flag in flags(command).values()]
    rows.append(("-h, --help", "Print help"))
    width = max(len(left) for left, _ in rows)
    options = "".join(f"  {left:<{width}}  {text}\n" for left, text in rows)
    return f"{COMMANDS[command][0]}\n\nUsage: {_line(command)}\n\nOptions:\n{options}"
