"""Condition keys by how many values a request has of them: a set operator meets one value of a key that has one.

Only what is documented to have one value is taken to have one; of a key that is not listed here a request may have
several. Source: IAM user guide, "AWS global condition context keys" (value types); KMS Developer Guide, "AWS KMS
condition keys".
"""

from typing import Final

CONTEXT: Final = "kms:encryptioncontext:"
CONTEXT_KEYS: Final = "kms:encryptioncontextkeys"
OPERATIONS: Final = "kms:grantoperations"
#: Keys that have several values, whatever the operator.
_SEVERAL: Final = frozenset(
    {
        CONTEXT_KEYS,
        OPERATIONS,
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:principalservicenameslist",
        "aws:resourceorgpaths",
        "aws:sourceorgpaths",
        "aws:tagkeys",
        "aws:vpceorgpaths",
        "kms:resourcealiases",
    }
)
#: Keys that are documented to have one value, so that a set operator meets no more than that. Of any other it may.
_SINGLE: Final = frozenset(
    {
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:multifactorauthage",
        "aws:multifactorauthpresent",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principalorgid",
        "aws:principalservicename",
        "aws:principaltype",
        "aws:referer",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:resourceorgid",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceidentity",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourcevpc",
        "aws:sourcevpcarn",
        "aws:sourcevpce",
        "aws:tokenissuetime",
        "aws:useragent",
        "aws:userid",
        "aws:username",
        "aws:viaawsservice",
        "aws:vpceaccount",
        "aws:vpceorgid",
        "aws:vpcsourceip",
        "kms:bypasspolicylockoutsafetycheck",
        "kms:calleraccount",
        "kms:encryptionalgorithm",
        "kms:granteeprincipal",
        "kms:grantisforawsresource",
        "kms:keyorigin",
        "kms:keyspec",
        "kms:keyusage",
        "kms:multiregion",
        "kms:multiregionkeytype",
        "kms:reencryptonsamekey",
        "kms:replicaregion",
        "kms:requestalias",
        "kms:retiringprincipal",
        "kms:viaservice",
    }
)
#: Not an encryption context: names that differ in case only are one key, and a call may have several of them.
_SINGLE_OF: Final = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")


def several(key: str) -> bool:
    """Whether a key, in lower case, may have several values under any operator."""
    return key in _SEVERAL


def single(key: str) -> bool:
    """Whether a key, in lower case, has one value when it is there."""
    return key in _SINGLE or key.startswith(_SINGLE_OF)
