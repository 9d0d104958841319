"""``nitroctl kms``: key policies, what they say, and what they let through."""

from nitroctl.cli.tree import lazy_noun

app = lazy_noun(
    "Write KMS key policies from recorded measurements.",
    {
        "generate": (
            "kms_generate",
            "generate",
            "Write the key policy that lets the enclaves of active records use a key, and nobody else.",
        ),
    },
)
