"""``nitroctl kms prove``: whether a key policy keeps what it promises, for every request there can be."""

from typing import TYPE_CHECKING, Annotated

import typer

from nitroctl.cli import kms_options as options
from nitroctl.errors import UsageError
from nitroctl.render.result import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitroctl.kms.prove import Property
    from nitroctl.records import Ledger

_ROLE = "arn:aws:iam::111122223333:role"

EXAMPLES = f"""
nitroctl kms prove policy.json
nitroctl kms prove policy.json --only-recorded --environment prod --records measurements.json
nitroctl kms prove policy.json --no-unattested-decrypt --policy-writer {_ROLE}/policy-writer --json
"""


def prove(
    file: Annotated[
        str,
        typer.Argument(help="The key policy, as aws kms get-key-policy prints it; - is stdin.", metavar="POLICY"),
    ],
    *,
    no_unattested_decrypt: Annotated[
        bool,
        typer.Option(
            "--no-unattested-decrypt",
            help="Nobody gets data who attests nothing, debug mode, or an image that the policy does not name."
            " This is asked when nothing else is.",
            show_default=False,
        ),
    ] = False,
    only_recorded: Annotated[
        bool,
        typer.Option(
            "--only-recorded",
            help="Nobody gets data whose document matches no active record in all that it pins, or a revoked one.",
            show_default=False,
        ),
    ] = False,
    policy_writer: Annotated[
        list[str] | None,
        typer.Option("--policy-writer", help="Nobody but this role may replace the policy. Repeatable.", metavar="ARN"),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option("--component", help="With --only-recorded: records of this component.", metavar="NAME"),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", help="With --only-recorded: records for this environment.", metavar="NAME"),
    ] = None,
    key: options.KeyArn = None,
    ram_policy: options.RamPolicy = None,
    grants: options.Grants = None,
    at: Annotated[
        str, typer.Option("--at", help="Requests are made then or later: now, or RFC 3339.", metavar="TIME")
    ] = "now",
    records: Annotated[
        str | None,
        typer.Option("--records", help="The file of recorded measurements.", metavar="FILE", show_default=False),
    ] = None,
) -> Result:
    """Prove that a key policy gives data to nobody who attests none of its images, or show who gets by.

    Every caller, action, condition key and register that the policy tells apart is tried, with IAM policies that allow
    everything. A request that gets by is printed as the command of kms simulate that asks it again (exit 1). What
    cannot be decided is no proof (exit 3). Only files are read: AWS is not asked.
    """
    from nitroctl.cli import kms_prove_sources as sources
    from nitroctl.cli import kms_prove_view as view
    from nitroctl.cli.kms_prove_replay import Files
    from nitroctl.kms.prove import prove as search

    options.one_stdin([file, ram_policy, grants])
    asked = _asked(no_unattested_decrypt, only_recorded, policy_writer)
    ledger = _ledger(records, component, environment, only_recorded=only_recorded)
    instant, arn, writers = options.instant(at), options.key_arn(key), _writers(policy_writer)
    found = sources.read(file, ram_policy=ram_policy, grants=grants)
    proof = search(found.policies, at=instant, key=arn, properties=asked, recorded=ledger, writers=writers)
    counted, files = "", found.files
    if ledger is not None:
        counted, files = _counted(ledger, component, environment), (*files, sources.records(records))
    return view.result(proof, Files(file, ram_policy, grants), files, counted, found.policies.key)


def _counted(ledger: "Ledger", component: str | None, environment: str | None) -> str:
    """Return which records counted, in words."""
    number = len(ledger.active())
    of = f" of {component}" if component else ""
    where = f" in {environment}" if environment else ""
    return f"{number} active {'record' if number == 1 else 'records'}{of}{where}"


def _asked(unattested: bool, recorded: bool, writers: "Sequence[str] | None") -> "list[Property]":
    from nitroctl.kms.prove import Property

    found = [Property.NO_UNATTESTED_DECRYPT] if unattested or not recorded else []
    found += [Property.ONLY_RECORDED] if recorded else []
    return [*found, *([Property.ONLY_WRITERS] if writers else [])]


def _writers(texts: "Sequence[str] | None") -> "list[str]":
    from nitroctl.kms.principals import roles

    return [role.arn for role in roles(texts, option="--policy-writer")] if texts else []


def _ledger(
    path: str | None, component: str | None, environment: str | None, *, only_recorded: bool
) -> "Ledger | None":
    from nitroctl import records
    from nitroctl.cli.pcr_options import ledger_path

    if not only_recorded:
        for option, value in (("--records", path), ("--component", component), ("--environment", environment)):
            if value is not None:
                raise UsageError(
                    f"{option} says which records count, and none are asked of",
                    "usage.invalid",
                    ["add --only-recorded"],
                )
        return None
    return records.load(ledger_path(path)).concerning(component, environment)
