"""``nitroctl kms``: key policies, what they say, and what they let through."""

from nitroctl.cli.tree import lazy_noun

app = lazy_noun(
    "Write, prove, explain and apply KMS key policies, and read the trail of their use.",
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
        "explain": (
            "kms_explain",
            "explain",
            "Say why KMS refuses an attested call, and what to do about it.",
        ),
        "matrix": (
            "kms_matrix",
            "matrix",
            "Say of every principal, action and image whether a key policy lets it by, in one table to sign.",
        ),
        "prove": (
            "kms_prove",
            "prove",
            "Prove that a key policy gives data to nobody who attests none of its images, or show who gets by.",
        ),
        "lint": (
            "kms_lint",
            "lint",
            "Say what is wrong with key policies that are meant to be bound to attestation.",
        ),
        "show": (
            "kms_show",
            "show",
            "Show a key as it is in AWS: its state, policies, grants and replicas, and what is wrong with them.",
        ),
        "diff": (
            "kms_diff",
            "diff",
            "Say in what two key policies differ, statement by statement: the one before it, and what it would become.",
        ),
        "apply": (
            "kms_apply",
            "apply",
            "Give a key in AWS another policy, after looking at what it opens and whom it locks out.",
        ),
        "rollout": (
            "kms_rollout",
            "rollout",
            "Open a key to a candidate beside what it is open to, then make the candidate active in the records.",
        ),
        "finalize": (
            "kms_rollout",
            "finalize",
            "Close a key to every other active version of the same component, then retire those in the records.",
        ),
        "undo": ("kms_undo", "undo", "Give a key the policy back that kms apply, rollout or finalize replaced."),
        "verify": (
            "kms_verify",
            "verify",
            "Say whether a key in AWS has the policy that was wanted, and gives nobody data without attestation.",
        ),
        "trail": (
            "kms_trail",
            "trail",
            "Say which image used which key when, and what went past attestation, from the logs of CloudTrail.",
        ),
    },
)
