"""What a statement about a document rests on."""

from enum import StrEnum


class Standing(StrEnum):
    """How firmly a derived item stands, apart from whether the document is authentic."""

    #: A field of the document, or of its certificates, says it.
    STATED = "stated"
    #: AWS documents how to read it.
    DOCUMENTED = "documented"
    #: True of every AWS-signed document known to us, and promised nowhere.
    HABIT = "undocumented habit"
    #: Concluded from the shape of bytes.
    GUESS = "guess"
