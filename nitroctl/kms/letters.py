"""Texts that are one but for the case of their letters, as IAM compares actions, condition keys and some values.

IAM says that case does not count there, and nothing of letters beyond ASCII. So only ASCII letters are surely one in
both cases; whether É and é are is open. Of the characters that KMS takes in a policy, none beyond ASCII is an ASCII
letter in another case: of a name in ASCII nothing is open. Source: IAM user guide, "IAM JSON policy elements: Action",
"Condition", "Condition operators"; KMS API reference, PutKeyPolicy (characters of a policy).
"""

import string
from typing import Final

from nitroctl.kms.truth import Truth

_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
#: What Unicode leaves of some letters when it folds their case.
_DOT_ABOVE: Final = "\u0307"


def folded(text: str) -> str:
    """Return ``text`` with its ASCII letters in lower case, and all others as they are."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def alike(one: str, other: str) -> Truth:
    """Return whether two texts are one but for case; open where that hangs on letters beyond ASCII."""
    if folded(one) == folded(other):
        return Truth.YES
    if len(one) != len(other) or (one.isascii() and other.isascii()):
        return Truth.NO
    return Truth.OPEN if perhaps(one) == perhaps(other) else Truth.NO


def perhaps(text: str) -> str:
    """Return what two texts have in common that are one but for case in any reading of letters beyond ASCII."""
    return text.upper().casefold().replace(_DOT_ABOVE, "")
