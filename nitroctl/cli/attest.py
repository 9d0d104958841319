"""``nitroctl attest``: what a captured attestation document is, whether it is authentic, and whether acceptable."""

from nitroctl.cli.tree import lazy_noun

app = lazy_noun(
    "Show, verify and compare captured attestation documents, offline.",
    {
        "show": ("attest_show", "show", "Show everything an attestation document says, without verifying any of it."),
        "verify": (
            "attest_verify",
            "verify",
            "Say whether an attestation document is authentic, and whether what it attests is acceptable.",
        ),
        "survey": (
            "attest_survey",
            "survey",
            (
                "Say what a heap of attestation documents comes to: "
                "images, enclaves, instances, regions, times, anomalies."
            ),
        ),
        "diff": (
            "attest_diff",
            "diff",
            "Say what differs between two attestation documents, without verifying either.",
        ),
        "extract": (
            "attest_extract",
            "extract",
            "Write one part of an attestation document, byte for byte, without verifying the document.",
        ),
        "policy": ("attest_policy", "", "Write, check and show appraisal policies: what makes evidence acceptable."),
        "request": (
            "attest_recipient",
            "request",
            "Make the body of an attested KMS request: the operation, and the document as its Recipient.",
        ),
        "open": (
            "attest_recipient",
            "open_",
            "Open what KMS encrypted to a document's public key, with the private key; for tests and drills.",
        ),
    },
)
