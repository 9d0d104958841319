"""Every error code and check id nitroctl can print: what it means, likely causes, what to do.

``nitroctl explain CODE`` and docs/errors.md are made from this table; a test holds it against the codes that the
source really uses, in both directions. nitro-cli's own E00 to E60 are in :mod:`nitroctl.host.nitro_cli_errors`.
Over 400 lines because it is one table.
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
    "usage.empty": _E(
        "An option or argument was given an empty value.",
        ("a shell variable that is not set",),
        'Set it, or leave the option out. In scripts, set -u and "${NAME:?}" catch it earlier.',
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
        "The path names a FIFO, device or socket, which nitroctl neither reads, for it could block, nor replaces.",
        ("a process substitution <(…)", "/dev/null as a file to write"),
        "Copy the content to a regular file, or pipe it to standard input with -; name a file to write.",
    ),
    "file.too-large": _E(
        "The file is larger than anything the command could accept, and was not read to its end.",
        ("the wrong file",),
        "Check the path.",
    ),
    "file.exists": _E(
        "A secret or a policy is written to new files only, and there is a file of that name.",
        ("the same command run twice",),
        "Name another file, or remove the old one first.",
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
    "eif.not-measurable": _E(
        "A command needs the image's registers, and the file has none that every reader would agree on.",
        ("a damaged or truncated file", "an image edited after it was built", "not an enclave image"),
        "nitroctl eif inspect FILE shows every check; build the image again.",
    ),
    "eif.changed": _E(
        "The image file changed while it was read, so its digest and registers would be of no one state.",
        ("a build that is still writing it", "a copy in progress"),
        "Wait until the file is complete and run the command again.",
    ),
    "eif.no-ramdisk": _E(
        "The image has no ramdisk of that number, or readers do not agree on which ramdisks it has.",
        ("ramdisks are numbered from 1", "the header's table and the section sizes lead to different sections"),
        "nitroctl eif inspect FILE shows the ramdisks and what is wrong with the image.",
    ),
    "eif.no-description": _E(
        "nitro-cli describe-eif would fail on this image, or describe another one than the header's table holds, so"
        " there is nothing that --format nitro-cli could print.",
        ("metadata that nitro-cli does not read", "a signature that does not verify", "readers that do not agree"),
        "nitroctl eif inspect FILE, without --format nitro-cli, shows what is wrong with the image.",
    ),
    "eif.too-many-files": _E(
        "A ramdisk holds more files and directories than nitroctl makes in one go; nothing was left on the disk.",
        ("an archive made to fill the disk",),
        "nitroctl eif inspect FILE --ramdisk N --list shows them; take out single files with --extract.",
    ),
    "eif.not-buildable": _E(
        "The parts given do not make an image that any reader would take.",
        (
            "no ramdisk, or more than 32 sections",
            "a metadata or signature section that is too large",
            "a file, name or owner that a ramdisk cannot hold, or that Linux would skip when it unpacks one",
            "a command line that Linux would cut short",
        ),
        "Change the part that the error names.",
    ),
    "eif.source-changed": _E(
        "A file became longer or shorter while it was read into an image, so the image would hold no one state of it.",
        ("a build or a copy that still writes to it",),
        "Wait until nothing writes to the source, and build again.",
    ),
    "eif.blobs": _E(
        "Kernel, command line or init for an image is not where it was looked for.",
        ("aws-nitro-enclaves-cli-devel is not installed", "NITRO_CLI_BLOBS names another directory"),
        "Name nitro-cli's blobs directory with --blobs, or the files with --kernel, --cmdline, --init and --nsm.",
    ),
    "eif.architecture": _E(
        "The parts of an image are for different processors, or nothing says which it is for. nitro-cli takes"
        " the kernel of the machine it runs on and would mix them.",
        ("an arm64 application and an x86_64 kernel", "a root file system, which does not say what it is for"),
        "Take all parts for one processor; say which with --platform linux/amd64 or linux/arm64.",
    ),
    "eif.no-command": _E(
        "Nothing says what the enclave is to run.",
        ("an image without CMD and ENTRYPOINT", "a root file system: only images have a command"),
        "Add --cmd, as a JSON array or in words.",
    ),
    "eif.custom-metadata": _E(
        "The further metadata cannot be put into an image: it is not a JSON object, or has a member that the builder"
        " writes, beside which nitro-cli describe-eif would show it.",
        ("an array or a string", "a member named BuildTime or DockerInfo", "a member twice"),
        "Write a JSON object with members of other names.",
    ),
    "build.entrypoint": _E(
        "The image has ENTRYPOINT and CMD, and the enclave runs CMD alone, as it does when nitro-cli builds the image.",
        ("an image written for docker run, which joins the two",),
        "Add --join-entrypoint, or name the whole command with --cmd.",
    ),
    "build.working-directory": _E(
        "The image's WORKDIR has no effect: init starts the command in the top directory.",
        ("an image written for docker run",),
        "Change the directory in the command itself, and name programs by their whole path.",
    ),
    "build.user": _E(
        "The image's USER has no effect: init starts the command as root.",
        ("an image written for docker run",),
        "Give up root in the command itself, if it should not have it.",
    ),
    "build.left-out": _E(
        "Files of the source are not in the image: .dockerenv, etc/hostname, dev/console, and what is in dev/pts and"
        " dev/shm. A container engine leaves them behind or covers them, and nitro-cli leaves them out.",
        ("an archive of docker export", "a root file system of a machine"),
        "Nothing to do; --as-is keeps them.",
    ),
    "build.replaced": _E(
        "etc/hosts and etc/resolv.conf of the source were replaced, as nitro-cli does: hosts knows localhost, and"
        " resolv.conf is a link to /run/resolvconf/resolv.conf.",
        ("an archive of docker export", "files that were copied into the image on purpose"),
        "--as-is keeps the source's; or write them when the enclave starts.",
    ),
    "build.added": _E(
        "Files that programs expect were added, as nitro-cli does: etc/hosts, etc/resolv.conf, etc/mtab.",
        ("an image of one program and nothing else",),
        "Nothing to do; --as-is adds none.",
    ),
    "build.mount-points": _E(
        "Directories that init mounts over were made: without dev, proc, run, sys or tmp the enclave stops at once.",
        ("an image of one program and nothing else",),
        "Nothing to do.",
    ),
    "build.part": _E(
        "A part of the image (kernel, command line, init, nsm.ko) is whatever the named file holds on this machine.",
        ("another version of the package on another machine",),
        "Compare its SHA-256 wherever the image is built again; PCR1 covers exactly these parts.",
    ),
    "build.source-date-epoch": _E(
        "SOURCE_DATE_EPOCH was set, so the times in the image, and with them PCR0 and PCR2, depend on it.",
        ("a build system that exports it",),
        "Set it to the same number wherever the image is built again, or nowhere.",
    ),
    "build.signature-random": _E(
        "The signature is another one each time, so the file's digest is too; no register depends on it.",
        ("a key in KMS", "an OpenSSL that cannot make deterministic signatures"),
        "Compare registers, not files; or compare the files after nitroctl eif unsign.",
    ),
    "eif.signing-key": _E(
        "The private key cannot sign the image.",
        ("a key that is encrypted", "an RSA or Ed25519 key", "a key that is not the certificate's"),
        "Give an unencrypted PEM key on P-256, P-384 or P-521 and the certificate made from it.",
    ),
    "eif.signing-certificate": _E(
        "The certificate cannot be stored in an image's signature section.",
        (
            "not a PEM certificate",
            "a certificate for an RSA key",
            "a file with a long chain in it",
            "a file with the private key in it too, which everybody could then read in the image",
            "a text in which OpenSSL and GnuTLS would find different certificates, so that PCR8 would mean two things",
        ),
        "Give a PEM file that holds the one certificate of the private key.",
    ),
    "eif.signing-result": _E(
        "What was given back as the signature does not verify with the certificate, so nothing was written.",
        ("an endpoint that is not KMS", "a fault in the key's holder, or between it and nitroctl"),
        "Sign again; if it happens again, look at what AWS_ENDPOINT_URL_KMS names, and tell the key's owner.",
    ),
    "eif.not-signable": _E(
        "The image has no room for a signature section as its format defines it.",
        ("an image of version 2 of the format, which has no signatures", "32 sections, all that the table holds"),
        "Build the image again with a current builder.",
    ),
    "eif.not-rewritten": _E(
        "The new image does not measure as the old one with this signature should, so it was thrown away.",
        ("a disk or memory that returns other bytes than were written", "somebody who writes to the new file"),
        "Sign again, on another disk; the old file is unchanged.",
    ),
    "aws.key-arn": _E(
        "What was given for a key in KMS is not the ARN of a KMS key or alias, which has the Region in it.",
        (
            "a key id without region and account",
            "the ARN of something else",
            "a partition that nitro-cli cannot sign in",
        ),
        "Write arn:aws:kms:<region>:<account>:key/<id>, as aws kms describe-key shows it.",
    ),
    "aws.key-usage": _E(
        "The KMS key cannot sign: it is for encryption, key agreement or message authentication.",
        ("the ARN of another key", "a key made with the wrong usage, which cannot be changed"),
        "Make a KMS key with the usage SIGN_VERIFY and the type ECC_NIST_P256, ECC_NIST_P384 or ECC_NIST_P521.",
    ),
    "aws.credentials": _E(
        "AWS was not asked, or refused to listen, because there are no usable credentials.",
        ("nobody signed in", "a session that has expired", "an instance without a role", "a clock that is wrong"),
        "Sign in (aws sso login), name a profile in AWS_PROFILE, or give the instance a role.",
    ),
    "aws.access-denied": _E(
        "AWS knows the caller and does not allow the call.",
        (
            "the action is missing in the caller's IAM policy",
            "of a call to KMS: the key's policy does not name the caller, or denies it",
            "a policy of the organisation, a permissions boundary or a VPC endpoint's policy takes it away",
        ),
        "Allow the caller the action that the message names; the request id finds the call in CloudTrail.",
    ),
    "aws.throttled": _E(
        "AWS asked for fewer requests, also after nitroctl had waited and tried again.",
        (
            "many callers of the service that the message names, in the account and Region",
            "another kms trail --lookup: CloudTrail answers two LookupEvents a second",
        ),
        "Wait and repeat; of KMS ask for a higher quota when it happens often.",
    ),
    "aws.not-found": _E(
        "KMS knows no such key, alias or policy in that account and region.",
        ("the region or account in the ARN", "a key that was deleted", "an alias that leads nowhere"),
        "aws kms list-aliases and list-keys show what there is; write the ARN that they print.",
    ),
    "aws.key-state": _E(
        "KMS does not do this with a key in its present state.",
        ("a disabled key", "a key that waits for its deletion", "a key that is being made or has no material yet"),
        "nitroctl kms show tells the state; enable the key, cancel its deletion, or wait.",
    ),
    "aws.policy-malformed": _E(
        "KMS takes the policy for none: its syntax, a name in it, or what it would do to its caller.",
        ("a condition key or operator that KMS does not know", "a policy that would lock its caller out"),
        "nitroctl kms lint POLICY; nothing was changed in AWS.",
    ),
    "aws.invalid-principals": _E(
        "The policy names a role or user that KMS does not find, also after nitroctl had waited for new ones.",
        (
            "a role that was deleted: KMS shows its id, AROA…, in its place",
            "a misspelt ARN, or one without the role's path",
            "a role made a moment ago",
        ),
        "Check each principal with aws iam get-role; remove ids of deleted ones. Nothing was changed in AWS.",
    ),
    "aws.limit": _E(
        "KMS refuses because a quota is reached; for a policy that is its size, 32,768 bytes.",
        ("too many releases in one policy", "statements of others that are long"),
        "Retire releases that are no longer run; nitroctl kms lint POLICY measures the policy.",
    ),
    "aws.unavailable": _E(
        "AWS's service failed or timed out, also after nitroctl had waited and tried again.",
        ("trouble in the region",),
        "Wait and repeat; the AWS Health Dashboard tells of trouble.",
    ),
    "aws.refused": _E(
        "AWS answered with an error; its own code and message stand in the text.",
        (
            "of a call to KMS: an operation that this kind of key does not have",
            "a fault of the service",
        ),
        "Act on AWS's own code; the request id finds the call in CloudTrail and helps AWS support.",
    ),
    "aws.unreachable": _E(
        "The endpoint of the service that the message names (KMS, STS, CloudTrail) did not answer, also after nitroctl"
        " had tried again.",
        (
            "no way to the network",
            "a proxy in between, or a VPC without an endpoint for that service: one for KMS is none for STS",
            "a wrong AWS_ENDPOINT_URL, or AWS_ENDPOINT_URL_KMS, …_STS or …_CLOUDTRAIL",
        ),
        "Check the way to <service>.<region>.amazonaws.com on port 443 from this machine.",
    ),
    "aws.configuration": _E(
        "boto3 cannot make a client of the AWS settings in the environment and in ~/.aws.",
        ("AWS_PROFILE names a profile that is not there", "a configuration file that cannot be parsed"),
        "aws configure list shows which settings are in force and where they come from.",
    ),
    "aws.nonsense": _E(
        "What answered is not the AWS service that the message names, or not as its interface says.",
        (
            "a wrong AWS_ENDPOINT_URL, or AWS_ENDPOINT_URL_KMS, …_STS or …_CLOUDTRAIL",
            "a proxy that answers in AWS's place",
        ),
        "Look at those variables, at HTTPS_PROXY, and at endpoint_url in ~/.aws/config.",
    ),
    "aws.library": _E(
        "boto3, by which AWS is called, is not installed; everything offline works without it.",
        ("an installation for offline use",),
        "Install boto3 beside nitroctl; or work on files: sign with a key in a file, judge policies and events that the"
        " AWS CLI printed.",
    ),
    "eif.header": _E(
        "The file is shorter than the 548 bytes of a file header.",
        ("a truncated download or build", "another kind of file"),
        "Obtain the image again, or check the path.",
    ),
    "eif.magic": _E(
        "The file does not begin with the four bytes .eif, so it is not an enclave image; it is not read further.",
        ("another kind of file", "a Git LFS pointer in place of the image"),
        "Name the file that nitro-cli build-enclave wrote.",
    ),
    "eif.version": _E(
        "The format version is not 2, 3 or 4, so its layout is not known; a warning for 2 and 3, which predate"
        " nitro-cli 1.2.0.",
        ("a damaged header", "an image made by a newer or much older tool"),
        "Build the image with a released nitro-cli.",
    ),
    "eif.flags": _E(
        "Flag bits are set that the specification does not define. They are not measured. Told, never refused.",
        ("a builder that asks the platform for PCIe devices (bits 6 and 9)", "a damaged header"),
        "Ask the image's builder what the bits mean.",
    ),
    "eif.reserved": _E(
        "Fields that should be zero are not. Known readers ignore them, so this is told and not refused.",
        ("a tool that removed a section and left its table entry", "an image edited by hand"),
        "Build the image again.",
    ),
    "eif.section-count": _E(
        "The header or the file has fewer than 2 or more than 32 sections.",
        ("a damaged header", "an image made to confuse readers"),
        "Build the image again.",
    ),
    "eif.section-bounds": _E(
        "A section begins or ends outside the file. nitro-cli stops or crashes on such a file.",
        ("a truncated download or build", "an image made to crash readers"),
        "Obtain the image again and compare its SHA-256.",
    ),
    "eif.table-sizes": _E(
        "The header's table states another size for a section than the section itself; QEMU refuses that, nitro-cli"
        " does not look.",
        ("nitro-cli sign-eif run on an image that was signed already", "an image edited by hand"),
        "Sign the unsigned image, or build the image again.",
    ),
    "eif.contiguity": _E(
        "The header's table has a gap, an overlap or another order than the file, so readers see different images.",
        ("an image made to show one content to some readers and another to others", "an image edited by hand"),
        "Do not run it; build the image again.",
    ),
    "eif.views": _E(
        "Following the header's table and following the section sizes do not give the same sections. What the"
        " hypervisor follows is not published, so the image has no registers that can be stated.",
        ("one of the checks before it failed", "a section hidden from one kind of reader"),
        "Do not run it; nitroctl eif measure FILE shows what each kind of reader would compute.",
    ),
    "eif.file-end": _E(
        "Bytes follow the last section; no reader measures them or covers them by the checksum.",
        ("something was appended to the file", "a download that went wrong"),
        "Obtain the image again.",
    ),
    "eif.section-types": _E(
        "A section is of a type that the format version does not define; nitro-cli stops there, QEMU skips it.",
        ("an image made by a newer tool", "a damaged section header"),
        "Build the image with a released nitro-cli.",
    ),
    "eif.section-flags": _E(
        "A section header's flags are not zero; QEMU refuses that.",
        ("a damaged section header", "an image edited by hand"),
        "Build the image again.",
    ),
    "eif.kernel": _E(
        "An image has exactly one kernel, before every ramdisk; readers disagree about anything else.",
        ("an image assembled by hand",),
        "Build the image again.",
    ),
    "eif.cmdline": _E(
        "An image has exactly one kernel command line (it may be empty).",
        ("an image assembled by hand",),
        "Build the image again.",
    ),
    "eif.ramdisks": _E(
        "An image has at least one ramdisk; QEMU refuses one without.",
        ("an image assembled by hand",),
        "Build the image again.",
    ),
    "eif.metadata-section": _E(
        "Version 4 of the format requires one metadata section; there is none, more than one, or one too large.",
        ("an image assembled by hand", "megabytes of docker inspect output"),
        "Build the image again.",
    ),
    "eif.signature-section": _E(
        "There may be one signature section of at most 32768 bytes; with two, readers disagree on PCR8.",
        ("an image signed twice by a tool that appends", "a certificate file with a long chain in it"),
        "Sign the unsigned image again with one certificate.",
    ),
    "eif.crc": _E(
        "The CRC-32 in the header is not that of the file. It guards against accidents only: anybody can make it fit.",
        ("a damaged copy", "an image edited after it was built"),
        "Copy it again and compare its SHA-256, or build it again.",
    ),
    "eif.cmdline-text": _E(
        "The kernel command line has characters that a person would not see, or more text than was looked at. Told, "
        "never refused.",
        (
            "a NUL, after which the kernel reads nothing though it is measured",
            "terminal escapes",
            "a line feed",
            "a line of more than 64 KiB: all of it is measured, and Linux reads the first 2,047 characters",
        ),
        "Look at it in nitroctl eif inspect, where every such character is written out.",
    ),
    "eif.metadata": _E(
        "The metadata section is not JSON of the published shape. It is neither measured nor signed, but nitro-cli"
        " describe-eif fails on it.",
        ("an image assembled by hand", "a builder that leaves CustomMetadata out (a warning)"),
        "Build the image again.",
    ),
    "eif.signature-format": _E(
        "The signature section is not written in the one encoding that every reader takes.",
        ("a signing tool with another CBOR encoding", "a damaged section", "a section made to crash readers"),
        "Sign the image again with nitro-cli sign-eif or nitroctl.",
    ),
    "eif.signature": _E(
        "The signature does not verify with the certificate stored beside it. A pass says only that they belong"
        " together: whether the certificate deserves belief is what comparing PCR8 answers.",
        ("the signature or certificate was exchanged", "a damaged section"),
        "Obtain the image again, or sign it again.",
    ),
    "eif.signed-measurement": _E(
        "The signature is about another PCR0 than the image has.",
        ("the image was changed after it was signed", "a signature copied from another image"),
        "Build and sign the image again.",
    ),
    "eif.certificate-dates": _E(
        "The signing certificate had expired or did not hold yet at the instant named. PCR8 is the same all the same,"
        " but nitro-cli run-enclave refuses the image. eif inspect tells it, eif verify refuses.",
        ("a certificate that was not renewed", "a wrong clock"),
        "Sign the image with a current certificate; PCR8 changes with it.",
    ),
    "eif.expected": _E(
        "What the image is expected to be is something that no image file can be, or that every image is.",
        ("PCR3 or PCR4, which the parent instance decides", "registers copied from an enclave in debug mode"),
        "Give PCR0, PCR1, PCR2 or PCR8 as nitroctl eif measure prints them.",
    ),
    "eif.unread": _E(
        "Some of the images to verify could not be read, so nothing is said of them; the others are sound.",
        ("a misspelt path", "a directory among the files", "permissions"),
        "The answer about each of them says why; name only image files.",
    ),
    "eif.described": _E(
        "nitro-cli describe-eif fails on the metadata: it requires the member CustomMetadata, and that it be an object"
        " or null. The enclave would run all the same, for metadata is not measured.",
        ("a builder that leaves CustomMetadata out", "a --metadata file that holds a list, a string or a number"),
        "Build the image again with an object as custom metadata; the registers stay the same.",
    ),
    "eif.ramdisk-contents": _E(
        "A ramdisk has something that Linux stops at or passes over, or that another archiver reads otherwise."
        " All of it is measured, whatever becomes of it. Told, never refused.",
        (
            "a ramdisk that is a file system, not an archive",
            "an archive cut short, or made to hide files from one kind of reader",
            "a compressed ramdisk of odd length before a plain one: Linux gets all of them as one",
            "a compression that nitroctl does not read",
        ),
        "nitroctl eif inspect FILE --ramdisk N --list shows what is in it; ask how the image was made.",
    ),
    "eif.signed-by": _E(
        "The image is not signed, or with another certificate than the one named with --signed-by. The certificate is"
        " compared by PCR8, as the hypervisor and key policies see it; the chain above it plays no part.",
        ("an image of another origin", "a certificate that was renewed", "the unsigned image of the same build"),
        "Find out where the image comes from, or compare with the certificate that signs today.",
    ),
    "builder.image-version": _E(
        "The metadata's version equals its name: eif_build 0.3.1 writes --name in both places. Told, never refused.",
        ("an image built with eif_build 0.3.1",),
        "Take the version from the records; metadata is not measured.",
    ),
    "builder.image-name": _E(
        "The metadata's name is a registry's host: nitro-cli takes what stands before the first colon of the Docker"
        " reference, and the registry has a port. Told, never refused.",
        ("nitro-cli build-enclave --docker-uri registry:5000/app:1.0 without --name",),
        "Build with --name.",
    ),
    "builder.custom-metadata": _E(
        "Custom metadata has a member that the builder writes too; nitro-cli describe-eif prints both under one name."
        " Told, never refused.",
        ("a --metadata file with BuildTime or DockerInfo in it", "an image made to look like another build's"),
        "Believe neither: metadata is not measured.",
    ),
    "builder.cmdline-end": _E(
        "The command line ends with a line feed, a NUL or a space. nitro-cli trims it; every byte of it is measured, so"
        " the registers differ from those of a nitro-cli build of the same parts. Told, never refused.",
        ("a builder that passes the file as it is", "twoliter, which ends it with a NUL"),
        "Expect the registers that nitroctl eif measure prints, not those of nitro-cli's build.",
    ),
    "builder.cmdline-length": _E(
        "The command line is longer than what Linux takes (2047 bytes). The rest is measured and never seen by the"
        " kernel. Told, never refused.",
        ("a command line assembled by a script", "an image made to hide something from a reader"),
        "Shorten the command line.",
    ),
    "builder.signed-hash": _E(
        "The signature is about a SHA-256 or SHA-512 register: eif_build --algo changes what it signs. Enclaves are"
        " measured with SHA-384 alone, so the signature is of nothing that exists.",
        ("eif_build run with --algo",),
        "Sign the image again without --algo.",
    ),
    "builder.architecture": _E(
        "The header, the kernel and the Docker image are not all for the same processor, so the enclave will not start,"
        " or not run its program. nitro-cli takes the header from the Docker image and the kernel from the host. Told,"
        " never refused: the header is not measured.",
        ("an arm64 image built on an x86-64 host, or the other way round", "a header that was edited"),
        "Build the image on the processor that it is to run on.",
    ),
    "builder.kernel-version": _E(
        "The metadata names another kernel version than the kernel itself does. Told, never refused.",
        ("a kernel that was exchanged in nitro-cli's blobs without its .config", "metadata made by hand"),
        "Believe the kernel: it is measured, and the metadata is not.",
    ),
    "eif.source-kind": _E(
        "The source is of none of the kinds that an image is built from, or not of the kind that was asked for.",
        ("another kind of file", "an archive of a kind that is not tar", "a directory in place of an archive"),
        "Give an OCI image layout, an archive of docker save, or a root file system in a directory or a tar archive.",
    ),
    "eif.source-empty": _E(
        "The source holds nothing, not even a directory, so an image made of it would have nothing to run.",
        ("a root file system that is not mounted or not filled yet", "an archive of zeros: a copy that broke off"),
        "Fill or mount it, or copy the archive again, then build.",
    ),
    "eif.source-tar": _E(
        "A tar archive is damaged, cut short, or written so that the tools in use would read it differently.",
        ("an incomplete copy", "an archive edited by hand", "a global pax header, as release tools may write"),
        "Make the archive again with GNU tar or the tool that it came from.",
    ),
    "eif.source-compression": _E(
        "Packed data ends early, is damaged, or is followed by other bytes.",
        ("an incomplete copy", "a damaged disk or download"),
        "Copy, save or pull it again.",
    ),
    "eif.source-zstd": _E(
        "A layer or archive is packed with zstd, and nothing that reads it is installed.",
        ("Python before 3.14 without the package zstandard",),
        "Install it with nitroctl's zstd extra, or pack the layers with gzip.",
    ),
    "eif.source-digest": _E(
        "A part of an image does not have the digest or size by which it is referred to. Nothing of it was used.",
        ("an incomplete or damaged copy", "a layout that was edited by hand", "a part that was exchanged"),
        "Save or pull the image again, and compare its digest with the one that was published.",
    ),
    "eif.source-format": _E(
        "The JSON that describes an image is not of the published shape, or refers to what cannot be used.",
        (
            "an archive of something else than an image",
            "a foreign or encrypted layer",
            "an archive saved before Docker 1.10",
            "parts that contradict each other",
        ),
        "Save the image again with a current tool.",
    ),
    "eif.source-choice": _E(
        "The source does not hold the image that was asked for, or several that fit.",
        ("an image for several platforms", "an archive of several images", "a misspelt tag"),
        "Name the platform, the tag or, best, the digest; the hints list what there is.",
    ),
    "eif.source-name": _E(
        "A name cannot be one in a ramdisk: it leads outside, is empty, or is longer than a kernel unpacks.",
        ("an archive made to write outside of its directory", "a name of thousands of bytes"),
        "Leave the file out, or give it another name; do not unpack the archive with other tools.",
    ),
    "eif.source-layer": _E(
        "A layer cannot be put over those below it, as a container engine could not either.",
        (
            "a hard link to a file that is not there",
            "a name below something that is no directory",
            "symbolic links in a circle",
        ),
        "Build the image again; if it came from elsewhere, ask where it came from.",
    ),
    "eif.source-limit": _E(
        "The source holds, or unpacks to, more than is read: 500,000 names, 16 GiB, 200 times its packed size.",
        ("an archive made to fill a disk", "an image with data in it that an enclave could not hold in memory either"),
        "Leave out what the application does not need.",
    ),
    "source.times-clamped": _E(
        "Modification times later than the stated one were set to it: the image is the same whenever it is built.",
        ("files made by this build", "a layer that is newer than SOURCE_DATE_EPOCH"),
        "Nothing, or set SOURCE_DATE_EPOCH to the time of the last commit.",
    ),
    "source.times-set": _E(
        "All modification times were set to the stated one: those of a directory tell when it was copied.",
        ("a root file system that is given as a directory",),
        "Nothing; give a tar archive to keep the times that are in it.",
    ),
    "source.owners-set": _E(
        "All owners were set to 0:0: those of a directory tell who copied it.",
        ("a root file system that is given as a directory",),
        "Nothing; give a tar archive to keep the owners that are in it.",
    ),
    "source.modes-set": _E(
        "Modes were set to 0755 or 0644: the rest of a directory's modes comes from the umask of whoever copied it.",
        ("a umask such as 027", "files with narrower modes than they need"),
        "Nothing; give a tar archive to keep the modes that are in it.",
    ),
    "source.special-bits": _E(
        "Set-user-id, set-group-id and sticky bits of a directory's files were dropped, as a checkout would drop them.",
        ("a root file system that was unpacked as root", "programs such as su and mount"),
        "Nothing, if the enclave runs as root; give a tar archive to keep the bits.",
    ),
    "source.links-split": _E(
        "Names of one file became files of their own: a copy of the directory may have lost the links.",
        ("a root file system that was unpacked by a package manager",),
        "Nothing; give a tar archive to keep the links.",
    ),
    "source.link-attributes": _E(
        "A hard link's entry states another mode or owner than the file has, and they counted for all its names.",
        ("an archive made by a program that fills in defaults for links",),
        "See that the file's mode and owner are as meant: Docker and containerd do the same, umoci and tar do not.",
    ),
    "source.parents-made": _E(
        "Directories that no entry of the source describes were made, with mode 0755 and owner 0:0.",
        ("a builder that writes files only",),
        "Nothing, unless an application needs another mode or owner: then have the builder describe the directory.",
    ),
    "source.capabilities": _E(
        "Files have capabilities, which a ramdisk has no place for: programs that need one fail unless run as root.",
        ("programs such as ping",),
        "Run the program as root, or give it the capability when it is started.",
    ),
    "source.xattrs": _E(
        "Files have extended attributes or access lists, which a ramdisk has no place for.",
        ("labels of SELinux", "access lists set with setfacl"),
        "Nothing, unless an application reads them.",
    ),
    "source.sockets": _E(
        "Sockets in the directory were left out; no archive has them either.",
        ("a program that was running when the directory was copied",),
        "Nothing; the program that listens makes its socket.",
    ),
    "source.housekeeping": _E(
        "Entries by which a storage driver kept its own books were left out, as container engines do.",
        ("a layer that was saved from an aufs host",),
        "Nothing.",
    ),
    "source.whiteout-names": _E(
        "The archive has names that begin with .wh. and would hide others in a layer; here they are plain files.",
        ("one layer of an image, given in place of the whole",),
        "Save the whole image with docker save, or ask for an OCI layout.",
    ),
    "source.tag": _E(
        "The image was chosen by a tag, which can be given to another image at any time.",
        ("a reference without digest",),
        "Name the digest that the build prints.",
    ),
    "source.platform-label": _E(
        "The index says that the image is for another platform than its configuration says.",
        ("an image that was built on one platform for another without saying so",),
        "See that its programs are for the enclave's processor.",
    ),
    # -- evidence, appraisal
    "standin.pki": _E(
        "The stand-in's directory does not hold its root certificate and key.",
        ("a directory that the stand-in did not make", "a damaged or foreign file in it"),
        "Remove the directory; the stand-in makes a new one.",
    ),
    "lab.unknown-name": _E(
        "The lab has no case of that name.",
        ("a misspelt name", "a name of another version"),
        "See nitroctl lab list.",
    ),
    "lab.directory": _E(
        "A suite of the lab is written as a new directory, and the one named is a file or has something in it.",
        ("an earlier suite: the keys of two do not mix",),
        "Name a directory that does not exist, or empty it.",
    ),
    "evidence.empty": _E(
        "There is no attestation document to look at: the input is empty.",
        ("a capture that failed", "an empty standard input"),
        "Capture the document again.",
    ),
    "evidence.unreadable": _E(
        "The input is not an attestation document in any of the forms that are read.",
        ("another file", "base64 or hexadecimal damaged by copying", "JSON without a member that holds the document"),
        "Pass raw CBOR, base64, hexadecimal, PEM-like text, JSON with a member attestation_document, or a certificate.",
    ),
    "evidence.ambiguous": _E(
        "The input could be read in more than one way, and nitroctl does not guess which one is meant.",
        ("JSON with several documents", "several PEM blocks", "a JSON member that occurs twice"),
        "Pass one document alone.",
    ),
    "evidence.too-large": _E(
        "The input decodes to more than 32 KiB; the Nitro Secure Module cannot make a document beyond 12 KiB.",
        ("another file",),
        "Check the path.",
    ),
    "evidence.crl": _E(
        "A file given as a revocation list is not one X.509 CRL, or such files are larger than what is read.",
        ("a certificate in its place", "several lists in one file", "a damaged download"),
        "Pass one list for each file, as its issuer publishes it, in DER or PEM.",
    ),
    "evidence.crypto": _E(
        "NITROCTL_CRYPTO asks for a cryptographic library that is not known or not installed.",
        ("the optional package awscrt is missing", "a misspelt name"),
        "Install nitroctl[fast], or leave the variable out: verdicts are the same, only slower.",
    ),
    "evidence.root": _E(
        "A file given as --root is not one X.509 certificate, or an AWS root in the package is not the pinned one.",
        ("a bundle of several certificates", "a damaged installation"),
        "Pass one PEM certificate a file; install nitroctl anew if its own file is damaged.",
    ),
    "recipient.extra": _E(
        "The command reads CMS, for which it needs the optional dependency asn1crypto.",
        ("nitroctl was installed without the extra",),
        "pip install 'nitroctl[recipient]'.",
    ),
    "recipient.unreadable": _E(
        "The file does not hold what the KMS API gives or takes: it is empty, cut short, or something else.",
        ("base64 damaged by copying", "the JSON of another command", "a CMS message that is not complete"),
        "Pass the bytes raw, in base64, or the JSON that aws kms printed.",
    ),
    "recipient.unsupported": _E(
        "The CMS message is wrapped in another way than KMS wraps its answers to attested requests.",
        ("a message that openssl cms made with its defaults", "an emulator with another algorithm"),
        "Open it with openssl cms -decrypt, or make it with RSAES-OAEP SHA-256 and AES-256-CBC.",
    ),
    "recipient.key": _E(
        "The file given as --key is not one unencrypted RSA private key in PEM.",
        ("the public key or the certificate", "an encrypted key", "an elliptic-curve key"),
        "Pass the private key whose public key was in the attestation document.",
    ),
    "recipient.not-opened": _E(
        "The message was made for another key or was damaged; which of the two is not told, on purpose.",
        ("another key pair than the one in the attestation document", "a changed byte"),
        "Check that the document of that very request had this key's public half: nitroctl attest show.",
    ),
    "recipient.plaintext": _E(
        "KMS answered with plaintext, so the request was not attested and its sender could read the secret.",
        ("a request without a Recipient", "a key policy that allows the operation without attestation"),
        "Send the Recipient, and let the key policy deny requests without one: nitroctl kms generate.",
    ),
    "recipient.document": _E(
        "An attested request is made of a well-formed attestation document, and this is none.",
        ("a damaged capture", "another file"),
        "nitroctl attest show FILE lists every check.",
    ),
    "recipient.public-key": _E(
        "KMS cannot encrypt to what the document has as public_key.",
        ("a document asked for without a public key", "an elliptic-curve key", "a key in PEM or PKCS #1 form"),
        "In the enclave, ask for the document with an RSA key's SubjectPublicKeyInfo in DER, 2048 to 4096 bits.",
    ),
    "attest.unread": _E(
        "Some of the documents to verify could not be read, so nothing is said of them; the others are accepted.",
        ("a file among them that is not a document", "a damaged archive", "permissions", "a directory without files"),
        "The answer about each of them says why; name only what holds documents, or mend the archive.",
    ),
    "attest.no-reference-values": _E(
        "Nothing says which measurements are wanted, and without that no evidence is acceptable.",
        ("no records file yet", "a records file without an enclave's entry"),
        "Record the image with nitroctl pcr record, give --pcr, or ask only who signed it with --authenticity-only.",
    ),
    "attest.zero-reference": _E(
        "A reference value, or a policy's rule for PCR8, expects a register to be zero that is zero in every "
        "debug-mode enclave or unsigned image; or a set for a NitroTPM has nothing but registers that any instance's "
        "can equal (zero, all ones, the separator alone, PCR7 without Secure Boot).",
        ("registers copied from an enclave in debug mode", "PCR8 of an unsigned image", "PCR7 without Secure Boot"),
        "Use the measurements of the image itself: nitroctl eif measure; of a NitroTPM PCR4 and PCR12, or with Secure "
        "Boot PCR7.",
    ),
    "attest.at": _E(
        "The instant given with --at is not now, document or an RFC 3339 time.",
        ("a date without a time", "a time without a zone"),
        "Write 2026-11-20T10:00:00Z.",
    ),
    "attest.nonce": _E(
        "The nonce given with --nonce is empty or not bytes in hexadecimal.",
        ("the nonce's text in place of its bytes in hexadecimal", "base64"),
        "Write two hexadecimal digits a byte.",
    ),
    "attest.binary-terminal": _E(
        "The part to extract is bytes that are not text, and standard output is a terminal, which they could disturb.",
        ("no --output and no pipe",),
        "Write it to a file with --output FILE, or pipe it on; nitroctl attest show prints it in hexadecimal.",
    ),
    "attest.max-age": _E(
        "The age given with --max-age is not a whole number of seconds, minutes, hours or days.",
        ("a number without a unit",),
        "Write 30s, 5m, 3h or 2d.",
    ),
    "attest.nonce-required": _E(
        "The policy requires a nonce to be compared, and none was given to compare with.",
        ("--nonce left out",),
        "Give the nonce that was asked for with --nonce, or use a policy that does not require one.",
    ),
    "attest.policy-roots": _E(
        "The policy names root certificates by fingerprint, and none of the roots in question is among them.",
        ("a root that is not AWS's, which a policy alone cannot make accepted", "another root given with --root"),
        "Name the certificate with --root as well, or correct the policy's roots.",
    ),
    "appraisal-policy.syntax": _E(
        "The policy file is not one YAML document that can be read.",
        ("an edit by hand", "tabs in place of spaces", "the wrong file"),
        "Mend the line that the error names; nitroctl attest policy init writes a file to start from.",
    ),
    "appraisal-policy.duplicate-key": _E(
        "A key occurs twice in the policy; readers of YAML disagree about which one counts.",
        ("a field copied and not renamed",),
        "Keep one of the two.",
    ),
    "appraisal-policy.yaml-feature": _E(
        "The policy uses a part of YAML that readers understand differently: an anchor, an alias, a tag, a merge key, "
        "a second document, a plain word that may be text, a number or a boolean, or a character (U+0085, U+2028, "
        "U+2029, a lone carriage return) at which some readers begin a line and editors do not show one.",
        ("a value without quotes, like no or 1.0", "a file made by another program", "a line hidden in a comment"),
        "Write the values out, put text that looks like something else in quotes, and end lines with a line feed.",
    ),
    "appraisal-policy.schema": _E(
        "The policy does not say that it is in a form that this nitroctl knows.",
        ("no field schema", "a policy for a newer nitroctl", "another file"),
        "Write schema: urn:nitroctl:appraisal-policy:1, or upgrade nitroctl.",
    ),
    "appraisal-policy.field": _E(
        "The policy has a field that is not known, or lacks one that is needed. An unknown field is never ignored: "
        "somebody may believe that it is required.",
        ("a misspelt name", "a field in the wrong place"),
        "Correct the name; nitroctl schema appraisal-policy.1 prints the form.",
    ),
    "appraisal-policy.value": _E(
        "A value in the policy does not have the form that its field asks for.",
        ("a misspelt value", "a digest that was cut or is of another kind", "an empty list, which accepts nothing"),
        "Correct the value at the place the error names.",
    ),
    "appraisal-policy.readable": _E(
        "The policy file cannot be read as one clear document.",
        ("a mistake in YAML or JSON", "a key that occurs twice", "an anchor or an alias"),
        "Mend the line that the check names.",
    ),
    "appraisal-policy.fields": _E(
        "The policy has a field that is not known, or lacks one that is needed.",
        ("a misspelt name", "a field in the wrong place"),
        "Correct the names that the check gives.",
    ),
    "appraisal-policy.values": _E(
        "A value in the policy does not have the form that its field asks for.",
        ("a misspelt value", "a digest that was cut or is of another kind"),
        "Correct the values that the check gives.",
    ),
    "appraisal-policy.references": _E(
        "The policy has no reference values that accept, so nothing is acceptable under it.",
        ("no field references", "a ledger that is not there or has no active entry of the component"),
        "Name a ledger with active entries under references, or write the registers there.",
    ),
    "appraisal-policy.possible": _E(
        "Requirements of the policy contradict each other, so that no document meets them all. Looked for are "
        "registers, ids, places and contents that exclude each other; that none is seen does not say that there is "
        "none.",
        (
            "an instance id and a module id of another instance",
            "a root of another partition than the wanted one",
            "two values for one register",
            "user data that has to be equal to what is not the JSON that is asked for",
        ),
        "Correct or remove one of them, and judge a document that should be acceptable before relying on the policy.",
    ),
    "appraisal-policy.image": _E(
        "A set of reference values does not say which image runs: neither PCR0, nor PCR8, nor PCR1 and PCR2 are in it.",
        ("a set with PCR3 or PCR4 alone",),
        "Add PCR0.",
    ),
    "appraisal-policy.signer": _E(
        "A set of reference values names the image by its signer alone: every image ever signed with that key passes.",
        ("a set with PCR8 and without PCR0",),
        "Add PCR0, or keep the signing key and every image signed with it under review.",
    ),
    "appraisal-policy.instance": _E(
        "A set of reference values names one EC2 instance by PCR4, so replacing the instance needs another policy.",
        ("registers copied from a running enclave",),
        "Leave PCR4 out and write instance_ids, or pcr4_matches_module_id: true.",
    ),
    "appraisal-policy.freshness": _E(
        "The policy does not require a nonce that is new for each request, so an old document may be played again.",
        ("no field nonce", "a nonce fixed in the policy"),
        "Write nonce: {required: true} and give --nonce with every request.",
    ),
    "appraisal-policy.debug": _E(
        "The policy accepts enclaves in debug mode, whose image is not attested.",
        ("a policy for tests",),
        "Remove debug: allow from a policy for production.",
    ),
    "appraisal-policy.age": _E(
        "The policy's max_age is longer than the three hours for which a document's certificate holds.",
        ("a misunderstanding of what expires first",),
        "Write an age below 3h.",
    ),
    "appraisal-policy.skew": _E(
        "The policy accepts documents from further in the future than clocks on one network differ.",
        ("a clock that was wrong once",),
        "Set the clocks, and write a clock_skew of a few minutes.",
    ),
    "appraisal-policy.roots": _E(
        "The policy names a root that is not AWS's; alone it accepts nothing under it.",
        ("a policy for a stand-in",),
        "Give the root's certificate with --root at every call.",
    ),
    "cbor.size": _E(
        "The document is larger than 32 KiB; the Nitro Secure Module cannot make one beyond 12 KiB.",
        ("another file", "an attempt to exhaust the verifier"),
        "Check where the document comes from.",
    ),
    "cbor.complete": _E(
        "The CBOR ends before an item does, or claims more than there is.",
        ("a document cut short or damaged in copying",),
        "Capture the document again, whole.",
    ),
    "cbor.types": _E(
        "The CBOR has an item that no attestation document has: a float, an undefined value, text that is not UTF-8.",
        ("bytes lost in copying", "another file"),
        "Capture the document again; check that it is one.",
    ),
    "cbor.tags": _E(
        "The CBOR has a tag other than one leading 18; tags change what follows in ways decoders differ about.",
        ("a damaged document", "a document made to confuse verifiers"),
        "Capture the document again; if it is as captured, treat it as forged.",
    ),
    "cbor.shortest-heads": _E(
        "A length or number is not written the shortest way; AWS always does, and two spellings hide differences.",
        ("a document encoded again by another program",),
        "Pass the document as it was received.",
    ),
    "cbor.definite-strings": _E(
        "A string is cut into chunks, which AWS never does.",
        ("a document encoded again by another program",),
        "Pass the document as it was received.",
    ),
    "cbor.unique-keys": _E(
        "A map has the same key twice; which one counts depends on the reader.",
        ("a document made to confuse verifiers",),
        "Treat the document as forged.",
    ),
    "cbor.bounds": _E(
        "The CBOR nests deeper than 8 or has more than 2048 items; a real document nests three deep.",
        ("an attempt to exhaust the verifier",),
        "Treat the document as forged.",
    ),
    "cbor.trailing-bytes": _E(
        "Bytes follow the document, or the payload, after its end.",
        ("two documents in one file", "a final line break added to raw CBOR"),
        "Cut the file where the document ends.",
    ),
    "cose.shape": _E(
        "The document is not an array of protected header, unprotected header, payload and signature.",
        ("another file", "a document made by something that is not a Nitro Secure Module"),
        "Check that the file holds the attestation document and nothing around it.",
    ),
    "cose.protected-header": _E(
        "The signed header is not a map with the algorithm alone.",
        ("a document made by something that is not a Nitro Secure Module",),
        "Treat the document as forged.",
    ),
    "cose.algorithm": _E(
        "The document says that it is signed otherwise than with ES384, which AWS always uses.",
        ("a document made by something that is not a Nitro Secure Module", "an attempt to weaken the check"),
        "Treat the document as forged.",
    ),
    "cose.unprotected-empty": _E(
        "The unsigned header is not empty; anybody could have put that there.",
        ("somebody added to the document",),
        "Ask for the document as it left the enclave.",
    ),
    "cose.payload-size": _E(
        "The payload is empty or larger than 16384 bytes.",
        ("a document made by something that is not a Nitro Secure Module",),
        "Treat the document as forged.",
    ),
    "cose.signature-size": _E(
        "The signature is not 96 bytes, r and s one after the other.",
        ("a signature in DER", "a damaged document"),
        "Capture the document again.",
    ),
    "cose.signature": _E(
        "The signature over the document is not one by the key of its certificate.",
        ("the document was changed after it was signed", "bytes damaged in copying", "a forgery"),
        "Believe nothing in it; capture the document again and compare.",
    ),
    "document.map": _E(
        "The payload is not a map with text keys.",
        ("something signed that is not an attestation document",),
        "Check what the file is.",
    ),
    "document.kind": _E(
        "It cannot be told whether the document is an enclave's or a NitroTPM's, or its parts disagree about that.",
        ("a document of another platform", "a document made to confuse verifiers"),
        "The same register means other things in each kind; find out what made the document.",
    ),
    "document.module-id": _E("The module id is missing, empty or not text.", ("a forged document",), "Do not use it."),
    "document.digest": _E(
        "The digest of the registers is not SHA384, the only one AWS uses.",
        ("a forged document", "a new platform this version does not know"),
        "Do not use it; see whether a newer nitroctl knows it.",
    ),
    "document.timestamp": _E(
        "The timestamp is missing or not a plausible number of milliseconds since 1970.",
        ("a stand-in that writes seconds or text",),
        "Do not use it.",
    ),
    "document.pcrs": _E(
        "The registers are missing or not a map of 1 to 32 entries.", ("a forged document",), "Do not use it."
    ),
    "document.pcr-indexes": _E(
        "A register's index is not a whole number from 0 to 31.", ("a forged document",), "Do not use it."
    ),
    "document.pcr-sizes": _E(
        "A register does not have 48 bytes, although the digest is SHA384.", ("a forged document",), "Do not use it."
    ),
    "document.certificate": _E(
        "The certificate is missing or not 1 to 1024 bytes.", ("a forged or damaged document",), "Do not use it."
    ),
    "document.cabundle": _E(
        "The bundle of authorities is missing, empty, longer than 10 or has an item that is not 1 to 1024 bytes.",
        ("a stand-in without a chain", "a forged document"),
        "Do not use it.",
    ),
    "document.public-key": _E(
        "The public key field is neither bytes nor absent.", ("a forged document",), "Do not use it."
    ),
    "document.user-data": _E(
        "The user data field is neither bytes nor absent.", ("a forged document",), "Do not use it."
    ),
    "document.nonce": _E("The nonce field is neither bytes nor absent.", ("a forged document",), "Do not use it."),
    "document.nulls": _E(
        "Optional fields are null where AWS's text asks for them to be left out; AWS itself writes them so today.",
        ("AWS's own encoder, held to the published text by the strict profile",),
        "Judge it without the strict profile: null and absent are then taken alike.",
    ),
    "document.lengths": _E(
        "A field has a length outside what AWS has published. AWS signs such documents; the strict profile refuses.",
        ("an enclave that puts much into user data or nonce", "an empty public key"),
        "Nothing to do, unless other verifiers have to accept the document too.",
    ),
    "document.fields": _E(
        "The payload has fields that AWS has not published; they are not interpreted. The strict profile refuses them.",
        ("a newer Nitro system",),
        "See whether a newer nitroctl knows them.",
    ),
    "chain.der": _E(
        "A certificate cannot be decoded, is not version 3, has bytes after its end, or is not in DER's one encoding.",
        ("a damaged document", "a forgery"),
        "Capture the document again.",
    ),
    "chain.root-pinned": _E(
        "The bundle does not begin with an accepted root certificate, compared byte for byte.",
        ("a document of a stand-in or of another platform", "a forged chain under a root that looks like AWS's"),
        "If it is a root of your own, name it with --root; otherwise treat the document as forged.",
    ),
    "chain.names": _E(
        "A certificate's issuer is not the subject of the one before it.",
        ("a bundle in another order", "a forged chain"),
        "Treat the document as forged.",
    ),
    "chain.algorithms": _E(
        "A certificate is signed otherwise than with ecdsa-with-SHA384, or says two things about it.",
        ("a forged chain",),
        "Treat the document as forged.",
    ),
    "chain.keys": _E(
        "A certificate's key is not an uncompressed point on P-384.",
        ("a forged chain",),
        "Treat the document as forged.",
    ),
    "chain.signatures": _E(
        "A certificate is not signed with the key of the one before it.",
        ("a forged chain", "a damaged document"),
        "Treat the document as forged.",
    ),
    "chain.extensions": _E(
        "A certificate has an extension twice, or one that cannot be read.",
        ("a forged chain",),
        "Treat the document as forged.",
    ),
    "chain.critical-extensions": _E(
        "A certificate has a critical extension that nitroctl does not process, so it must not be relied on.",
        ("a forged chain", "a new profile of AWS's"),
        "See whether a newer nitroctl knows it.",
    ),
    "chain.ca": _E(
        "A certificate that issues another is not a certificate authority.",
        ("an ordinary certificate used to sign another: a forged chain",),
        "Treat the document as forged.",
    ),
    "chain.ca-key-usage": _E(
        "A certificate that issues another may not sign certificates.",
        ("a forged chain",),
        "Treat the document as forged.",
    ),
    "chain.path-length": _E(
        "More authorities follow a certificate than it allows.",
        ("an instance's authority used to make another: a forged chain",),
        "Treat the document as forged.",
    ),
    "chain.leaf": _E(
        "The certificate that signs the document is itself an authority.",
        ("a stand-in", "a forged chain"),
        "Treat the document as forged.",
    ),
    "chain.leaf-key-usage": _E(
        "The certificate that signs the document may not sign data, or may sign certificates.",
        ("a stand-in", "a forged chain"),
        "Treat the document as forged.",
    ),
    "chain.document-time": _E(
        "The document's own time lies outside the period of one of its certificates.",
        ("a document signed with a key kept beyond its time", "a forged document"),
        "Treat the document as forged.",
    ),
    "chain.begun": _E(
        "At the instant asked, a certificate's period has not begun.",
        ("an instant before the document was made", "a clock that is wrong"),
        "Check the clock, or the instant given with --at.",
    ),
    "chain.unexpired": _E(
        "At the instant asked, a certificate's period is over; the last certificate's is three hours.",
        ("a captured document judged later", "an old document played again"),
        "Judge a captured document with --at document: it proves that it was signed then, not that it is fresh.",
    ),
    "chain.revocation": _E(
        "What the revocation lists that were given say. Without one nothing is checked: AWS's text says so.",
        (
            "no --crl was given, as usual",
            "a certificate is on a list of its issuer",
            "a list is not in force at the instant asked, or not by the issuer it names",
            "a list names a certificate, and its issuer is not known to have signed it",
        ),
        "Refused: do not use it. Not checked: pass the lists the certificates name, fetched elsewhere, as --crl.",
    ),
    "habit.module-id": _E(
        "The module id has a form that no known document has.",
        ("a newer Nitro system", "a stand-in"),
        "Look closer if the document is under an AWS root.",
    ),
    "habit.leaf-name": _E(
        "The last certificate is not named after the document's module id, as AWS's always are.",
        ("a changed habit of AWS's", "a stand-in"),
        "Look closer if the document is under an AWS root.",
    ),
    "habit.instance-name": _E(
        "The certificate above the last one is not named after the instance, as AWS's always are.",
        ("a changed habit of AWS's", "a stand-in"),
        "Look closer if the document is under an AWS root.",
    ),
    "habit.region": _E(
        "The certificates' names do not agree about the region.",
        ("a changed habit of AWS's", "a stand-in"),
        "Look closer if the document is under an AWS root.",
    ),
    "habit.pcr4": _E(
        "PCR4 is not the one made from the instance id in the module id.",
        ("a stand-in", "an older form of instance id"),
        "Look closer if the document is under an AWS root: nitroctl pcr instance computes it.",
    ),
    "habit.serial": _E(
        "The last certificate's serial number does not hold the enclave id and the time of issue.",
        ("a changed habit of AWS's", "a stand-in"),
        "Look closer if the document is under an AWS root.",
    ),
    "habit.times": _E(
        "Launch, issue of the certificate and document do not follow each other.",
        ("a changed habit of AWS's", "a clock set back"),
        "Look closer if the document is under an AWS root.",
    ),
    "appraisal.kind": _E(
        "The document is of another kind than the reference values: registers of a NitroTPM mean other things.",
        ("an instance's document in place of an enclave's",),
        "Ask for a document of the kind that was recorded.",
    ),
    "appraisal.partition": _E(
        "The root of the document's chain belongs to another partition of AWS than the policy wants.",
        ("a document from another partition", "a root named with --root"),
        "Ask for a document from the wanted partition.",
    ),
    "appraisal.registers": _E(
        "A register for which the policy asks beside the reference values is absent or has another value.",
        ("an enclave that did not extend and lock it", "another configuration of the same image"),
        "Compare the register with the policy: nitroctl attest show.",
    ),
    "appraisal.role": _E(
        "PCR3 is not made from any IAM role that the policy names.",
        ("an instance without a role, or with another one", "the instance profile's ARN in place of the role's"),
        "Run the enclave on an instance with the role; nitroctl pcr role computes PCR3.",
    ),
    "appraisal.parent-instance": _E(
        "PCR4 is not the one made from the instance id in the module id.",
        ("a stand-in", "a module id without an instance id"),
        "Look closer: under AWS's root the two have always agreed.",
    ),
    "appraisal.module": _E(
        "The document comes from another enclave than the policy names.",
        ("an enclave that was started again, which gives it a new id",),
        "Correct the policy's module_ids, or require the instance in place of the enclave.",
    ),
    "appraisal.instance": _E(
        "The document comes from another EC2 instance than the policy names.",
        ("an instance that was replaced", "a document from elsewhere"),
        "Correct the policy's instance_ids if the instance is wanted.",
    ),
    "appraisal.region": _E(
        "The certificates name another region than the policy wants, or do not agree about one.",
        ("a document from another region",),
        "Ask for a document from the wanted region, or correct the policy's regions.",
    ),
    "appraisal.user-data": _E(
        "The user data in the document is not what the policy requires.",
        ("an enclave that was asked with other data", "JSON with another member, or of another type"),
        "Compare the user data with the policy: nitroctl attest show.",
    ),
    "appraisal.public-key": _E(
        "The public key in the document is not what the policy requires.",
        ("no key", "a key of another type or size", "a key that was replaced"),
        "Compare the key with the policy: nitroctl attest show.",
    ),
    "appraisal.debug": _E(
        "PCR0, PCR1 or PCR2 is zero, as in debug mode, where the image is not attested; or it is not there.",
        ("nitro-cli run-enclave --debug-mode or --attach-console",),
        "Run the enclave without debug mode; --allow-debug is for tests.",
    ),
    "measurement.match": _E(
        "No accepted set of reference values equals the document's registers.",
        ("an image that was not recorded, or is not active", "an image built anew from changed input"),
        "Record the image as active if it is wanted; the nearest record is named.",
    ),
    "measurement.image": _E(
        "The reference values do not say which image runs: neither PCR0, PCR8 nor both PCR1 and PCR2 are among them; "
        "of a NitroTPM neither PCR4 with PCR12 nor a PCR7 of Secure Boot.",
        ("--pcr with PCR3 or PCR4 alone", "PCR4 of a NitroTPM without PCR12, which shows the kernel's command line"),
        "Add --pcr PCR0=<hex>; of a NitroTPM PCR4 and PCR12.",
    ),
    "freshness.nonce": _E(
        "The document does not carry the nonce that was asked for.",
        ("an old document played again", "a nonce given in another encoding"),
        "Ask the enclave for a new document with a nonce of your own.",
    ),
    "freshness.future": _E(
        "The document's time lies more than five minutes after the instant asked.",
        ("an --at before the document was made", "a clock that is wrong"),
        "Check the clock, or the instant given with --at.",
    ),
    "attest.survey-file": _E(
        "The file named by --html holds something that is not an earlier survey's report, and is not overwritten.",
        ("the name of a document in place of the report's", "a report that was edited at its beginning"),
        "Name another file, or remove that one: what stands there may be evidence.",
    ),
    "survey.unread": _E(
        "Some inputs of a survey could not be read, so nothing is known of them; the others were surveyed.",
        ("a file among them that is not a document", "a damaged archive", "permissions", "a directory without files"),
        "Look at the list of them; name only what holds documents, or mend what is damaged.",
    ),
    "survey.refused": _E(
        "Some of the documents surveyed are not authentic; they are listed apart and of no account in the rest.",
        ("damaged or forged documents", "documents under a root that is not AWS's", "an --at outside their periods"),
        "Ask for the reason: nitroctl attest verify FILE --at document --authenticity-only.",
    ),
    "survey.nonce-reused": _E(
        "One nonce stands in several authentic documents. It does not mean that one of them is forged.",
        ("a verifier that always sends the same nonce", "one answer made to serve two requests"),
        "Find out who chose the nonce: it must be new, and not to be guessed, for every request.",
    ),
    "survey.leaf-reused": _E(
        "One leaf certificate signs for several module ids. It does not mean that a signature is wrong.",
        ("a change in how AWS issues these certificates", "documents of one enclave signed with another's certificate"),
        "Compare the documents (nitroctl attest diff), and ask AWS when they are of different instances.",
    ),
    "survey.clock-jump": _E(
        "A document says a time before its leaf certificate was issued, or after a newer one of the same enclave was.",
        ("a clock that was set", "certificates that overlap, which would be a new habit of AWS's"),
        "Do not order these documents by their times alone.",
    ),
    "survey.pcr4": _E(
        "PCR4 is not made from the instance id in the module id. It says nothing of the image.",
        ("a change in what PCR4 holds", "module id and registers of two instances"),
        "Calculate it: nitroctl pcr instance; do not pin PCR4 for that enclave until it is explained.",
    ),
    "survey.module-changed-image": _E(
        "One enclave, by its module id, attests several images.",
        ("two launches under one id", "registers that changed although they are locked at launch"),
        "Compare the documents (nitroctl attest diff); accept none of the images on this evidence alone.",
    ),
    "survey.instance-changed-region": _E(
        "The certificates of one instance name several regions, and instances do not move.",
        ("two instances with one id", "a wrong name in a certificate"),
        "Look the instance up in each of the regions.",
    ),
    "survey.duplicate": _E(
        "One signed payload is here several times, perhaps under different signatures, which prove nothing more.",
        ("one capture stored twice", "a document played again", "a signature turned into its double"),
        "Count it once, by the SHA-256 of the payload: hashes of files and signatures are no identity.",
    ),
    "survey.debug": _E(
        "An enclave runs in debug mode: PCR0, PCR1 or PCR2 is zero, so no image is attested.",
        ("a trial", "--debug-mode or --attach-console in production"),
        "Find out who ran it; run it without debug mode.",
    ),
    "survey.revoked-record": _E(
        "An authentic document has the registers of a record that was revoked.",
        ("a withdrawn version that still runs", "a document from before the revocation"),
        "Compare the document's time with the revocation's, and stop what still runs.",
    ),
    "survey.unknown-image": _E(
        "An image is attested that no record has.",
        ("an image that was never recorded", "a build that is not reproducible", "somebody else's enclave"),
        "Record it if it is yours and wanted: nitroctl pcr record; else find out who runs it.",
    ),
    "freshness.age": _E(
        "The document is older than --max-age at the instant asked.",
        ("an old document played again", "a slow channel"),
        "Ask the enclave for a new document.",
    ),
    **{
        f"measurement.pcr{index}": _E(
            f"PCR{index} is not the one recorded.",
            ("another image, instance or role than the recorded one", "the wrong record"),
            "Compare expected and actual: the register that differs says what changed (nitroctl attest show).",
        )
        for index in range(32)
    },
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
    "records.time-order": _E(
        "The times of an entry go back: a step in its life is dated before the step it follows.",
        ("the clock of a machine was wrong", "the file was edited by hand"),
        "Set the clock; restore edited times from the file's history (git log -p).",
    ),
    "records.transition": _E(
        "An entry only goes forward: candidate, active, retired, revoked. What was asked for would take it back.",
        ("the wrong entry was named", "a retired image is to run again"),
        "Name the right entry; to run the same image again, record it under a version of its own.",
    ),
    "records.last-active": _E(
        "Nothing would be left active of this component in this environment, so every image would be refused.",
        ("the successor was recorded but never rolled out", "the component is given up"),
        "Roll out the successor first, or say --last when it is meant.",
    ),
    "records.reason": _E(
        "A revocation is to be understood years later, by whoever is refused because of it.",
        ("--reason is empty",),
        "Say why in a sentence: what is wrong with the image, and where that is written down.",
    ),
    "records.mergeable": _E(
        "Two files of recorded measurements grew from one, and what they say of an entry cannot both be meant.",
        ("two builds were given one version", "an entry was deleted on one side"),
        "Give one of the two builds a version of its own, or restore what was deleted; then merge again.",
    ),
    "records.canonical": _E(
        "Equal measurements are equal files: order, indentation and escapes are fixed, so that reviews see changes.",
        ("the file was edited by hand", "another program wrote it"),
        "Write it again: nitroctl pcr merge FILE FILE FILE leaves the same entries in the canonical form.",
    ),
    "history.entries": _E(
        "An entry that was recorded is gone; whoever asks what a register meant at that time finds no answer.",
        ("the file was edited by hand", "a merge was resolved by dropping lines"),
        "Restore it from the file's history. What must not run again is revoked, not deleted.",
    ),
    "history.measurements": _E(
        "A recorded version measures to something else than when it was recorded.",
        ("a build was recorded again under the old version", "somebody lets another image pass for this one"),
        "Restore the registers; record the other build under a version of its own.",
    ),
    "history.status": _E(
        "A status went back: candidate, active, retired and revoked follow one another, and nothing is taken back.",
        ("the file was edited by hand", "a revocation was undone"),
        "Restore the status; to run the same image again, record it under a version of its own.",
    ),
    "history.times": _E(
        "A time that was written has changed; the answer to what was accepted when would change with it.",
        ("the file was edited by hand",),
        "Restore the time from the file's history.",
    ),
    "history.origin": _E(
        "An entry's image file, source, build, signer, reason or notes say other than what was written. What was left "
        "out may be filled in; reproducers, reasons and notes may get more, after '; '.",
        (
            "the file was edited by hand",
            "two builds were recorded under one version",
            "a note was rewritten in place of being added to",
        ),
        "Restore it from the file's history; what there is to say besides goes behind it.",
    ),
    "history.limit": _E(
        "The number of versions that may be active at a time is another one than before.",
        ("max_active was changed in the file",),
        "See that the change was meant: every active version can use the key.",
    ),
    "records.debug": _E(
        "An enclave in debug mode attests zeros; its registers say nothing about its image.",
        ("the enclave was run with --debug-mode", "a document from a test host"),
        "Run it without debug mode, or take the registers from the image itself.",
    ),
    "records.evidence": _E(
        "The attestation document that registers were to be taken from is not authentic, so nobody said them.",
        ("it is older than its certificates", "it was changed", "another root signed it"),
        "See nitroctl attest verify FILE --authenticity-only; judge a captured one with --at document.",
    ),
    "records.form": _E(
        "The file holds no measurements in a form that pcr import knows.",
        ("the wrong file", "a form of another tool"),
        'Write the registers as an object, {"PCR0": "<96 hex>", ...}, and import that.',
    ),
    "records.platform": _E(
        "The registers are neither those of an enclave image nor those of a NitroTPM image.",
        ("registers of another platform", "a part of the registers was left out"),
        "Name the platform with --platform, or give all registers that its images are told apart by.",
    ),
    "records.select": _E(
        "The file holds several sets of measurements, and it is not clear which one is meant.",
        ("a history of releases", "several enclaves were running"),
        "Choose one with --select, or record all with --all.",
    ),
    **{
        f"drift.{kind}": _E(
            f"{what} is not an active recorded version, so key policies and verifiers go by another image.",
            causes,
            "Run or ship a version that is active, or roll out this one: nitroctl pcr rollout.",
        )
        for kind, what, causes in (
            ("image", "The image file", ("a build that drifted", "a version that was never rolled out")),
            ("build", "What the build printed", ("a build that drifted", "a version that was never rolled out")),
            ("running", "A running enclave", ("an old version still runs", "debug mode", "an image nobody recorded")),
            ("document", "What the document attests", ("an old version still runs", "an image nobody recorded")),
        )
    },
    "drift.key-recorded": _E(
        "The key policy names an image that is not an active record: whoever has that image can use the key.",
        ("a rollout that was finalized here and not in the policy", "a policy edited by hand"),
        "Write the policy again from the records (nitroctl kms generate) and apply it.",
    ),
    "drift.key-complete": _E(
        "An active version is named by no statement of the key policy, so its enclaves, or NitroTPM instances, are "
        "refused the key unless another statement lets by more than it names.",
        (
            "a rollout that was recorded and not applied",
            "the policy of another key",
            "a statement that asks for a register the record does not have, or for registers of two platforms",
        ),
        "Write the policy again from the records (nitroctl kms generate) and apply it.",
    ),
    "drift.key-bound": _E(
        "A statement allows what enclaves ask for without naming a register; a Deny may still stop it.",
        ("the account's root statement", "a statement for another role"),
        "Bind it to an image (PCR0; of a NitroTPM PCR4 or PCR7), or take the data operations out of it. kms generate "
        "writes Denies that close it.",
    ),
    "kms.policy": _E(
        "The file is not a key policy, or names a value that is no register.",
        ("the wrong file", "a placeholder in a template"),
        "Give the policy as aws kms get-key-policy prints it, or the document alone.",
    ),
    "records.signature": _E(
        "The signature is not that of the given key over the file as it is.",
        ("the file changed after it was signed", "another key signed it", "the signature is of another file"),
        "See what changed (pcr verify --against the signed version); whoever holds the key signs it again.",
    ),
    "records.signing-key": _E(
        "The key cannot sign or verify the file of recorded measurements: P-384 and Ed25519 keys in PEM can.",
        ("a certificate in place of a key", "a key of another kind", "a private key where a public one belongs"),
        "Make one: openssl genpkey -algorithm ed25519 -out ledger.key; openssl pkey -in ledger.key -pubout.",
    ),
    "sigstore.missing": _E(
        "A sigstore bundle is verified by the library sigstore, which is not installed, or does not start.",
        ("nitroctl was installed without the optional dependency", "the library, or one that it needs, is damaged"),
        "pip install 'nitroctl[sigstore]'. Without it: a key of your own (pcr sign, pcr verify --key), or cosign.",
    ),
    "sigstore.trusted-root": _E(
        "The file does not name those who are trusted to vouch: it is no trusted root of sigstore.",
        ("the bundle given for it", "a signing configuration, or TUF metadata", "a newer form than the library knows"),
        "Give one trusted_root.json: a line of what gh attestation trusted-root prints, or what cosign makes.",
    ),
    "sigstore.bundle": _E(
        "The bundle is one that the sigstore library can verify.",
        (
            "cosign's own older form, without a proof that the log has the signature",
            "a bundle without a log's entry, as GitHub makes them for private repositories",
            "several bundles in one file (gh attestation download): give one line of it",
            "a damaged bundle, or one made to be misread",
        ),
        "Sign in the newer form (cosign 3, or cosign 2 with --new-bundle-format), or take one bundle out of the file.",
    ),
    "sigstore.signature": _E(
        "The certificate comes from an authority of the trusted root and is in a certificate log, the signature is by "
        "its key, and a log of the trusted root got it while the certificate was good.",
        (
            "the trusted root of another sigstore (a private one, GitHub's, staging)",
            "a log's key that is newer than the trusted root that came with the library",
            "the bundle or what it signs was changed",
            "the certificate had run out when the log got the signature, or no log says when that was",
        ),
        "Give the trusted root of the sigstore that signed (--trusted-root); otherwise get the bundle again.",
    ),
    "sigstore.identity": _E(
        "The certificate is that of the identity that was asked for, whole and exact.",
        ("another workflow, branch or person signed", "a part of the identity was given: patterns are not matched"),
        "See in the answer who signed. If that is who should, give it as it stands: --identity.",
    ),
    "sigstore.issuer": _E(
        "The identity was vouched for by the issuer that was asked for: another could vouch for the same name.",
        ("another identity provider", "the issuer of the login page in place of that of the token"),
        "See in the answer who vouched. If that is who should, give it as it stands: --issuer.",
    ),
    "sigstore.predicate": _E(
        "What is attested is an in-toto statement of the type that was asked for; another says something else, be it "
        "that the file failed its tests. Known are SLSA provenance and, with --entry, what pcr export prints.",
        ("another attestation of the same file", "a signature where an attestation was asked for"),
        "Name the type that says what you want to hear: --predicate-type URI.",
    ),
    "sigstore.subject": _E(
        "What is signed or attested is the file of recorded measurements as it is, or with --entry the entry's image.",
        (
            "the file changed since it was signed",
            "a bundle of the image in place of one of the file, or the other way round",
            "the image was built again",
        ),
        "Sign the file as it is, or say whose image the bundle is about: --entry ENTRY.",
    ),
    "sigstore.statement": _E(
        "What the signed statement says of the image is what is recorded: registers, pins, source, build, signer. More "
        "may have been filled in, or reproduced, since.",
        ("the ledger was edited after the statement was signed", "the statement is of another environment or version"),
        "Restore the entry (pcr verify --against what was signed), or export and sign it again.",
    ),
    "records.no-artifact": _E(
        "The version was recorded without its image file, so there is no digest that a statement could be about.",
        ("it was imported from registers alone",),
        "Record it from the image: nitroctl pcr record --eif FILE.",
    ),
    "records.busy": _E(
        "The lock that keeps two writers of the ledger apart could not be had.",
        ("another recording hangs", "a network file system without locks"),
        "End the other program, or keep the ledger on a local file system.",
    ),
    "records.measurements": _E(
        "The JSON does not hold measurements of an image that nitro-cli found to be in order.",
        (
            "output of another command",
            "CheckCRC or SignatureCheck is false: nitro-cli exits 0 for a damaged image",
            "a value cut short by copying",
        ),
        "Give what nitro-cli build-enclave or describe-eif printed, or measure the image with --eif.",
    ),
    "records.disagreement": _E(
        "The image measures to other registers than nitro-cli's output says.",
        ("the output is of another build", "the image was changed after it was built"),
        "Find out which is right before recording; nitroctl eif measure shows what the file measures to.",
    ),
    "records.no-such-entry": _E(
        "No entry, or more than one, has this id.",
        ("a misspelt id", "the version is recorded in several environments", "another ledger is meant"),
        "nitroctl pcr list shows the ids; name the file with --records.",
    ),
    "records.active": _E(
        "There is an active record to compare with; without one nothing is acceptable.",
        ("nothing was activated yet", "a misspelt component or environment"),
        "Activate the version that may run: nitroctl pcr record … --activate.",
    ),
    "records.match": _E(
        "Every register that an active record pins was given and is equal.",
        ("another build", "a build that is not reproducible", "a debug enclave", "a version that is not active"),
        "Compare with the nearest version that is named; build from its source, or record a new version.",
    ),
    "records.not-revoked": _E(
        "No revoked record is of the same image: none has the same PCR0, or the same PCR1 and PCR2 (of a NitroTPM: all "
        "that it pins). A revoked image stays revoked under every name, whatever else its record pins.",
        (
            "an image that was revoked and recorded again",
            "one image recorded as two versions or for two environments, one of them revoked",
            "a revoked image that was signed anew or runs under another role",
        ),
        "Build and record another image. A revocation is not taken back, and holds under every name and environment.",
    ),
    "records.recipe": _E(
        "The entry does not say how its image is built again.",
        (
            "the image was built by nitro-cli, which dates what it packs, or elsewhere",
            "it was recorded by pcr record or pcr import, which only see the finished image",
            "no full commit with the place of the image's files in it is recorded, and --checkout was asked for",
        ),
        "Record the next version as it is built: nitroctl eif build --record --source-git.",
    ),
    "git.missing": _E(
        "git is asked which commit a source is of, and there is no git to start.",
        ("git is not installed", "PATH does not have it"),
        "Install git, or say where the source is from: --source-uri and --source-commit, or --source in pcr reproduce.",
    ),
    "git.failed": _E(
        "git has no answer about this place.",
        (
            "it is in no git checkout, or in one without a commit",
            "the checkout belongs to somebody else (git: safe.directory)",
            "git is older than 2.16",
        ),
        "Name what is in a checkout of your own.",
    ),
    "git.changed": _E(
        "What the image is built from is not as the commit has it: nobody could build the same from the commit.",
        (
            "a file is changed, or was never committed",
            "a build leaves files there that git is told to ignore",
            "git was told not to compare a file (skip-worktree, assume-unchanged, a sparse checkout)",
        ),
        "Commit what belongs to the image, and remove the rest.",
    ),
    "git.whole": _E(
        "The source is the top of a git checkout: git's own files would be part of the image.",
        ("the repository's root is used as the image's root file system",),
        "Keep the root file system in a directory of its own.",
    ),
    "git.commit": _E(
        "The checkout is at another commit, or another place in it was named, than the entry records.",
        ("the branch has gone on since", "the wrong checkout"),
        "Check the recorded commit out, and name the top of the checkout.",
    ),
    "reproduce.source": _E(
        "The image's files are as the recorded commit has them.",
        ("skipped: the files were named by --source or --docker-uri", "skipped: the entry names no commit"),
        "Build from a git checkout: nitroctl pcr reproduce ENTRY --checkout DIR.",
    ),
    "reproduce.builder": _E(
        "The image was built again by the version of nitroctl that built it first.",
        ("nitroctl was upgraded since",),
        "Nothing, when the registers are equal; else build with the recorded version.",
    ),
    "reproduce.inputs": _E(
        "Kernel, command line, init, driver and container image are those that were recorded, by their SHA-256.",
        (
            "nitro-cli's package was upgraded, and its blobs with it",
            "the container image was built or tagged again",
            "--kernel was named when the image was first built, and a driver is found in the blobs now",
        ),
        "Find the files with the recorded SHA-256 (nitroctl pcr show ENTRY), and name them.",
    ),
    "reproduce.pcr0": _E(
        "PCR0 of the image that was built again is the recorded one: kernel, command line and ramdisks are the same.",
        ("PCR1 or PCR2 differs too, and says in which half",),
        "Look at PCR1 and PCR2; --image FILE with the recorded image says down to the file what differs.",
    ),
    "reproduce.pcr1": _E(
        "PCR1 of the image that was built again is the recorded one: kernel, command line and boot ramdisk.",
        ("another kernel, command line, init or driver", "another version of nitroctl"),
        "Build with the recorded files: nitroctl pcr show ENTRY has their SHA-256.",
    ),
    "reproduce.pcr2": _E(
        "PCR2 of the image that was built again is the recorded one: the application's files, and what it runs.",
        (
            "a file of the source is another, or there is one more",
            "the container image is another",
            "the recorded build was not what its record says",
        ),
        "--image FILE with the recorded image says which files differ.",
    ),
    "reproduce.others": _E(
        "PCR3, PCR4 and PCR8 are of the parent's role, the parent instance and the signer: a rebuild has none of them.",
        ("always skipped, when they are recorded",),
        "Calculate them: nitroctl pcr role, pcr instance, pcr certificate.",
    ),
    # -- kms
    "kms.principal": _E(
        "A key policy is written for IAM roles, each by its own ARN, and this is something else.",
        (
            "the ARN of a session, as aws sts get-caller-identity shows it",
            "an instance profile in place of its role",
            "an account, a user or a wildcard",
        ),
        "Name the role: aws iam get-role shows its ARN.",
    ),
    "kms.separation": _E(
        "One role would both use the key from an enclave and manage it or write its policy.",
        ("the same role was named twice",),
        "Name a role of its own for each duty; whoever can rewrite the policy can remove the attestation.",
    ),
    "kms.action": _E(
        "KMS does not evaluate attestation for this action on a key.",
        ("Encrypt, ReEncrypt or Sign, which cannot be attested", "GenerateRandom, which has no key"),
        "Use Decrypt, DeriveSharedSecret, GenerateDataKey or GenerateDataKeyPair.",
    ),
    "kms.context": _E(
        "An encryption context cannot be required as it was given.",
        ("no = between name and value", "a ${…}, which a policy reads as a variable", "a name given twice"),
        "Write --encryption-context name=value in printable ASCII.",
    ),
    "kms.no-active-records": _E(
        "No active record is there to bind a key to, and a policy without one would protect nothing.",
        ("only candidates are recorded", "a misspelt component or environment"),
        "Activate the release that is to run: pcr rollout for a candidate, or pcr record … --activate.",
    ),
    "kms.several-environments": _E(
        "The active records are of several environments, and one key must not open to all of them.",
        ("--environment was left out",),
        "Say which environment the key is for.",
    ),
    "kms.several-components": _E(
        "The active records are of several components, and it was not said that they share a key.",
        ("--component was left out",),
        "Name the component, or each of those that share the key.",
    ),
    "kms.platform": _E(
        "An active record is of a platform for which KMS has no condition keys, or none that are known here.",
        ("a misspelt platform", "a platform newer than this nitroctl"),
        "Choose components of the platforms nitro-enclave and nitro-tpm.",
    ),
    "kms.placement": _E(
        "Where enclaves may run cannot be bound as it was said.",
        (
            "a NitroTPM release, whose PCR3, PCR4 and PCR8 mean something else",
            "a release that pins another role, instance or signer",
            "several values of two registers, which would also accept the pairs that nobody meant",
        ),
        "Change the placement, or give the release a key of its own.",
    ),
    "kms.tpm-registers": _E(
        "A NitroTPM release is not recorded with registers that identify what booted.",
        (
            "neither PCR4 nor PCR7 is pinned",
            "a PCR12 that is not zero: a kernel command line from outside the image, with no Secure Boot",
        ),
        "Record it with PCR4 and PCR12 (zero) pinned, or with PCR7 under Secure Boot.",
    ),
    "kms.data-writer": _E(
        "Data writers were named for a key for which they make no sense, or without saying what the data is for.",
        ("no encryption context", "a key for DeriveSharedSecret, which encrypts nothing"),
        "Name an encryption context, which every request has to carry, or leave the data writers out.",
    ),
    "kms.not-expressible": _E(
        "A statement that is kept would mean something else in the form that was asked for.",
        ("a {{resolve:...}}, which CloudFormation puts a value in place of", "a member Ref or Fn::..."),
        "Change the statement, or write the policy as json.",
    ),
    "generated.let-in": _E(
        "Every release of the generated policy is let in, also with the statements that are kept beside it.",
        ("a Deny that names the image before", "a Deny with conditions on the network or the organisation"),
        "Change or take out the statement that is kept; nitroctl kms simulate shows the request in full.",
    ),
    "generated.nobody-else": _E(
        "With the statements that are kept nobody may use the key without attesting a recorded image.",
        ("an Allow that nitroctl's Denies do not reach", "a Deny of the operator's with a condition nobody can judge"),
        "Change or take out the statement that is kept; nitroctl kms prove shows the request that gets by.",
    ),
    "kms.foreign-sid": _E(
        "A statement of the policy has a Sid that begins like those of nitroctl, and is not one that nitroctl wrote.",
        (
            "a statement of nitroctl's was changed by hand",
            "somebody's own statement has the prefix Nitroctl",
            "one Sid is there twice",
        ),
        "Give it another Sid to keep it, or take it out; nothing is replaced that may be somebody else's.",
    ),
    "kms-targets.syntax": _E(
        "The file of targets is not one YAML document that can be read.",
        ("an edit by hand", "tabs in place of spaces", "the wrong file"),
        "Mend the line that the error names; nitroctl kms generate --init writes a file to start from.",
    ),
    "kms-targets.duplicate-key": _E(
        "A key occurs twice in the targets; readers of YAML disagree about which one counts.",
        ("a field copied and not renamed",),
        "Keep one of the two.",
    ),
    "kms-targets.yaml-feature": _E(
        "The targets use a part of YAML that readers understand differently: an anchor, an alias, a tag, a merge key, "
        "a second document, a plain word that may be text, a number or a boolean, or a character (U+0085, U+2028, "
        "U+2029, a lone carriage return) at which some readers begin a line and editors do not show one.",
        ("a value without quotes, like no or 1.0", "a file made by another program", "a line hidden in a comment"),
        "Write the values out, put text that looks like something else in quotes, and end lines with a line feed.",
    ),
    "kms-targets.schema": _E(
        "The targets do not say that they are in a form that this nitroctl knows.",
        ("no field schema", "targets for a newer nitroctl", "another file"),
        "Write schema: urn:nitroctl:kms-targets:1, or upgrade nitroctl.",
    ),
    "kms-targets.field": _E(
        "The targets have a field that is not known, or lack one that is needed. An unknown field is never ignored: "
        "somebody may believe that it restricts something.",
        ("a misspelt name", "a field in the wrong place"),
        "Correct the name; nitroctl schema kms-targets prints the form.",
    ),
    "kms-targets.value": _E(
        "A value in the targets does not have the form that its field asks for.",
        ("a misspelt value", "text in place of a list", "one role named twice"),
        "Correct the value at the place the error names.",
    ),
    "kms-targets.choice": _E(
        "The targets are of several keys, or not of the one that was named.",
        ("--target was left out or misspelt",),
        "Say which key the policy is for: --target NAME.",
    ),
    "kms.no-common-register": _E(
        "The active releases pin no image register in common, so images that are not recorded could not be denied.",
        ("one release pins PCR0, another only PCR1 and PCR2",),
        "Record the releases with PCR0 pinned.",
    ),
    "kms.policy-too-large": _E(
        "The policy would exceed 32,768 bytes, a quota of KMS that cannot be raised.",
        ("many components share a key", "many roles", "many registers are pinned", "--onto a policy that is long"),
        "Do what the message says; most often: retire releases, or give each component a key of its own.",
    ),
    "kms.document": _E(
        "The file is not a policy, or one that two readers could understand differently; the line is in the message.",
        ("the wrong file", "a member that is misspelt", "Action beside NotAction", "a template that was not filled in"),
        "Give the policy as the AWS CLI prints it (aws kms get-key-policy), or the document alone.",
    ),
    "kms.unknown-action": _E(
        "KMS has no action of this name, and a policy can neither allow nor deny it.",
        ("a misspelt name", "ReEncrypt, which is two actions: ReEncryptFrom and ReEncryptTo"),
        "Name the action as a policy does: Decrypt, GenerateDataKey, CreateGrant.",
    ),
    "kms.caller": _E(
        "Who calls KMS is a role, a session of a role, a user or an account's root user, and this is something else.",
        ("an instance profile in place of its role", "a wildcard or a group", "an AWS service"),
        "Give the ARN that aws sts get-caller-identity shows, or the role's.",
    ),
    "kms.key": _E(
        "A key is named by its ARN, because its account and Region count in a policy.",
        ("an alias", "the id alone"),
        "Write arn:aws:kms:<region>:<account>:key/<id>, as aws kms describe-key shows it.",
    ),
    "kms.grants": _E(
        "The file is not a list of all grants of a key.",
        ("the wrong file", "only the first page: NextToken or Truncated says that there are more"),
        "Give what aws kms list-grants --key-id KEY --output json prints; the AWS CLI reads all pages by itself.",
    ),
    "kms.evidence": _E(
        "The attestation document is not authentic, so KMS refuses it before it reads any policy.",
        ("the document was changed or cut short", "it is a stand-in's: name its root certificate"),
        "See nitroctl attest verify FILE --authenticity-only --at document; for a test document add --root PEM.",
    ),
    "kms.undecided": _E(
        "What was given does not decide whether KMS allows the request; the message says what it depends on.",
        (
            "the key policy lets the account's IAM policies decide, and none was given",
            "a condition on a key that was not given (an organisation, a VPC endpoint, a tag)",
            "a register that is not recorded",
            "a condition that no reader can evaluate",
        ),
        "Give it: --iam-policy FILE or --no-iam-policy, --key ARN, --context KEY=VALUE, --absent KEY, --pcr PCR=HEX.",
    ),
    "kms.matrix": _E(
        "The file is no answer of kms matrix, so there is nothing to compare with.",
        ("the human answer was kept in place of the one with --json", "the wrong file"),
        "Keep what nitroctl kms matrix POLICY --json prints, and give that with --expect.",
    ),
    "kms.unproved": _E(
        "Whether the policy lets anybody by was neither proved nor refuted; the message says what it depends on.",
        (
            "a condition compares one key of the request with another (a policy variable)",
            "a condition that no reader can evaluate, or a principal that is an AWS service",
            "resources that name a key, and --key was not given",
            "a policy that tells more apart than can be tried in the steps that are allowed",
        ),
        "Write what it names so that it can be decided, name the key with --key ARN, or ask kms simulate.",
    ),
    "kp001.unattested-allow": _E(
        "An Allow lets somebody use data without attesting a named image, and no Deny closes it.",
        ("an Allow without a condition on a register", "a service or user that was allowed before the enclave was"),
        "Bind the statement to PCR0, or deny the attested actions to everybody who attests nothing (kms generate).",
    ),
    "kp002.root-delegation": _E(
        "An Allow names a whole account, so that any of its IAM policies can allow decryption without attestation.",
        ("the default key policy: kms:* for the account's root",),
        "Name roles and management actions in place of the account, or deny unattested use to everybody.",
    ),
    "kp003.wildcard-principal": _E(
        "An Allow is for everybody, in every account, and nothing restricts who calls.",
        ('"Principal": "*" meant as: whoever has the image',),
        "Name the role, or add a condition on aws:PrincipalArn, aws:PrincipalAccount or aws:PrincipalOrgID.",
    ),
    "kp004.wildcard-action": _E(
        "A wildcard reaches actions on data: kms:De* is Decrypt and DeriveSharedSecret, kms:Re* is ReEncryptFrom.",
        ("kms:* for an administrator", "kms:Create*, kms:De* copied from a sample"),
        "List the actions that are meant.",
    ),
    "kp005.create-grant": _E(
        "Somebody can make a grant, and a grant gives data without ever asking for attestation.",
        ("kms:* or kms:Create* for an administrator", "the default policy's statement for AWS services"),
        "Take kms:CreateGrant out, or deny it to everybody; a Deny of unattested use also reaches grants.",
    ),
    "kp006.reencrypt-from": _E(
        "Somebody can re-encrypt data to another key, and KMS evaluates no attestation for that.",
        ("kms:ReEncrypt* in the statement for key users", "kms:*"),
        "Take kms:ReEncryptFrom out, or deny it to everybody.",
    ),
    "kp007.if-exists": _E(
        "A condition on attestation ends in IfExists, and holds when the request attests nothing.",
        ("IfExists added so that a caller without enclave works",),
        "Drop IfExists.",
    ),
    "kp008.for-all-values": _E(
        "A condition on attestation begins with ForAllValues, and holds when the request attests nothing.",
        ("a set operator on a key that has one value",),
        "Drop ForAllValues.",
    ),
    "kp009.negated-allow": _E(
        "An Allow names the images that it is not for, and so is for all others and for whoever attests nothing.",
        ("a Deny's condition copied into an Allow",),
        "Name the images that are meant.",
    ),
    "kp010.any-attestation": _E(
        "An Allow asks only that something be attested, and any image anybody built is something.",
        ("Null on a register taken for a check of it",),
        "Bind PCR0.",
    ),
    "kp011.wildcard-value": _E(
        "A register is compared with a pattern, and a part of a digest means nothing.",
        ("StringLike with * to try it out",),
        "Write the whole register.",
    ),
    "kp012.zero-register": _E(
        "An image register may be zero, as every enclave in debug mode attests it.",
        ("a policy from a tutorial that runs in debug mode",),
        "Name the release's register; --allow-debug says that the key is for tests.",
    ),
    "kp013.no-image-register": _E(
        "An Allow binds registers that do not say which image runs.",
        ("only PCR3, PCR4 or a register of the enclave's own", "PCR7 of a NitroTPM that boots without Secure Boot"),
        "Bind PCR0, or PCR1 and PCR2; of a NitroTPM PCR4 and PCR12, or with Secure Boot PCR7.",
    ),
    "kp014.signer-only": _E(
        "An Allow binds the signing certificate alone, and every image ever signed with it may use the key.",
        ("PCR8 used so that releases need no new policy",),
        "Bind PCR0 as well.",
    ),
    "kp015.zero-binding": _E(
        "An Allow is for an unsigned image (PCR8 is zero) or a parent without a role (PCR3 is zero).",
        ("registers copied from an image before it was signed",),
        "Sign the image, or give the parent a role, and bind the new register.",
    ),
    "kp016.no-placement": _E(
        "An attested Allow does not say where the image may run: whoever has it can feed it in an account of theirs.",
        ("an account or everybody as principal",),
        "Name the parent's role as principal, or bind PCR3.",
    ),
    "kp017.instance-bound": _E(
        "An Allow binds PCR4, one EC2 instance's, and the next instance cannot use the key.",
        ("every register of a document was copied",),
        "Bind the parent's role: PCR3.",
    ),
    "kp018.register-form": _E(
        "A value cannot be a register, so that an Allow never matches and a negated Deny always does.",
        ("base64 from CloudTrail", "SHA-256 in place of SHA-384", "0x or a blank before it"),
        "Write the 96 hexadecimal digits that nitro-cli prints.",
    ),
    "kp019.register-case": _E(
        "A comparison depends on the case in which KMS has the register, which is not documented.",
        ("StringEquals in place of StringEqualsIgnoreCase", "upper case"),
        "Write lower case and StringEqualsIgnoreCase; --fix does.",
    ),
    "kp020.unknown-key": _E(
        "A condition key on attestation does not exist, and no request ever has it.",
        ("kms:RecipientAttestation without a register", "PCR32 and above", "a slip of the pen"),
        "Use kms:RecipientAttestation:PCR0 to PCR31, ImageSha384, or NitroTPMPCR0 to NitroTPMPCR23.",
    ),
    "kp021.unattested-action": _E(
        "An Allow asks for attestation for an action that carries none, and so never allows it.",
        ("Encrypt, Sign or ReEncrypt in the enclave's statement",),
        "Allow those actions in a statement of their own, if they are meant.",
    ),
    "kp022.generate-random": _E(
        "GenerateRandom uses no key: no key policy can allow or deny it.",
        ("it is among the five actions with attestation",),
        "Take it out; allow it to the role in an IAM policy.",
    ),
    "kp023.image-conflict": _E(
        "PCR0 and ImageSha384 are one register, and a statement wants two values of it at once.",
        ("one of them was left behind by an update",),
        "Keep one of the keys.",
    ),
    "kp024.cross-product": _E(
        "Two registers have lists of values, and any combination of them is accepted.",
        ("releases added to the lists of one statement",),
        "Write a statement for each release.",
    ),
    "kp025.deny-all-differ": _E(
        "A Deny with several negated registers matches only when all of them differ.",
        ("all registers of a release under one StringNotEquals",),
        "Write a Deny for each register.",
    ),
    "kp026.deny-absent": _E(
        "A Deny needs an attestation in order to match, and nothing denies the use without one.",
        ("a Deny of zero registers taken for enough", "ForAnyValue with a negated operator"),
        'Add a Deny with "Null": {"kms:RecipientAttestation:PCR0": "true"} for everybody.',
    ),
    "kp027.deny-scope": _E(
        "Use without attestation is denied, but not to everybody or not for every attested action.",
        ("only kms:Decrypt is denied", "the Deny names the administrators alone", "the Deny has an exception"),
        'Deny all four attested actions to the principal "*".',
    ),
    "kp028.deny-locks-out": _E(
        "A Deny takes PutKeyPolicy from everybody, and cannot be taken back.",
        ("Deny of kms:*",),
        "Deny the attested actions by name.",
    ),
    "kp029.inverted-element": _E(
        "NotPrincipal, NotAction or NotResource mean more than was thought of; an Allow with NotPrincipal is public.",
        ("an exception written the short way",),
        "Name what is meant; in a Deny, everybody with ArnNotEquals on aws:PrincipalArn.",
    ),
    "kp030.policy-writers": _E(
        "Somebody can replace the policy who should not: whoever writes it can open it.",
        ("kms:* or kms:Put* for an administrator", "the enclave's own role"),
        "Allow kms:PutKeyPolicy to one role that does nothing else; --policy-writer says which are meant.",
    ),
    "kp031.separate-duties": _E(
        "One principal uses data and can also change who may, or make grants.",
        ("one role for everything",),
        "Give the two duties to two roles.",
    ),
    "kp032.lockout": _E(
        "Nobody can change the policy, or hangs by one principal: AWS Support must help then.",
        ("PutKeyPolicy was left out", "a Deny reaches everybody", "the writers were deleted"),
        "Allow kms:PutKeyPolicy to a role; --accept KP032 if the policy is meant to be final.",
    ),
    "kp033.deleted-principal": _E(
        "A principal was deleted, KMS shows its unique id, and takes no policy that names one.",
        ("a role was replaced",),
        "Take it out, or name the new role by its ARN.",
    ),
    "kp034.dead-statement": _E(
        "KMS stores a statement that matches nothing, or less than it says.",
        ("Action or Resource is missing", "the resource is another key or an alias", "a misspelt action"),
        'Correct it; "Resource": "*" is this key.',
    ),
    "kp035.size": _E(
        "The policy exceeds 32,768 bytes, or nearly does; the quota cannot be raised.",
        ("every release was kept",),
        "Retire releases, or give each component a key of its own.",
    ),
    "kp036.text": _E(
        "The policy has characters, equal Sids or equal JSON keys that KMS refuses or readers understand differently.",
        ("text pasted from a document", "a statement copied with its Sid"),
        "Write ASCII; give every statement its own Sid and every object each key once.",
    ),
    "kp037.encrypt-open": _E(
        "Somebody may encrypt, or make data keys, under any context, and so put one secret in place of another.",
        ("the statement for whoever prepares secrets has no condition",),
        "Ask for a kms:EncryptionContext that says what the data is for.",
    ),
    "kp038.no-encryption-context": _E(
        "An enclave may decrypt whatever was encrypted with the key, for whatever purpose.",
        ("the data has no encryption context",),
        "Give the data a context and ask for it: kms generate --encryption-context.",
    ),
    "kp039.via-service": _E(
        "An AWS service may use data on somebody's behalf, and attests nothing.",
        ("the policy of a key for storage",),
        "Keep a key of its own for enclaves.",
    ),
    "kp040.cross-account": _E(
        "Principals of another account have data or grants without attestation, as that account's IAM policies decide.",
        ("a shared key",),
        "Bind the statement to an image, or take it out.",
    ),
    "kp041.key-usage": _E(
        "The key is for signatures, MACs or encapsulation, for which KMS evaluates no attestation.",
        ("an enclave that is to sign with KMS",),
        "Let the enclave hold the signing key, encrypted under a symmetric key of KMS.",
    ),
    "kp042.key-origin": _E(
        "The key's material is known outside KMS, where no policy holds.",
        ("imported material", "a CloudHSM or external key store"),
        "Make a key whose material KMS generates, or accept it: --accept KP042.",
    ),
    "kp043.multi-region": _E(
        "A replica has the same material and a policy of its own, by default the whole account's.",
        ("a multi-Region key", "kms:* or kms:Replicate* for an administrator"),
        "Lint every replica's policy; take kms:ReplicateKey out or deny it.",
    ),
    "kp044.live-grants": _E(
        "A grant that exists gives data now, whatever the Allows say.",
        ("made before the policy", "made by an AWS service"),
        "Revoke it, or deny unattested use to everybody: a Deny is above grants.",
    ),
    "kp045.ram-policy": _E(
        "The key has a second policy, made by a share in RAM, which allows on its own.",
        ("the key was shared",),
        "Lint that policy too, or end the share.",
    ),
    "kp046.unrecorded-register": _E(
        "A register that is named belongs to no active record.",
        ("a release that was retired or revoked", "a policy changed by hand"),
        "Record and activate the release, or take the register out.",
    ),
    "kp047.missing-release": _E(
        "An active record's registers are in no statement: its enclaves are refused.",
        ("the policy was not written again after the release",),
        "Write the policy again: nitroctl kms generate.",
    ),
    "kp048.tpm-command-line": _E(
        "NitroTPMPCR4 is bound alone, and accepts a kernel command line from outside the image (GHSA-xrv8-2pf5-f3q7).",
        ("a policy from before that advisory",),
        "Bind NitroTPMPCR12 to zero as well, or with Secure Boot NitroTPMPCR7.",
    ),
    "kp049.tpm-constant": _E(
        "A NitroTPM register is bound that every image has alike: PCR0, PCR1, or PCR7 of a boot without Secure Boot.",
        ("every register was copied",),
        "Bind PCR4 and PCR12, or with Secure Boot PCR7.",
    ),
    "kp050.platform-mix": _E(
        "An Allow wants registers of an enclave and of a NitroTPM, which no request has together.",
        ("two statements merged",),
        "Write a statement for each platform.",
    ),
    "kp051.version": _E(
        "The policy is not of the version 2012-10-17, and its variables are literal text.",
        ("Version was left out",),
        'Write "Version": "2012-10-17"; --fix does where there are no variables.',
    ),
    "kp052.lockout-bypass": _E(
        "The policy is put with KMS's lockout check switched off, so that it may be final by mistake.",
        ("a template sets BypassPolicyLockoutSafetyCheck",),
        "Leave it out; --accept KP052 if the policy is meant to be final.",
    ),
    "kms.key-facts": _E(
        "The file does not say what it should of a key.",
        ("the output of another command", "a part of a longer list", "a table or text in place of JSON"),
        "Give what aws kms describe-key or list-key-policies prints, with --output json; grants are for --grants.",
    ),
    "kms.template": _E(
        "A template or plan does not say what the key policy will be.",
        (
            "a value that is known only after apply",
            "a parameter without a value",
            "Fn::If, Fn::ImportValue and other functions",
        ),
        "Give the parameter (--parameter NAME=VALUE), or lint the policy of the key once it is made.",
    ),
    "kms.rule": _E(
        "There is no rule of that number.",
        ("a slip of the pen",),
        "docs/kms-lint.md lists KP001 to KP052.",
    ),
    "kms.not-fixable": _E(
        "The file cannot be rewritten: it is a template, a plan, or the output of a command around the policy.",
        ("--fix on something else than the policy's own document",),
        "Change it where the policy is written; without --fix the findings say what.",
    ),
    "verify.policy": _E(
        "The key in AWS says what the policy that was wanted says, however KMS writes it.",
        (
            "the policy was not put on the key, or not spread yet (--wait)",
            "somebody changed it by hand, or another tool owns it",
        ),
        "Put it on the key again (nitroctl kms apply), or find who changed it: nitroctl kms trail --lookup.",
    ),
    "verify.proof": _E(
        "The policies and grants of the key let nobody have data without attesting an image that they name.",
        ("a statement for the account's root", "a Deny that does not reach everybody", "a live grant"),
        "nitroctl kms prove shows the request that gets by; nitroctl kms generate writes a policy that holds.",
    ),
    "verify.decrypt": _E(
        "KMS refused this caller's Decrypt without attestation, as a dry run. It says nothing of other callers.",
        ("failed: the policy gives this caller data without attestation", "skipped: KMS could not answer"),
        "Deny unattested use to everybody: nitroctl kms generate writes that Deny.",
    ),
    "verify.data-key": _E(
        "KMS refused this caller's GenerateDataKey without attestation, as a dry run; of others it says nothing.",
        ("failed: the policy gives this caller data keys without attestation", "skipped: KMS could not answer"),
        "Deny unattested use to everybody: nitroctl kms generate writes that Deny.",
    ),
    "verify.data-key-pair": _E(
        "KMS refused this caller's GenerateDataKeyPair without attestation, as a dry run; of others it says nothing.",
        ("failed: the policy gives this caller private keys without attestation", "skipped: KMS could not answer"),
        "Deny unattested use to everybody: nitroctl kms generate writes that Deny.",
    ),
    "verify.state": _E(
        "The key is enabled, so that its policy is what decides.",
        ("the key was disabled", "its deletion is scheduled"),
        "Enable it (aws kms enable-key), or cancel its deletion, if it is still wanted.",
    ),
    "kms.no-probe": _E(
        "No operation of the key gives data that KMS could be asked for without attestation.",
        ("a key for signatures, MACs or key agreement",),
        "Leave out --live; nitroctl kms prove and kms lint judge the key's policy.",
    ),
    "kms.no-dry-run": _E(
        "The installed botocore does not know how to ask for a dry run of Decrypt without a ciphertext.",
        ("botocore is older than DryRunModifiers",),
        "Upgrade boto3, or give something that was encrypted under the key with --ciphertext.",
    ),
    "explain.authentic": _E(
        "The bytes of the call are not an attestation document that AWS signed, or were changed since.",
        ("random bytes, or base64 in place of bytes", "a document of a test root", "a byte was lost on the way"),
        "Send the document as the NSM returned it; nitroctl attest verify --authenticity-only shows every check.",
    ),
    "explain.lifetime": _E(
        "KMS takes no document outside the period of its certificates, which is a few hours.",
        ("the enclave keeps one document for all its calls", "the time of the call was not given: --at"),
        "Ask the NSM for a new document for each call.",
    ),
    "explain.public-key": _E(
        "KMS encrypts its answer to the document's public_key, which must be an RSA key of 2048 to 4096 bits in DER.",
        ("the document was asked for without a public key", "an elliptic-curve key, or PEM text"),
        "Ask the NSM for a document with the SubjectPublicKeyInfo of an RSA key.",
    ),
    "explain.action": _E(
        "KMS takes no attestation document for this action, so conditions on registers never hold in it.",
        ("Encrypt, ReEncrypt or Sign in a statement that is bound to an image",),
        "Use an action that is attested (Decrypt, GenerateDataKey), or allow it without attestation.",
    ),
    "explain.keyless": _E(
        "The action uses no key, so that no key policy decides on it.",
        ("GenerateRandom in a key policy",),
        "Allow it in an IAM policy of the role; for GenerateRandom conditions on registers work there as well.",
    ),
    "explain.image": _E(
        "The policy does not name the image that the document attests, or not all of its registers.",
        (
            "a new version was deployed before the policy was written for it",
            "an old version still runs after its values were taken out",
            "the image that runs is not the one that was measured",
        ),
        "Write the policy again from the records (nitroctl kms generate), or run a version that it names.",
    ),
    "explain.debug": _E(
        "An enclave in debug mode attests zeros in place of its image.",
        ("--debug-mode, or debug in the launch configuration",),
        "Run it without debug mode; a policy that lets zeros in lets any image in that runs so.",
    ),
    "explain.revoked": _E(
        "The document's image was revoked, and is meant to be refused everywhere.",
        ("an instance that was not updated", "an image that was rolled back to"),
        "Run an active version: nitroctl pcr list --status active.",
    ),
    "explain.register": _E(
        "A register other than those of the image is not what the policy asks for.",
        ("what it is extended with has changed", "the policy was written for another configuration"),
        "See what extends it, or write the value that it has now into the policy.",
    ),
    "explain.role": _E(
        "PCR3 is of the parent instance's role when the enclave was started, and the policy asks for another value.",
        (
            "the instance has no role, or got it later",
            "the enclave runs elsewhere, with credentials that were handed to it",
            "the role has a path, or was named by its instance profile",
        ),
        "Run the enclave on an instance with the role; nitroctl pcr role ARN computes its PCR3.",
    ),
    "explain.instance": _E(
        "PCR4 is of one instance, and the policy asks for another value.",
        ("the instance was replaced",),
        "Bind the policy to the role (PCR3) in place of the instance.",
    ),
    "explain.signer": _E(
        "PCR8 is of another signing certificate than the policy asks for, or the image is not signed.",
        ("the certificate was issued again, with the same key or another", "a build without its signing step"),
        "Sign with the certificate that the policy names, or write the policy for the new one.",
    ),
    "explain.absent": _E(
        "The policy asks for a register that the document does not have.",
        ("PCR16 and above are attested only once the enclave has locked them",),
        "Let the enclave extend and lock it before it asks for the document.",
    ),
    "explain.platform": _E(
        "The policy asks for registers of an enclave and the document is of a NitroTPM, or the other way round.",
        ("a key for both, whose Denies do not except both",),
        "Write a statement for each platform; nitroctl kms generate guards the Denies.",
    ),
    "explain.value": _E(
        "The policy asks a register for a value that none can have, or in a case that the operator tells apart.",
        ("SHA-256 or base64 in place of 96 hexadecimal digits", "upper case under StringEquals"),
        "Write it as nitro-cli prints it, in lower case, under StringEqualsIgnoreCase.",
    ),
    "explain.unknown-key": _E(
        "The policy goes by a condition key that KMS does not have, and that is in no request.",
        ("kms:RecipientAttestation without a register", "a slip of the pen"),
        "Use kms:RecipientAttestation:PCR0 to PCR31, ImageSha384, or NitroTPMPCR0 to NitroTPMPCR23.",
    ),
    "explain.principal": _E(
        "The statement that comes nearest to the call does not name its caller.",
        (
            "credentials of another role than the enclave's",
            "the role was deleted and made again: a policy keeps the id of the old one",
        ),
        "Call with the credentials of the role that it names, or name the caller's role.",
    ),
    "explain.not-allowed": _E(
        "No statement allows the action; the nearest is about others.",
        ("the enclave calls GenerateDataKey and the policy allows Decrypt alone",),
        "Add the action to the statement that names the image.",
    ),
    "explain.resource": _E(
        "The statement that comes nearest to the call is about another key, or about none.",
        ("Resource is the ARN of another key", "Resource is missing"),
        'Write "Resource": "*": in a key policy that is this key.',
    ),
    "explain.context": _E(
        "The policy asks for an encryption context that the call does not have.",
        ("it was left out of Decrypt", "name or value in another case"),
        "Send the context with which the data was encrypted.",
    ),
    "explain.condition": _E(
        "A condition of the statement that comes nearest to the call does not hold.",
        ("kms:ViaService, which a direct call does not have", "a VPC endpoint, an organisation, a tag"),
        "Call so that it holds, or change the condition.",
    ),
    "explain.deny": _E(
        "An explicit Deny matches the call, and nothing is above it.",
        ("a Deny for a role, an action or a network", "a Deny in an IAM policy of the caller"),
        "Change that Deny where it is written, if the call is meant.",
    ),
    "explain.stale-deny": _E(
        "A Deny excepts other values of registers than this document has, which an Allow names: one may be left over.",
        (
            "the Allow of a release was written by hand, beside Denies of the release before",
            "a release was taken out of the Denies on purpose, and its Allow was forgotten",
        ),
        "See whether the image is meant to have the key; then nitroctl kms generate writes Allows and Denies alike.",
    ),
    "explain.account": _E(
        "The caller is of another account than the key: its own account must allow the call as well.",
        ("the key policy names the role, and the role's IAM policy does not name the key",),
        "Allow the action on the key in an IAM policy of the caller.",
    ),
    "explain.iam": _E(
        "What the caller's IAM policies and the key policy's statement for the account say together does not allow it.",
        (
            "no IAM policy allows the action, or none was given",
            "the key policy has no statement for the account, on purpose",
        ),
        "Name role and image in the key policy; what IAM allows goes around attestation.",
    ),
    "explain.grant": _E(
        "A grant for the caller does not allow the call.",
        ("it is for other operations", "it asks for an encryption context"),
        "Let the key policy name the image in place of it: a grant knows nothing of attestation.",
    ),
    "explain.nothing": _E(
        "The key policy has no statement that could let the call in.",
        ("a policy with Denies only", "the file of another key"),
        "Write the policy from the records: nitroctl kms generate.",
    ),
    "explain.not-sent": _E(
        "Files do not show whether the document was in the request; without it a policy that asks for one refuses.",
        ("an SDK that does not know Recipient", "another call of the program, that does not send it"),
        "See that the call has Recipient; a call that succeeded has its document in CloudTrail.",
    ),
    "explain.other-policy": _E(
        "The call may have been judged by another policy than the one that was given.",
        ("the policy was changed since", "an alias that leads to another key", "a replica in another Region"),
        "Take the policy from the key that answered: aws kms get-key-policy.",
    ),
    "explain.only-denies": _E(
        "Policies that only deny were not given, and one of them may.",
        ("a service or resource control policy", "a permissions boundary", "a VPC endpoint policy"),
        "Read the whole message of the AccessDeniedException: it names the kind of policy.",
    ),
    "kms.trail-unreadable": _E(
        "A file or record is not what CloudTrail writes, or was cut short or changed.",
        ("the wrong file", "a copy that broke off", "CloudTrail's CSV from the console"),
        "Copy it again from the trail's bucket, or ask for it with aws cloudtrail lookup-events.",
    ),
    "kms.trail-unread": _E(
        "Some files or records could not be read, so what they hold is not in the answer.",
        ("a copy that broke off", "a file among the logs that is none"),
        "The answer about each of them says why; mend or leave them out.",
    ),
    "kms.trail-empty": _E(
        "Nothing in the files says anything about a key that is bound to attestation, so there is no answer.",
        (
            "the trail leaves out what KMS writes",
            "the logs of another account, Region or day",
            "keys that were never used with attestation in that time",
        ),
        "See aws cloudtrail get-event-selectors; take the logs of the key's own Region; name the key with --key.",
    ),
    "kms.trail-key": _E(
        "A key is looked for by its ARN or id, and this is neither.",
        ("an alias, which can lead to another key tomorrow",),
        "aws kms describe-key shows the key's ARN.",
    ),
    "kms.trail-keys": _E(
        "Some calls were not judged: the logs name more keys than are followed at once, or do not name the key.",
        ("the logs of a whole organisation", "records that were exported without their member resources"),
        "Name the keys that matter with --key, or give the logs account by account, in whole records.",
    ),
    "kms.trail-records": _E(
        "No image of the component and environment is recorded, so every image would count as unknown.",
        ("a misspelt component or environment",),
        "nitroctl pcr list shows what is recorded; --no-records compares with nothing.",
    ),
    "trail.recorded": _E(
        "The image that used the key is recorded, and was active at the time.",
        ("an ordinary use",),
        "Nothing is to be done.",
    ),
    "trail.not-compared": _E(
        "The use was attested, and its image was compared with nothing, as was asked.",
        ("--no-records",),
        "Name the recorded measurements with --records.",
    ),
    "trail.unattested": _E(
        "KMS gave data under a key bound to attestation to a caller without an attestation document.",
        (
            "a principal whom the key policy, an IAM policy or a grant lets decrypt without attestation",
            "the time before the policy was bound to attestation",
            "a test",
        ),
        "Find out who called, and for what; deny unattested use in the key policy (kms generate), and revoke grants.",
    ),
    "trail.reencrypt": _E(
        "A ciphertext was re-encrypted under another key, which decrypts it, and cannot be attested.",
        ("a key rotation", "somebody who takes the data to a key of his own"),
        "Deny kms:ReEncryptFrom in the key policy (nitroctl kms generate), and find out who holds the other key.",
    ),
    "trail.debug": _E(
        "An enclave in debug mode used the key: its console can be read, and its image registers are zero.",
        ("a policy that names zero registers, or only PCR3, PCR4 or PCR8",),
        "Bind the key to PCR0 of recorded images; take the data it saw for disclosed.",
    ),
    "trail.revoked": _E(
        "An image used the key after it was revoked.",
        ("the key policy still names it", "it still runs"),
        "Replace the key policy (nitroctl kms generate) and terminate the enclave.",
    ),
    "trail.revoked-later": _E(
        "An image that was active at the time, and has been revoked since, used the key.",
        ("the reason for the revocation was not known yet",),
        "Judge by the reason for the revocation what the image may have done with the data.",
    ),
    "trail.retired": _E(
        "An image used the key after it was retired.",
        ("the key policy still names it", "the records were finalised before the last old enclave was gone"),
        "Replace the key policy (nitroctl kms generate), and see what still runs.",
    ),
    "trail.early": _E(
        "An image used the key before it was made active in the records.",
        ("the records were changed after the deployment",),
        "Make a release active first: nitroctl pcr rollout.",
    ),
    "trail.candidate": _E(
        "An image that is recorded, and was never active by then, used the key.",
        ("the key policy names a candidate", "another environment's image"),
        "Make it active (nitroctl pcr rollout), or take it out of the key policy.",
    ),
    "trail.unknown": _E(
        "An attested image that is not recorded used the key.",
        (
            "an image that was built and never recorded",
            "a key policy that binds no image register",
            "another environment's image, with --environment",
        ),
        "Find out what it is: the module id names its instance. Take it out of the key policy if nobody knows.",
    ),
    "trail.registers": _E(
        "The image is recorded, but another pinned register was not the recorded one.",
        ("another parent role (PCR3), instance (PCR4) or signer (PCR8)",),
        "See where it ran; pin only what every deployment has in common.",
    ),
    "trail.registers-unreadable": _E(
        "The logged attestation has no registers that can be read, or they contradict each other.",
        ("the log was changed", "a form of CloudTrail that is new"),
        "Compare the record with the one in the trail's bucket; validate it with aws cloudtrail validate-logs.",
    ),
    "trail.instance": _E(
        "The logged PCR4 is not that of the instance that the module id names, although the same document holds both.",
        ("the log was changed",),
        "Validate the log files: aws cloudtrail validate-logs.",
    ),
    "trail.role": _E(
        "The enclave's parent carries another role (PCR3) than the one whose credentials called KMS.",
        ("a role in another account was assumed", "credentials were taken elsewhere"),
        "See whether the caller's role is meant to be used from there.",
    ),
    "trail.credentials": _E(
        "The credentials were those of another instance than the one the document comes from.",
        ("credentials were taken from an instance", "a proxy between enclave and KMS"),
        "See how the credentials came to the other instance.",
    ),
    "trail.policy": _E(
        "The key policy that was last set before the call, as far as the logs tell, does not name the image.",
        ("the policy had not taken effect yet", "another statement, an IAM policy or a grant let it in"),
        "See what the policy lets through; a conditional Allow alone restricts nothing.",
    ),
    "trail.denied": _E(
        "KMS denied the call. With what document it was made, if any, is not logged.",
        ("an image that the policy does not name", "no attestation, or no permission at all"),
        "Verify the document itself: nitroctl attest verify.",
    ),
    "trail.failed": _E(
        "The call failed for another reason than permission.",
        ("throttling", "a damaged document or ciphertext", "a disabled key"),
        "Look up KMS's error code.",
    ),
    "trail.changed": _E(
        "Who may use the key, or what leads to it, was changed.",
        ("an ordinary release",),
        "See that the change was meant.",
    ),
    "trail.weakened": _E(
        "A change of policy, grants or key material may let somebody, or an unrecorded image, use the key.",
        ("a statement that delegates to IAM and a Deny that covers it", "a grant, which knows no registers"),
        "Read the policy as a whole, and list the grants: aws kms list-grants.",
    ),
    "kms.replicas": _E(
        "The key exists in several Regions, each with a policy of its own, and nobody said which to write to.",
        ("a multi-Region key",),
        "Say --replicas all or --replicas none; a replica that keeps a weaker policy opens the same material.",
    ),
    "kms.not-of-key": _E(
        "The version that was named is of another component or environment than the key is for.",
        ("the wrong entry", "the wrong key of several in the targets"),
        "Name an entry of the key's component and environment, or another key with --target.",
    ),
    "kms.records-changed": _E(
        "While the key was written, somebody else changed the records that were to follow it.",
        ("another rollout, or pcr revoke, at the same time",),
        "Look at the records, then run the same command again: the key is left as it is where it fits.",
    ),
    "kms.changed-meanwhile": _E(
        "Between reading the key's policy and writing it, somebody else replaced it; so it was not written.",
        ("another CI job", "Terraform or CloudFormation, which own the policy too", "somebody in the console"),
        "Run it again, against what the key has now; let one of the two own the policy.",
    ),
    "kms.declined": _E(
        "The change was not confirmed, so nothing was written to AWS.",
        ("no terminal to ask on: a script or CI", "the answer was not yes"),
        "Add --yes, after looking at the change with --dry-run.",
    ),
    "kms.backup": _E(
        "The file is not a policy that nitroctl kept before it replaced it, or it was changed since.",
        ("another file", "somebody edited it"),
        "Give the policy to kms apply instead, if it is what the key should have.",
    ),
    "kms.backup-directory": _E(
        "There is no place to keep the policy that is replaced, and without that nothing is written.",
        ("neither HOME nor XDG_STATE_HOME is set",),
        "Name a directory: --backup-dir DIR; in CI one that is kept after the job.",
    ),
    "kms.nothing-to-undo": _E(
        "No kept policy is the one that the key's present policy replaced.",
        (
            "somebody changed the policy since",
            "it was replaced from another machine, or with another --backup-dir",
            "it was never replaced by nitroctl",
        ),
        "Name the kept policy: --from FILE; nitroctl kms diff FILE --key ARN shows what would change.",
    ),
    "kms.other-key": _E(
        "The kept policy belongs to another key than --key names.",
        ("the wrong file", "a replica in another Region, which is a key of its own"),
        "Name the key that the message has.",
    ),
    "apply.customer-key": _E(
        "The key's policy is the customer's to write.",
        ("a key that an AWS service made: its alias begins with aws/",),
        "Make a key of your own, and re-encrypt what is under the other.",
    ),
    "apply.state": _E(
        "The key is enabled, so that what the policy allows can be done.",
        ("a key that is disabled, or waits for its deletion", "imported material that is missing or expired"),
        "Enable the key or cancel its deletion, if it is still wanted.",
    ),
    "apply.size": _E(
        "The policy, written as compact JSON, fits into the 32,768 bytes that KMS takes.",
        ("many releases, or many pinned registers each",),
        "Retire releases that are no longer run, or pin fewer registers.",
    ),
    "apply.characters": _E(
        "The policy has only characters that KMS takes: tab, line ends, and U+0020 to U+00FF.",
        ("a typographic quote or dash in a Sid or Id", "a name in another script"),
        "Write ASCII.",
    ),
    "apply.principals": _E(
        "No principal is the id of a deleted role or user, or an ARN with a wildcard: KMS takes neither.",
        ("KMS shows AROA… in place of a role that was deleted, and does not take it back", "a pattern for roles"),
        "Name the role by its ARN, or take it out; for patterns use a condition on aws:PrincipalArn.",
    ),
    "apply.lockout": _E(
        "Whoever writes the policy can replace it again. KMS refuses one that locks its caller out, but asks only of"
        " this session and moment; what will not last is told, and does not refuse.",
        (
            "a policy that names another role as its writer",
            "a Deny of kms:PutKeyPolicy, in the key's second policy too",
            "the wrong credentials, or those of another account, from which KMS takes no PutKeyPolicy",
            "told: a statement that names the caller's session in place of its role, or holds for a time only",
        ),
        "Run it as a role that may replace the policy, and name that role, without a condition on the time;"
        " --bypass-lockout-check only for a policy meant to be final.",
    ),
    "apply.grants": _E(
        "No grant of the key gives data: a grant outlives every policy, and only a Deny is above it.",
        ("a grant that is left from before the key was bound to attestation", "an AWS service that uses the key"),
        "aws kms revoke-grant, when nobody needs it; until then the Denies of the policy are all that shuts it.",
    ),
    "apply.findings": _E(
        "kms lint finds nothing critical or high in the policy, as it would stand on this key.",
        ("see the rule that is named",),
        "nitroctl kms lint POLICY says more of each finding.",
    ),
    "apply.proof": _E(
        "Nobody is allowed to read data without attesting an image that the policy names.",
        ("another Allow, the account's IAM policies, a grant, or re-encryption goes past attestation",),
        "nitroctl kms prove POLICY shows the request that is let through.",
    ),
    # -- nitro-cli, enclaves
    "nitro-cli.failed": _E(
        "nitro-cli ran and failed; the message has its first E-code, which is the cause, the hints what it logged.",
        ("whatever nitroctl explain says of that code", "without a code: a usage error, a crash or a signal"),
        "Do what the hints say; with --json the whole standard error and the error log are in the details.",
    ),
    "nitro-cli.missing": _E(
        "There is no nitro-cli to run.",
        ("the package aws-nitro-enclaves-cli is not installed", "it is not on this user's PATH, as under sudo"),
        "Install the package, or name the program in NITROCTL_NITRO_CLI.",
    ),
    "nitro-cli.not-executable": _E(
        "The file that should be nitro-cli cannot be executed.",
        ("its mode", "a program for another architecture", "a script whose interpreter is missing"),
        "Check the file, or install the package again.",
    ),
    "nitro-cli.timeout": _E(
        "nitro-cli gave no answer for so long that it was ended.",
        ("a Docker daemon or enclave process that hangs", "a driver in a bad state"),
        "Run the nitro-cli command by hand; after a launch look whether an enclave came up all the same.",
    ),
    "nitro-cli.nonsense": _E(
        "nitro-cli reported success, but its answer is not what nitro-cli prints; the message shows where it begins.",
        ("another program of that name", "a version that nitroctl does not know", "a wrapper script that prints more"),
        "Check which nitro-cli runs: nitroctl --version --verbose and the setting nitro_cli.",
    ),
    "nitro-cli.too-old": _E(
        "The option needs a newer nitro-cli than this one.",
        ("an old package",),
        "Upgrade aws-nitro-enclaves-cli, or leave the option out.",
    ),
    "host.not-enclave-enabled": _E(
        "This host cannot run enclaves: the device or the driver is not there.",
        ("the instance was started without enclave support", "the driver is not loaded", "this is no EC2 instance"),
        "Enable enclaves for the instance (it must be stopped for that), and load the driver nitro_enclaves.",
    ),
    "host.no-permission": _E(
        "This user may not use the enclave device.",
        ("the user is not in group ne", "the group was added, but not logged in again"),
        "Add the user to group ne and log in again, or run the command as root.",
    ),
    "host.no-sockets": _E(
        "The directory in which running enclaves are found is not there.",
        ("nitro-cli is not installed from its package", "systemd-tmpfiles has not run since"),
        "Run sudo systemd-tmpfiles --create.",
    ),
    "enclave.unknown": _E(
        "No running enclave has that name or id.",
        ("a misspelt name", "it has ended", "nitro-cli added a number to its name"),
        "The hint lists what runs; nitroctl enclave describe shows more.",
    ),
    "enclave.ambiguous": _E(
        "More than one running enclave has that name.",
        ("two launches at the same moment, by something else than nitroctl",),
        "Use the id.",
    ),
    "enclave.no-console": _E(
        "The enclave does not run in debug mode, so it has no console.",
        ("it was launched without --debug-mode",),
        "Launch it with --debug-mode where no secrets are at stake: its attestation then shows zeros.",
    ),
    "enclave.cpus": _E(
        "The CPUs asked for contradict each other or are not a number or list.",
        ("both --cpu-count and --cpu-ids, or neither", "a CPU named twice"),
        "Give --cpu-count N, or --cpu-ids with the CPUs apart by spaces or commas.",
    ),
    "enclave.cid": _E(
        "The CID is reserved or out of range.",
        ("1, 2 or 3, which stand for the host and the parent",),
        "Use 4 or more, or leave it out.",
    ),
    "enclave.signing": _E(
        "A signature takes both a certificate and its private key.",
        ("one of --signing-certificate and --private-key is missing",),
        "Give both, or none.",
    ),
    "enclave.confirm": _E(
        "Terminating every enclave asks first, and nobody can be asked here.",
        ("a script, a pipe or CI without --yes",),
        "Add --yes.",
    ),
    "enclave.declined": _E("The question was answered with no; nothing was done.", ("the operator",), "Nothing."),
    "docker.missing": _E(
        "An image is to be taken from docker, and there is no docker program that can be started.",
        ("a machine without docker", "docker is not on PATH"),
        "Save the image where docker is (docker save -o image.tar NAME) and name the file with --image-archive.",
    ),
    "docker.failed": _E(
        "docker could not build, pull or save the image; the message is its last line.",
        ("the daemon does not run", "no such image, or no permission to pull it", "a Dockerfile that fails"),
        "Run the docker command by hand; or name an archive of docker save with --image-archive.",
    ),
    "build.measurable": _E(
        "The image that was built is well-formed, so that its measurements can be computed.",
        ("nitro-cli was interrupted or ran out of disk", "blobs that do not fit nitro-cli"),
        "Build it again; nitroctl eif inspect shows what is wrong with an image.",
    ),
    "build.written": _E(
        "The registers of the finished file are those computed while it was written.",
        ("a fault of the disk or the memory", "something else wrote to the file"),
        "Do not use the image; build it again, on another machine.",
    ),
    "build.command": _E(
        "The first word of the command is a program in the image, found as init finds it: from the top directory, or"
        " along /sbin, /usr/sbin, /bin and /usr/bin whatever PATH says. A warning.",
        ("a program in /usr/local/bin named without its path", "a path from the WORKDIR, which has no effect"),
        "Name the program by its whole path.",
    ),
    "build.registers": _E(
        "The measurements nitro-cli printed are those of the file it wrote, computed by nitroctl.",
        ("the file was altered while it was built", "a nitro-cli that was tampered with"),
        "Do not use the image. Build it again on a machine you can rely on.",
    ),
    "build.signed": _E(
        "The image carries a signature by the certificate that was given.",
        ("nitro-cli before 1.5.0 could not use the key and went on", "no permission on the KMS key"),
        "Check the key, its permissions and the credentials; upgrade nitro-cli.",
    ),
    "launch.recorded": _E(
        "The image's measurements are those of an active record.",
        ("an image that was never reviewed", "a candidate that nobody activated", "a retired release"),
        "Launch the recorded image, or review this one and record it with --activate.",
    ),
    "launch.memory-for-image": _E(
        "The memory asked for is at least four times the image's size, and at least 64 MiB.",
        ("--memory is too small", "the image has grown"),
        "Ask for the number that the check names.",
    ),
    "launch.hugepages": _E(
        "There are enough free hugepages for the memory, and they are used up without waste.",
        ("memory_mib in allocator.yaml is too small", "other enclaves hold the pages", "only 1 GiB pages are free"),
        "Terminate an enclave, or raise memory_mib and restart the allocator service.",
    ),
    "launch.cpus": _E(
        "The CPUs asked for are in the pool and no other enclave has them.",
        ("the pool is too small or empty", "other enclaves have them"),
        "Terminate an enclave, ask for fewer, or enlarge the pool and restart the allocator service.",
    ),
    "launch.full-cores": _E(
        "The CPUs make whole cores: an enclave gets both threads of a core. Which CPUs share one is told from CPU 0's.",
        ("an odd number on a host with two threads per core", "--cpu-ids with one thread of each of two cores"),
        "Ask for the next even number, or name both threads of each core.",
    ),
    "launch.cid": _E("The CID is not another enclave's.", ("a fixed CID, used twice",), "Choose another, or none."),
    "launch.name": _E(
        "The name that was given is not a running enclave's; nitro-cli would silently add a number to it.",
        ("the previous release still runs",),
        "Terminate that one first, or give another name.",
    ),
    "launch.certificate-dates": _E(
        "The certificate that signed the image is in force; nitro-cli refuses the launch otherwise (E59).",
        ("the certificate has expired", "this host's clock is wrong"),
        "Sign the image again with a certificate in force.",
    ),
    "launch.slots": _E(
        "Fewer than four enclaves are running, the most AWS supports on one instance.",
        ("four enclaves run already",),
        "Terminate one first.",
    ),
    "launch.debug-mode": _E(
        "The enclave does not run in debug mode, so that its attestation carries its measurements.",
        ("--debug-mode or --attach-console was given",),
        "Leave both out for anything that holds secrets.",
    ),
    "launch.running": _E(
        "nitro-cli lists the enclave that it has just started, in the state RUNNING.",
        ("the enclave ended at once, or is about to", "another user's enclave does not answer"),
        "Run it with --attach-console to see what it says.",
    ),
    "launch.measurements": _E(
        "The running enclave has the measurements of the image file.",
        ("the file was exchanged during the launch", "a nitro-cli that was tampered with"),
        "Terminate the enclave, and find out who writes to the file.",
    ),
    "launch.mode": _E(
        "The enclave runs in the mode that was asked for, debug or not.",
        ("another program launched it", "a nitro-cli that was tampered with"),
        "Terminate the enclave.",
    ),
    # -- allocator
    "allocator.crlf": _E(
        "Lines end with CR LF, as Windows writes them; the allocator takes the CR for part of the line.",
        ("the file was edited on Windows", "a copy through a tool that changes line ends"),
        "nitroctl allocator set --repair writes LF.",
    ),
    "allocator.start-marker": _E(
        "The allocator passes over everything before a line that is exactly ---; without it the file says nothing.",
        ("written by a YAML library, which leaves it out", "a comment after --- on its line", "a byte order mark"),
        "nitroctl allocator set --repair writes it before the first setting.",
    ),
    "allocator.final-newline": _E(
        "The last line has no newline at its end, and the allocator never sees it.",
        ("an editor that adds none", "printf in place of echo"),
        "nitroctl allocator set --repair adds it.",
    ),
    "allocator.characters": _E(
        "A setting has a control character or one outside ASCII, which the allocator reads differently by locale.",
        ("text pasted from a web page, with a no-break space", "a damaged file"),
        "Delete the character on the line named.",
    ),
    "allocator.backslash": _E(
        "A comment ends in a backslash, and the allocator takes the next line for its continuation.",
        ("a comment with a path or a shell command",),
        "nitroctl allocator set --repair deletes the backslash.",
    ),
    "allocator.blank-line": _E(
        "A blank line after --- makes the allocator fail with “unexpected:”.",
        ("an empty line for legibility",),
        "nitroctl allocator set --repair writes # in its place.",
    ),
    "allocator.second-document": _E(
        "A second --- starts a new document in YAML; the allocator reads on, later values overriding earlier ones.",
        ("two files joined",),
        "Keep one --- and one set of keys.",
    ),
    "allocator.list-form": _E(
        "The file lists several reservations, a form that only unreleased allocators read.",
        ("an example from a fork or a proposed change",),
        "Write memory_mib and one of cpu_count and cpu_pool once, with the sums.",
    ),
    "allocator.unknown-key": _E(
        "A line after --- does not begin with memory_mib, cpu_count or cpu_pool, and the allocator fails on it.",
        ("a misspelt key", "upper case", "...", "a key of another tool"),
        "Correct the key, or make the line a comment.",
    ),
    "allocator.missing-value": _E(
        "A key has nothing after its colon, and the allocator fails on it.",
        ("a value deleted and not replaced", 'a value of ""'),
        "Write the value, or make the line a comment.",
    ),
    "allocator.duplicate-key": _E(
        "A key stands more than once; the allocator silently takes the last.",
        ("a line copied to try another value",),
        "nitroctl allocator set --repair keeps the last and makes the others comments.",
    ),
    "allocator.inline-comment": _E(
        "A comment after a value becomes part of the value.",
        ("YAML habits",),
        "nitroctl allocator set --repair moves it to its own line.",
    ),
    "allocator.single-quotes": _E(
        "Single quotes stay in the value; only double quotes are stripped.",
        ("a YAML library wrote a lone number as text",),
        "nitroctl allocator set --repair drops them.",
    ),
    "allocator.memory": _E(
        "memory_mib is missing or is not an amount of memory that enclaves can use.",
        ("a unit after the number", "a leading 0, which is octal to the shell", "less than an enclave's least, 64 MiB"),
        "nitroctl allocator set --memory-mib N with an even N: the sum of what all enclaves get.",
    ),
    "allocator.cpu-choice": _E(
        "The allocator wants exactly one of cpu_count and cpu_pool.",
        ("the other key was added and the first not removed",),
        "nitroctl allocator set --cpu-count N, or --cpu-pool LIST, leaves one of them.",
    ),
    "allocator.cpu-count": _E(
        "cpu_count is not a whole number above 0.",
        ("a list in place of a number: that is cpu_pool", "a leading 0"),
        "nitroctl allocator set --cpu-count N.",
    ),
    "allocator.cpu-pool-syntax": _E(
        "cpu_pool is not a list of CPU numbers and ranges with commas between them.",
        ("blanks after the commas", "[2, 3] as YAML writes lists", "a range that goes down"),
        "nitroctl allocator set --cpu-pool LIST, such as 2,3,6-9.",
    ),
    "allocator.cpu-zero": _E(
        "cpu_pool has CPU 0, which the kernel never gives away.",
        ("counting from the first CPU",),
        "Leave CPU 0 and its sibling out; lscpu -e=CPU,CORE,NODE shows the siblings.",
    ),
    "allocator.yaml-agrees": _E(
        "YAML tools see other values in the file than the allocator's shell script does; both cannot be meant.",
        ("no blank after a colon", "an indented key", "a key that stands twice", "1_2, which YAML takes for 12"),
        "Write one key: value a line, unindented, each key once.",
    ),
    "allocator.kernel-agrees": _E(
        "The kernel has set aside something else than the file asks for.",
        ("the allocator's service has not been restarted since the file changed", "the service failed"),
        "Stop every enclave, then restart nitro-enclaves-allocator.service; its journal says why it fails.",
    ),
    "allocator.host-cpus": _E(
        "More or other CPUs are asked for than the host has.",
        ("the file was made for a larger instance",),
        "lscpu shows the CPUs; nitroctl allocator set changes the file.",
    ),
    "allocator.host-cores": _E(
        "Enclaves get whole cores, never CPU 0's; half a core is asked for, or CPU 0's sibling.",
        ("hyperthreads: CPU n and n + half are often one core", "an odd cpu_count"),
        "lscpu -e=CPU,CORE,NODE shows which CPUs share a core; ask for both.",
    ),
    "allocator.host-node": _E(
        "CPUs for enclaves must come from one NUMA node.",
        ("a pool across sockets on a large instance", "a cpu_count above what one node has"),
        "lscpu -e=CPU,CORE,NODE shows the nodes; ask for CPUs of one.",
    ),
    "allocator.host-memory": _E(
        "More memory is asked for than the NUMA node of the CPUs has.",
        ("the file was made for a larger instance", "MiB taken for kB"),
        "nitroctl allocator set --memory-mib with less, leaving the parent enough to run.",
    ),
    "allocator.kernel-file": _E(
        "A file under /sys does not have the form the kernel gives it.",
        ("NITROCTL_HOST_ROOT points to something that is not a host",),
        "Unset NITROCTL_HOST_ROOT, or mend the tree it names.",
    ),
    "allocator.value": _E(
        "The value to set could not work on any host.",
        ("memory that is odd or below 64 MiB", "CPU 0 in the pool", "a malformed list of CPUs"),
        "Give the value that the error asks for.",
    ),
    "allocator.unfit": _E(
        "The file would still be refused by the allocator after the change, so nothing was written.",
        ("something else in the file is wrong", "a value that is not being set is wrong too"),
        "nitroctl allocator check says what; --repair mends what has one way out.",
    ),
    "allocator.impossible": _E(
        "The host cannot do what the changed file would ask for, so nothing was written.",
        ("more CPUs or memory than there are", "half a core", "CPUs of two NUMA nodes"),
        "nitroctl allocator show tells what the host has; name another host's file with --file.",
    ),
    "allocator.declined": _E(
        "The change was not confirmed, so nothing was written.",
        ("the answer was not yes", "there is no terminal to ask on"),
        "Add --yes, after looking at the change with --dry-run.",
    ),
    "allocator.changed": _E(
        "Somebody else changed the file between reading and writing, so nothing was written.",
        ("another administrator or a configuration tool",),
        "Look at the file and run the command again.",
    ),
    # -- init, demo, completion
    "init.name": _E(
        "The project's name is not 1 to 63 lower-case letters, digits and hyphens with a letter first.",
        ("a directory whose name is not a project name",),
        "Give one with --name.",
    ),
    "init.not-empty": _E(
        "The directory already has files in it.",
        ("the project was written before", "the wrong directory"),
        "Name a new directory, or add --force to add what is missing; files that differ are kept.",
    ),
    "init.outside": _E(
        "A path in the directory leads out of it through a symbolic link, and nothing is written there.",
        ("a link in place of a directory of the project",),
        "Remove the link, or name another directory.",
    ),
    "init.templates": _E(
        "The files that projects are made from are missing from this installation.",
        ("an incomplete installation",),
        "Install nitroctl again.",
    ),
    "demo.step": _E(
        "A step of the demonstration did not end as it should.",
        ("a bug in nitroctl", "a temporary directory that is full or forbids programs"),
        "Read the step's own error above; nitroctl demo --keep DIR keeps the files.",
    ),
    "demo.directory": _E(
        "The directory named with --keep holds files already.", ("an earlier demonstration",), "Name a new directory."
    ),
}
