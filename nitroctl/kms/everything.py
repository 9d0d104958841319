"""The worst IAM policy that a caller can have, for whoever asks what a key policy does by itself."""

from typing import Final

from nitroctl.kms.document import Kind, PolicyDocument, parse

_EVERYTHING: Final = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'


def everything() -> PolicyDocument:
    """Return an IAM policy that allows everything."""
    return parse(_EVERYTHING, where="an IAM policy that allows everything", kind=Kind.IDENTITY)
