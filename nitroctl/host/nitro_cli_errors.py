"""nitro-cli's error codes E00 to E60: what each means to an operator, its likely causes, what to do.

The codes and the words after them are nitro-cli's (1.5.0, the newest that was read); the explanations are ours, and
describe what really raises a code, which nitro-cli's own ``explain`` sometimes does not. Its exit status is the number
of the code, but whatever goes wrong in the process that keeps an enclave comes back as E39, with the cause before it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class NitroCliError:
    """``name``: the words nitro-cli prints after the code. ``meaning``: one sentence. ``causes``: most likely first."""

    name: str
    meaning: str
    causes: tuple[str, ...]
    remedy: str


#: The code that only wraps another one.
ENVELOPE: Final = "E39"

_E = NitroCliError
_RETRY: Final = "Run the command again; if it comes back, read nitro-cli's error log."
_UNUSED: Final = ("nothing in nitro-cli 1.5.0 raises it",)
_DRIVER_FOLDED: Final = "See E29: nitro-cli 1.5.0 reports every driver error with that code."

NITRO_CLI_ERRORS: Final[dict[str, NitroCliError]] = {
    "E00": _E("Unspecified error", "A failure without a code of its own.", _UNUSED, "Report it to nitro-cli."),
    "E01": _E(
        "Missing mandatory argument",
        "An option that the command cannot do without is missing.",
        ("a --config file without cpu_count and cpu_ids", "sign-eif without --eif-path"),
        "Add the option or the key.",
    ),
    "E02": _E(
        "Conflicting arguments",
        "Two options exclude each other.",
        ("a --config file with both cpu_count and cpu_ids",),
        "Keep one of the two.",
    ),
    "E03": _E(
        "Invalid argument provided",
        "An option's value is not one nitro-cli can use.",
        ("a CPU list with commas", "a memory size such as 256MB or 1.5G", "CID 1, 2 or 3, or one above 32 bits"),
        "Write memory in whole MiB, CPU ids apart by spaces, and a CID of 4 or more.",
    ),
    "E04": _E(
        "Socket pair creation failure",
        "nitro-cli could not make the socket pair it talks to its enclave process with.",
        ("the limit of open files is used up", "no memory left"),
        "Raise ulimit -n or free memory, then run the command again.",
    ),
    "E05": _E(
        "Process spawn failure",
        "The process that is to keep the enclave could not be forked.",
        ("no memory left", "the limit of processes is used up"),
        "Free memory or raise the process limit (ulimit -u, the unit's TasksMax).",
    ),
    "E06": _E(
        "Daemonize process failure",
        "The process that is to keep the enclave could not detach itself.",
        ("no memory left", "the limit of processes is used up"),
        "Free memory or raise the process limit (ulimit -u, the unit's TasksMax).",
    ),
    "E07": _E(
        "Read from disk failure",
        "The directory of enclave sockets could not be read.",
        ("/run/nitro_enclaves was never made", "the user is not in group ne"),
        "Run systemd-tmpfiles --create as root; the directory should be root:ne with mode 0775.",
    ),
    "E08": _E(
        "Unusable connection error", "A connection to an enclave process broke before use.", ("internal",), _RETRY
    ),
    "E09": _E("Socket close error", "A socket could not be closed.", ("internal",), _RETRY),
    "E10": _E(
        "Socket connect set timeout error",
        "The console's vsock connection could not be given its time limit.",
        ("vsock is not supported by this kernel",),
        "Check that /dev/vsock is there.",
    ),
    "E11": _E(
        "Socket error",
        "The process that keeps the enclave could not be talked to.",
        ("the enclave id is stale or misspelt", "the enclave ended a moment ago"),
        "Look at what runs now: nitroctl enclave describe.",
    ),
    "E12": _E("Epoll error", "Waiting for events failed.", ("internal",), _RETRY),
    "E13": _E(
        "Inotify error",
        "The enclave process could not watch its socket file.",
        ("the limit of inotify instances or watches is used up",),
        "Raise fs.inotify.max_user_instances and max_user_watches with sysctl.",
    ),
    "E14": _E(
        "Invalid command",
        "The enclave process did not know the command it was sent.",
        ("nitro-cli was upgraded while the enclave ran",),
        "Terminate the enclave with the old nitro-cli (or end its process) and run it again.",
    ),
    "E15": _E(
        "Lock acquire failure", "The enclave process lost its own lock.", ("internal",), "Run the enclave again."
    ),
    "E16": _E("Thread join failure", "A thread of the enclave process died.", ("internal",), "Run the enclave again."),
    "E17": _E(
        "Serde error",
        "Something that should be JSON could not be read or written.",
        ("a --config file with a missing key or a wrong type", "custom metadata that is not a JSON object"),
        "Mend the JSON file.",
    ),
    "E18": _E(
        "File permissions error",
        "The mode of nitro-cli's log file could not be set.",
        ("the log file belongs to somebody else",),
        "Give /var/log/nitro_enclaves/nitro_enclaves.log to root:ne with mode 0664.",
    ),
    "E19": _E(
        "File operation failure",
        "A file nitro-cli needs could not be opened, read or written; the second line names it.",
        (
            "/dev/nitro_enclaves is missing: the instance is not enclave-enabled or the driver is not loaded",
            "no permission: the user is not in group ne",
            "the blobs are missing: the package aws-nitro-enclaves-cli-devel is not installed",
            "the log directory cannot be written, which fails every command",
        ),
        "See to the file that the message names.",
    ),
    "E20": _E(
        "Invalid CPU configuration",
        "The list of CPU ids is contradictory.",
        ("the same id twice in --cpu-ids",),
        "Name each CPU once.",
    ),
    "E21": _E(
        "No such CPU available in the pool",
        "A CPU asked for by id is not set aside for enclaves.",
        ("the id is not in the allocator's cpu_pool", "the allocator service has not run since the pool was edited"),
        "Use an id of the pool, or change cpu_pool and restart nitro-enclaves-allocator.service.",
    ),
    "E22": _E(
        "Insufficient CPUs available in the pool",
        "More CPUs were asked for than are set aside for enclaves.",
        ("cpu_count in allocator.yaml is too small", "the allocator service did not run"),
        "Raise cpu_count in allocator.yaml and restart nitro-enclaves-allocator.service, or ask for fewer.",
    ),
    "E23": _E(
        "Malformed CPU ID error",
        "The kernel's list of pool CPUs could not be understood.",
        ("a damaged pool",),
        "Restart nitro-enclaves-allocator.service.",
    ),
    "E24": _E(
        "CPU error",
        "The kernel's list of pool CPUs has an impossible interval.",
        ("a damaged pool",),
        "Restart nitro-enclaves-allocator.service.",
    ),
    "E25": _E("No such hugepage flag error", "A page size without a flag was met.", ("internal",), "Report it."),
    "E26": _E(
        "Insufficient memory requested",
        "The memory asked for is less than four times the size of the image.",
        ("--memory is too small", "the image has grown"),
        "Ask for at least four times the image file's size; the message names the least.",
    ),
    "E27": _E(
        "Insufficient memory available",
        "There are not enough free hugepages for the memory asked for.",
        (
            "memory_mib in allocator.yaml is too small",
            "other enclaves hold the pages",
            "the allocator service did not run",
        ),
        "Raise memory_mib and restart nitro-enclaves-allocator.service, terminate an enclave, or ask for less.",
    ),
    "E28": _E(
        "Invalid enclave descriptor",
        "The driver handed out an enclave that cannot be used.",
        ("a driver in a bad state",),
        "Reload the nitro_enclaves module, or reboot.",
    ),
    "E29": _E(
        "Ioctl failure",
        "The enclave driver refused a request; which one and why stands only in nitro-cli's error log.",
        (
            "an odd number of CPUs where a core has two threads",
            "the CPUs of the pool are all used by other enclaves",
            "memory and CPUs on different NUMA nodes, or below 64 MiB",
            "too many small hugepages for a very large enclave",
            "a reserved or used CID",
            "a relaunch right after an enclave ended",
        ),
        "Read the quoted error log; after an enclave ended, try again in a few seconds.",
    ),
    "E30": _E(
        "Ioctl image get load info failure", "The driver did not say where the image goes.", _UNUSED, _DRIVER_FOLDED
    ),
    "E31": _E("Ioctl set memory region failure", "The driver refused a piece of memory.", _UNUSED, _DRIVER_FOLDED),
    "E32": _E("Ioctl add vCPU failure", "The driver refused a CPU.", _UNUSED, _DRIVER_FOLDED),
    "E33": _E("Ioctl start enclave failure", "The driver did not start the enclave.", _UNUSED, _DRIVER_FOLDED),
    "E34": _E(
        "Memory overflow",
        "The image does not fit into the enclave's memory.",
        ("too little memory for the image",),
        "Ask for more memory.",
    ),
    "E35": _E(
        "EIF file parsing error",
        "The image file could not be understood.",
        ("a truncated or damaged file", "a damaged signature section", "not an EIF at all"),
        "Look at it with nitroctl eif inspect; build it again.",
    ),
    "E36": _E(
        "Enclave boot failure",
        "The enclave was started but did not report that it had booted.",
        (
            "another launch at the same moment held the heartbeat port 9000",
            "too little memory to unpack the image",
            "the init or kernel in the image does not come up",
        ),
        "Launch one at a time (nitroctl does), give more memory, and watch it boot with --debug-mode --attach-console.",
    ),
    "E37": _E("Enclave event wait error", "Waiting for the enclave's events failed.", _UNUSED, _RETRY),
    "E38": _E(
        "Enclave process command not executed error",
        "The enclave process answered that it could not do the command.",
        ("whatever the first code on standard error says",),
        "See to the first code.",
    ),
    "E39": _E(
        "Enclave process connection failure",
        "The enclave process failed or did not answer in time; this wraps the cause and is rarely the cause itself.",
        (
            "whatever code stands before it",
            "the enclave belongs to another user",
            "a directory or dead socket in /run/nitro_enclaves (the ACM agent keeps one)",
            "an enclave process too busy to answer within three seconds",
        ),
        "See to the first code; without one, run the command again as root.",
    ),
    "E40": _E("Socket path not found", "The socket of an enclave process could not be found.", ("internal",), _RETRY),
    "E41": _E(
        "Enclave process send reply failure",
        "The enclave process could not send its answer.",
        ("nitro-cli was ended while it waited",),
        _RETRY,
    ),
    "E42": _E(
        "Enclave mmap error",
        "Memory for the enclave could not be mapped.",
        ("not enough free hugepages",),
        "See E27.",
    ),
    "E43": _E("Enclave munmap error", "Memory of an enclave could not be given back.", ("internal",), _RETRY),
    "E44": _E(
        "Enclave console connection failure",
        "The console of the enclave could not be reached.",
        ("the enclave does not run in debug mode", "the enclave has ended"),
        "Only an enclave started with --debug-mode has a console, and its attestation shows zeros.",
    ),
    "E45": _E("Enclave console read error", "Reading the console broke off.", ("the enclave ended",), "Connect again."),
    "E46": _E(
        "Enclave console write output error",
        "The console's output could not be passed on.",
        ("the reader of the output went away",),
        "Connect again.",
    ),
    "E47": _E("Integer parsing error", "A number was out of range.", ("a CID above 32 bits",), "Report it."),
    "E48": _E(
        "EIF building error",
        "The image could not be assembled.",
        (
            "linuxkit failed: no disk space or memory, or it cannot see the image in a newer Docker",
            "the blobs are missing or do not belong to this nitro-cli",
            "the metadata file is not a JSON object of at most 4096 bytes",
            "the signing key or certificate could not be used (nitro-cli 1.5.0 and later)",
        ),
        "Read the quoted error log: it names the step.",
    ),
    "E49": _E(
        "Docker image build error",
        "Docker could not build the image from --docker-dir.",
        ("a mistake in the Dockerfile", "the Docker daemon does not answer"),
        "Run docker build on the directory; its output is only in nitro-cli's log.",
    ),
    "E50": _E(
        "Docker image pull error",
        "The Docker image is not here and could not be pulled.",
        ("the Docker daemon does not answer", "no login to the registry", "a misspelt name"),
        "Check docker pull of the same name by the same user.",
    ),
    "E51": _E(
        "Artifacts path environment variable not set",
        "nitro-cli knows no place for its scratch files.",
        ("neither HOME nor NITRO_CLI_ARTIFACTS is set",),
        "Set one of the two (a systemd unit has no HOME).",
    ),
    "E52": _E(
        "Blobs path environment variable not set",
        "nitro-cli knows no place for the kernel and init it builds with.",
        _UNUSED,
        "Install aws-nitro-enclaves-cli-devel or set NITRO_CLI_BLOBS.",
    ),
    "E53": _E("Clock skew error", "The clock went backwards.", ("only nitro-cli's own tests raise it",), _RETRY),
    "E54": _E("Signal masking error", "Signals could not be held back.", ("internal",), _RETRY),
    "E55": _E("Signal unmasking error", "Signals could not be let through.", ("internal",), _RETRY),
    "E56": _E(
        "Logger error",
        "nitro-cli's log could not be started.",
        ("a RUST_LOG that is not understood", "the log directory cannot be written"),
        "Unset RUST_LOG and check /var/log/nitro_enclaves.",
    ),
    "E57": _E(
        "Hasher error",
        "A digest could not be computed.",
        ("a file that is not a PEM certificate",),
        "Name the PEM file; nitroctl pcr certificate computes the same register.",
    ),
    "E58": _E(
        "Naming error",
        "No enclave, or more than one, has that name.",
        ("a misspelt name", "two launches at once took the same name"),
        "Use the enclave's id: nitroctl enclave describe.",
    ),
    "E59": _E(
        "EIF signature checker error",
        "The image's signature was refused at launch.",
        ("the signing certificate has expired or is not yet in force", "a damaged signature"),
        "Sign the image again with a certificate in force, and check this machine's clock.",
    ),
    "E60": _E(
        "Signing error",
        "The image could not be signed.",
        ("no key and certificate", "a key that is not ECDSA", "no kms:Sign or kms:GetPublicKey on the key"),
        "Check key, certificate and credentials.",
    ),
}
