"""``nitroctl pcr``: record measurements, compare with them, and calculate registers."""

from nitroctl.cli.tree import lazy_noun

app = lazy_noun(
    "Record measurements, compare with them, and calculate registers.",
    {
        "record": ("pcr_record", "record", "Record what an image measures to, as a candidate or an active version."),
        "import": ("pcr_import", "import_", "Record measurements from a file that others wrote, as candidates."),
        "list": ("pcr_list", "list_", "List the recorded versions."),
        "show": (
            "pcr_list",
            "show",
            "Show one recorded version: its registers, what is pinned, where it came from, and its times.",
        ),
        "check": (
            "pcr_check",
            "check",
            "Say whether an image, or some registers, are those of an active recorded version.",
        ),
        "diff": (
            "pcr_diff",
            "diff",
            (
                "Say which registers of two versions, images or sets of measurements differ; "
                "or what two ledgers record otherwise."
            ),
        ),
        "promote": ("pcr_lifecycle", "promote", "Take a recorded version over to another environment, as a candidate."),
        "rollout": ("pcr_lifecycle", "rollout", "Make a candidate active, beside the version that is active already."),
        "finalize": (
            "pcr_lifecycle",
            "finalize",
            "Finish a rollout: retire every other active version of the same component and environment.",
        ),
        "retire": ("pcr_lifecycle", "retire", "Retire a version that is no longer run."),
        "revoke": ("pcr_lifecycle", "revoke", "Revoke a version whose image must not run again."),
        "reproduce": (
            "pcr_reproduce",
            "reproduce",
            "Build a recorded image again, and say whether it measures the same.",
        ),
        "verify": (
            "pcr_verify",
            "verify",
            "Say whether a file of recorded measurements is in order, and what another may have become.",
        ),
        "merge": (
            "pcr_merge",
            "merge",
            "Merge two files of recorded measurements entry by entry, where git would leave conflict markers.",
        ),
        "sign": (
            "pcr_export",
            "sign",
            "Sign the file of recorded measurements with a key of your own, into a file beside it.",
        ),
        "export": ("pcr_export", "export", "Print one recorded version as an in-toto statement about its image file."),
        "role": ("pcr_calculators", "role", "Calculate PCR3: the IAM role that the parent instance carries."),
        "instance": ("pcr_calculators", "instance", "Calculate PCR4: the EC2 instance that is the parent."),
        "certificate": ("pcr_calculators", "certificate", "Calculate PCR8: the certificate that signs the image."),
        "file": (
            "pcr_calculators",
            "file_",
            "Calculate the register that holds one file's SHA-384, as nitro-cli pcr --input does.",
        ),
    },
)
