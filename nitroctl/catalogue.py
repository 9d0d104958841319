"""Every error code and check id nitroctl can print: what it means, likely causes, what to do.

``nitroctl explain CODE`` and docs/errors.md are made from this table; a test holds it against the codes that the
source really uses, in both directions. nitro-cli's own E00 to E60 are in :mod:`nitroctl.host.nitro_cli_errors`.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Explanation:
    """``meaning``: one sentence. ``causes``: likely ones, most likely first. ``remedy``: what to do."""

    meaning: str
    causes: tuple[str, ...]
    remedy: str


_E = Explanation

CATALOGUE: Final[dict[str, Explanation]] = {
    # -- usage, files, settings
    "usage.invalid": _E(
        "The command line has an unknown, missing or contradictory option or argument.",
        ("a misspelt option", "a missing value", "options that exclude each other"),
        "Read the command's --help; its examples are tested.",
    ),
    "file.unreadable": _E(
        "A file could not be opened or read.",
        ("a misspelt path", "no permission", "a directory in place of a file"),
        "Check the path and who may read it.",
    ),
    "file.unwritable": _E(
        "A file could not be written; what was there before is unchanged.",
        ("no permission", "a full disk", "a read-only file system", "a directory that does not exist"),
        "Mend the cause and run the command again.",
    ),
    "file.not-regular": _E(
        "The path names a FIFO, device or socket, which nitroctl does not read: it could block or never end.",
        ("a process substitution <(…)",),
        "Copy the content to a regular file, or pipe it to standard input with -.",
    ),
    "file.too-large": _E(
        "The file is larger than anything the command could accept, and was not read to its end.",
        ("the wrong file",),
        "Check the path.",
    ),
    "file.not-utf8": _E(
        "The file is not UTF-8 text.",
        ("a binary file", "another encoding"),
        "Convert it with iconv, or check the path.",
    ),
    "file.stdin-terminal": _E(
        "- means standard input, but standard input is a terminal.",
        ("nothing was piped in",),
        "Pipe the file in, or name it.",
    ),
    "file.locked": _E(
        "Another nitroctl holds the lock on a host resource or file.",
        ("two launches, edits or recordings at once",),
        "Wait for the other to end; locks vanish with their process.",
    ),
    "settings.file": _E(
        "A configuration file is not TOML, or has a setting that is unknown, of a wrong type or not allowed there.",
        ("a misspelt name", "a program named in a project file"),
        "nitroctl config show --origin lists the settings and the files that are read.",
    ),
    "settings.value": _E(
        "A setting has a value outside its choices.",
        ("a misspelt choice",),
        "Use one of the choices named in the error.",
    ),
    "explain.unknown": _E(
        "There is no explanation of that code.",
        ("a misspelt code", "a code of another nitro-cli version"),
        "nitroctl explain --list names every code.",
    ),
    "schema.unknown": _E("There is no schema of that name.", ("a misspelt name",), "nitroctl schema lists the names."),
    "internal.bug": _E(
        "nitroctl met something its authors did not expect; nothing can be said about the answer.",
        ("a bug in nitroctl",),
        "Run the command again with --debug and report the traceback.",
    ),
    # -- pcr
    "pcr.name": _E(
        "A register is not named PCR0 to PCR31.", ("a misspelt name",), "Write PCR0 or 0; an assignment is PCR0=<hex>."
    ),
    "pcr.value": _E(
        "A register's value is not 96 hexadecimal digits (SHA-384).",
        ("a SHA-256 digest", "the base64 that CloudTrail writes", "a value cut short by copying"),
        "Copy it again from nitro-cli, nitroctl eif measure or nitroctl pcr show.",
    ),
    "pcr.role": _E(
        "PCR3 is made from an IAM role's ARN, and this is not one.",
        ("an instance profile's ARN", "an assumed-role ARN from STS", "the role's bare name"),
        "Write arn:aws:iam::<account>:role/<name>, as aws iam get-role shows it.",
    ),
    "pcr.instance": _E(
        "PCR4 is made from an EC2 instance id, and this is not one.", ("an enclave id",), "Write i-0123456789abcdef0."
    ),
    "pcr.certificate": _E(
        "PCR8 is made from a PEM certificate, and none is in the file.",
        ("a private key in place of the certificate", "a DER file"),
        "Name the PEM file given to nitro-cli as --signing-certificate.",
    ),
    # -- eif
    # -- evidence, appraisal
    "standin.pki": _E(
        "The stand-in's directory does not hold its root certificate and key.",
        ("a directory that the stand-in did not make", "a damaged or foreign file in it"),
        "Remove the directory; the stand-in makes a new one.",
    ),
    # -- records
    "json.syntax": _E(
        "The file is not one JSON document.",
        ("an edit by hand", "output of two commands in one file", "the wrong file"),
        "Mend the line and column that the error names.",
    ),
    "json.conflict-markers": _E(
        "The file holds the marker lines of a merge that was never resolved.",
        ("two branches recorded at once",),
        "Keep the entries of both sides, remove the marker lines, and run the command again.",
    ),
    "json.byte-order-mark": _E(
        "The file begins with a byte order mark, which JSON may not have (RFC 8259, section 8.1).",
        ("an editor that saves UTF-8 with BOM",),
        "Save it as UTF-8 without BOM.",
    ),
    "json.nesting": _E(
        "The JSON is nested more deeply than any document nitroctl reads.",
        ("a file made to exhaust its reader", "the wrong file"),
        "Check where the file comes from.",
    ),
    "json.duplicate-key": _E(
        "A key occurs twice in one JSON object; readers disagree about which one counts.",
        ("an edit or merge by hand", "a file made to show two readers different things"),
        "Keep the one that is meant.",
    ),
    "json.not-a-number": _E(
        "NaN or Infinity stands where a JSON number should.",
        ("a program that writes JSON carelessly",),
        "Write a number, or leave the member out.",
    ),
    "records.missing": _E(
        "There is no file of recorded measurements, so there is nothing to compare with.",
        ("the command runs in another directory", "nothing was recorded yet"),
        "Record an image with nitroctl pcr record, or name the file with --records.",
    ),
    "records.schema": _E(
        'The file\'s "schema" is not one that this nitroctl knows, so nothing is assumed about the rest.',
        ("a newer nitroctl wrote it", "another kind of file"),
        "Upgrade nitroctl, or check the path.",
    ),
    "records.member": _E(
        "A member of the ledger is unknown, missing, or of the wrong type; the error names it as a JSON Pointer.",
        ("an edit by hand", "a misspelt member"),
        "Compare with nitroctl schema measurements/1.",
    ),
    "records.name": _E(
        "A component, environment, version or platform has a name that cannot be part of an entry's id.",
        ("a space or slash", "a leading dot or dash"),
        "Use letters, digits, dots, dashes and underscores.",
    ),
    "records.registers": _E(
        "The registers of an entry are incomplete or not SHA-384.",
        ("only PCR0 was copied",),
        "Record with --eif, or from the whole output of nitro-cli.",
    ),
    "records.zero": _E(
        "A register is zero where zero would admit what nobody measured: a debug enclave, an unsigned image, no role.",
        ("measured from a debug enclave's attestation document", "a placeholder from an example"),
        "Measure the image file itself and record that.",
    ),
    "records.pin": _E(
        "The pinned registers of an entry do not identify an image, or name a register that is not recorded.",
        ("only PCR3, PCR4 or PCR8 are pinned",),
        "Pin PCR0, or PCR1 and PCR2, besides the others.",
    ),
    "records.status": _E(
        "The times of an entry do not agree with its status.",
        ("an edit by hand that changed one and not the other",),
        "Give the time of the status: activated_at, retired_at or revoked_at.",
    ),
    "records.text": _E(
        "A text of an entry is too long, not a digest, or has characters that a reviewer could not see.",
        ("a line feed or terminal escape in a note", "an upper-case digest"),
        "Write plain text on one line; digests in lower-case hexadecimal.",
    ),
    "records.version-taken": _E(
        "This version is recorded with other measurements, and recorded history is never rewritten.",
        ("the build is not reproducible", "the version was not raised", "the image was tampered with"),
        "Find out why the build differs; a new build gets a new version.",
    ),
    "records.not-active": _E(
        "A retired or revoked version does not become active again.",
        ("an old build was recorded once more with --activate",),
        "Release it as a new version.",
    ),
    "records.too-many-active": _E(
        "More than two versions of a component would be active in one environment.",
        ("an earlier rollout was not finished", "two branches each activated a version"),
        "Retire what is no longer run: set its status to retired, with retired_at.",
    ),
    "records.busy": _E(
        "The lock that keeps two writers of the ledger apart could not be had.",
        ("another recording hangs", "a network file system without locks"),
        "End the other program, or keep the ledger on a local file system.",
    ),
    # -- kms
    # -- nitro-cli, enclaves
    # -- allocator
    # -- init, demo, completion
    "demo.step": _E(
        "A step of the demonstration did not end as it should.",
        ("a bug in nitroctl", "a temporary directory that is full or forbids programs"),
        "Read the step's own error above; nitroctl demo --keep DIR keeps the files.",
    ),
    "demo.directory": _E(
        "The directory named with --keep holds files already.", ("an earlier demonstration",), "Name a new directory."
    ),
}
