"""The command tree: nouns that import their module only when one of their verbs is asked for.

``GROUPS`` holds each noun's one-line summary, so that ``nitroctl --help`` imports none of them. The output options
(``--json``, ``--format``, ``--color`` …) belong to every verb and are read once by
:func:`nitroctl.cli.run`, before parsing, so that a parse error speaks JSON too.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from nitroctl.cli.output import forms, require_form
from nitroctl.errors import UsageError

_F = TypeVar("_F", bound=Callable[..., object])

#: noun or single command -> (module under nitroctl.cli, one-line summary). Order is the order in ``--help``.
GROUPS: Final[dict[str, tuple[str, str]]] = {
    "init": ("init", "Write a small worked project: enclave, parent client, allocator, key policy inputs, CI."),
    "enclave": ("enclave", "Build, run, describe, watch and terminate enclaves through nitro-cli."),
    "eif": ("eif", "Read, explain, compare, build and sign enclave image files without nitro-cli."),
    "pcr": ("pcr", "Record measurements, compare against them, and calculate registers."),
    "attest": ("attest", "Show, verify and compare captured attestation documents, offline."),
    "lab": ("lab", "Mint documents that a verifier must refuse, and some it must accept."),
    "kms": ("kms", "Write, prove, explain and apply KMS key policies, and read the trail of their use."),
    "allocator": ("allocator", "Show, check and edit the Nitro Enclaves allocator's configuration."),
    "config": ("config", "Show nitroctl's own settings and where each comes from."),
    "explain": ("explain", "Explain an error code or a check: nitroctl's own, and nitro-cli's E00 to E60."),
    "schema": ("schema", "Print the JSON Schema of an output."),
    "completion": ("completion", "Print a shell completion script."),
    "demo": ("demo", "Watch the whole life of an enclave on a stand-in host."),
}

OUTPUT_OPTIONS: Final = (
    ("--json", "Print one JSON document (the same as --format json)."),
    ("--format", "Form of the answer."),
    ("--color", "Colour: auto, always or never."),
    ("--quiet", "Print nothing on stderr but errors."),
    ("--exit-zero", "Exit 0 also when the answer is no."),
    ("--debug", "Show the traceback of an error."),
)
_FLAGS = {"--json", "--quiet", "--exit-zero", "--debug"}


def _words(ctx: Any) -> str:
    """Return a command's words, ``attest verify``."""
    return " ".join(str(ctx.command_path).split()[1:])


class _Format(TyperOption):
    """``--format``: its choices are those of the verb."""

    def make_metavar(self, ctx: Any) -> str:
        """Return the choices, as the help shows them."""
        return f"[{'|'.join(forms(_words(ctx)))}]"


def _output_options() -> list[TyperOption]:
    options = []
    for flag, text in OUTPUT_OPTIONS:
        kind = _Format if flag == "--format" else TyperOption
        is_flag = flag in _FLAGS
        options.append(
            kind(
                param_decls=[flag],
                is_flag=is_flag,
                default=False if is_flag else None,
                expose_value=False,
                help=text,
                metavar="[auto|always|never]" if flag == "--color" else None,
                show_default=False,
            )
        )
    return options


class Verb(TyperCommand):
    """A command with the output options and examples that stand in its help as written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Build the command; its own options come before the output options."""
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *_output_options()]

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the arguments, and refuse an empty value, or a form of answer that this verb does not have.

        An empty value is a variable that was not set (``--signing-certificate "$CERTIFICATE"``), and to go on without
        what was asked for could end in a yes to another question. Raises UsageError ``usage.empty``, ``usage.invalid``.
        """
        rest = super().parse_args(ctx, args)
        require_form(_words(ctx))
        for param in self.params:
            value = ctx.params.get(param.name)
            if (value == "" and param.default != "") or (isinstance(value, list | tuple) and "" in value):
                label = param.opts[0] if param.param_type_name == "option" else param.make_metavar(ctx).strip("{}[]")
                raise UsageError(f"{label}: the value is empty", "usage.empty", ["was a variable not set?"])
        return rest

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples line by line."""
        if self.epilog:
            formatter.write("\n")
            for line in self.epilog.strip("\n").split("\n"):
                formatter.write(f"{line}\n")


