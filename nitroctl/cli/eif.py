"""``nitroctl eif``: what an image file is, and its measurements, without nitro-cli."""

from nitroctl.cli.tree import lazy_noun

app = lazy_noun(
    "Read, explain, compare, build and sign enclave image files without nitro-cli.",
    {
        "measure": (
            "eif_measure",
            "measure",
            "Compute an image's PCR0, PCR1, PCR2 and, when it is signed, PCR8 from the file alone.",
        ),
        "inspect": (
            "eif_inspect",
            "inspect",
            "Show everything an image file says, and whether it is built so that every reader sees the same image.",
        ),
        "verify": (
            "eif_verify",
            "verify",
            "Say whether an image is sound: every reader sees the same one, and nitro-cli takes it.",
        ),
        "diff": (
            "eif_diff",
            "diff",
            "Say which measurements of two images differ and why, down to the files in their ramdisks.",
        ),
        "build": (
            "eif_build",
            "build",
            "Build an image from files alone, without Docker, nitro-cli, root or network: same inputs, same bytes.",
        ),
        "sign": ("eif_sign", "sign", "Sign an image, or sign it again, and change nothing else in it."),
        "unsign": ("eif_unsign", "unsign", "Take the signature out of an image, and change nothing else in it."),
    },
)
