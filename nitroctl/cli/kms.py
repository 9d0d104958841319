"""``nitroctl kms``: key policies, what they say, and what they let through."""

from nitroctl.cli.tree import lazy_noun

app = lazy_noun(
    "Write, check and simulate KMS key policies, and read the trail of their use.",
    {
        "generate": (
            "kms_generate",
            "generate",
            "Write the key policy that lets the enclaves of active records use a key, and nobody else.",
        ),
        "simulate": (
            "kms_simulate",
            "simulate",
            "Say whether KMS would allow a request, and which statement, condition and register decides.",
        ),
        "lint": (
            "kms_lint",
            "lint",
            "Say what is wrong with key policies that are meant to be bound to attestation.",
        ),
        "trail": (
            "kms_trail",
            "trail",
            "Say which image used which key when, and what went past attestation, from the logs of CloudTrail.",
        ),
    },
)
