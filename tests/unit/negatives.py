"""The lab's documents under the names by which the tests of evidence know them."""

from nitroctl.standin.lab import CASES
from nitroctl.standin.lab_change import (
    AT,
    INSTANCE,
    MODULE_ID,
    NONCE,
    PCRS,
    REGION,
    Case,
    Change,
    accepted,
    flip,
    good_chain,
    make,
    other_chain,
    root,
)

Negative = Case
#: Those that are refused when judged, leniently, at their own time.
NEGATIVES = [case for case in CASES if not case.accepted and not case.strict and case.at == AT]

__all__ = [
    "AT",
    "INSTANCE",
    "MODULE_ID",
    "NEGATIVES",
    "NONCE",
    "PCRS",
    "REGION",
    "Case",
    "Change",
    "Negative",
    "accepted",
    "flip",
    "good_chain",
    "make",
    "other_chain",
    "root",
]