class Noun(TyperGroup):
    """A group of verbs; the same epilog form."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs with the whole first sentence of their help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_sentence(command.help)) for name, command in self.commands.items()])

    format_epilog = Verb.format_epilog


class LazyNoun(TyperGroup):
    """A group that imports a verb's module when that verb is asked for: for a noun with many or heavy ones."""

    #: verb -> (module under nitroctl.cli, the function in it or "" for its ``app``, first sentence of its help)
    members: ClassVar[Mapping[str, tuple[str, str, str]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order of the table."""
        return list(self.members)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a verb, or a noun below this one; None when there is none."""
        if cmd_name not in self.members:
            return None
        place, function, _ = self.members[cmd_name]
        module = importlib.import_module(f"nitroctl.cli.{place}")
        app = single() if function else module.app
        if function:
            examples = module.EXAMPLES if isinstance(module.EXAMPLES, str) else module.EXAMPLES[cmd_name]
            verb(app, cmd_name, examples)(getattr(module, function))
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in self.members.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, suggesting a near one for a misspelt name."""
        commands: Any = dict.fromkeys(self.members)
        self.commands = commands  # what suggestions are drawn from
        return super().resolve_command(ctx, args)

    format_epilog = Verb.format_epilog


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a help text, on one line, with its full stop."""
    return " ".join((text or "").split("\n\n")[0].split()).split(". ")[0].removesuffix(".") + "."


class Root(TyperGroup):
    """The program: imports a noun's module when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the nouns in the order of the table."""
        return list(GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a noun's group or a single command; None when there is none."""
        if cmd_name not in GROUPS:
            return None
        module = importlib.import_module(f"nitroctl.cli.{GROUPS[cmd_name][0]}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the nouns from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in GROUPS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, suggesting a near one for a misspelt name."""
        commands: Any = dict.fromkeys(GROUPS)
        self.commands = commands  # what suggestions are drawn from
        return super().resolve_command(ctx, args)

    format_epilog = Verb.format_epilog


def noun(text: str) -> typer.Typer:
    """Return a noun's app; ``text`` is its help. Verbs are added with ``@verb(app, "name", examples)``."""
    app = typer.Typer(
        cls=Noun,
        help=text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        invoke_without_command=False,
    )
    app.callback()(_group)  # without a callback an app with one verb would be that verb
    return app


def lazy_noun(text: str, members: Mapping[str, tuple[str, str, str]]) -> typer.Typer:
    """Return a noun's app whose verbs are imported one by one; see :class:`LazyNoun` for ``members``."""
    app = noun(text)
    app.info.cls = type("LazyNoun", (LazyNoun,), {"members": members})
    return app


def _group() -> None:
    pass


def verb(app: typer.Typer, name: str, examples: str) -> Callable[[_F], _F]:
    """Return the decorator that adds a function returning a Result (or Stream) to ``app`` as the verb ``name``.

    ``examples``: one to three lines, each ``nitroctl …``, printed under the help and run by the tests.
    """
    epilog = "Examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines())
    return app.command(name, cls=Verb, epilog=epilog)


def single() -> typer.Typer:
    """Return an app for a command without verbs (``nitroctl explain CODE``): add exactly one verb to it."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def root() -> Any:
    """Return the parser of the whole program."""
    app = typer.Typer(cls=Root, add_completion=False, rich_markup_mode=None, no_args_is_help=True)

    @app.callback(
        epilog="Every command takes --json, --format, --color, --quiet, --exit-zero and --debug.\n"
        "Exit status: 0 yes or done, 1 no, 2 wrong invocation, 3 could not answer, 4 nitro-cli failed, 5 AWS failed.\n"
        "'nitroctl explain CODE' explains what stands in [brackets] after an error."
    )
    def _nitroctl() -> None:
        """Build, measure, pin, run and verify attested compute on AWS."""

    command = typer.main.get_command(app)
    command.params = [
        *command.params,
        TyperOption(
            param_decls=["--version"],
            is_flag=True,
            default=False,
            expose_value=False,
            help="Print the version; with --verbose also what it runs on.",
            show_default=False,
        ),
    ]
    return command
