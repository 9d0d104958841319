"""Asking KMS for data without attestation, as a dry run: what it must refuse.

A dry run is authorised as the call itself and answers DryRunOperationException where the call would have succeeded. It
is billed and logged. Decrypt's dry run needs no ciphertext where botocore knows DryRunModifiers (IGNORE_CIPHERTEXT);
with an older one a ciphertext has to be given, and without one nothing is asked. Plaintext, should a service take no
notice of the dry run, is neither kept nor shown. Source: KMS API reference, Decrypt, GenerateDataKey and
GenerateDataKeyPair; KMS Developer Guide, "Testing your permissions".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nitroctl.aws.calls import calling, client
from nitroctl.errors import AwsFailed, CannotAnswer
from nitroctl.kms.live import LiveKey
from nitroctl.kms.verify import Probed, Said

_WOULD: Final = "DryRunOperationException"
_DENIED: Final = "aws.access-denied"
_IGNORE: Final = "IGNORE_CIPHERTEXT"
_SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
_RSA: Final = "RSAES_OAEP_SHA_256"
_METHODS: Final = {
    "Decrypt": "decrypt",
    "GenerateDataKey": "generate_data_key",
    "GenerateDataKeyPair": "generate_data_key_pair",
}


def unattested(
    live: LiveKey, operations: Sequence[str], context: Mapping[str, str], ciphertext: bytes | None
) -> tuple[Probed, ...]:
    """Return what KMS answers to each of the operations on ``live`` without attestation, asked as a dry run.

    ``ciphertext``: for Decrypt; None asks without one. Raises CannotAnswer ``aws.library``, ``kms.no-dry-run``, before
    anything is asked.
    """
    if not operations:
        return ()
    service = client("kms", live.region)
    bodies = {operation: _body(service, live, operation, ciphertext) for operation in operations}
    with_context = {"EncryptionContext": dict(context)} if context and live.spec == _SYMMETRIC else {}
    return tuple(_asked(service, live, operation, body | with_context) for operation, body in bodies.items())


def _asked(service: Any, live: LiveKey, operation: str, body: Mapping[str, Any]) -> Probed:  # noqa: ANN401  (boto3's)
    try:
        with calling(f"kms:{operation}", live.arn):
            getattr(service, _METHODS[operation])(KeyId=live.arn, DryRun=True, **body)
    except AwsFailed as error:
        if error.details.get("aws_code") == _WOULD:
            return Probed(operation=operation, said=Said.WOULD)
        if error.code == _DENIED:
            return Probed(operation=operation, said=Said.REFUSED)
        return Probed(operation=operation, said=Said.FAILED, error=error)
    return Probed(operation=operation, said=Said.DID)


def _body(
    service: Any,  # noqa: ANN401  (boto3's class)
    live: LiveKey,
    operation: str,
    ciphertext: bytes | None,
) -> dict[str, Any]:
    """Return what an operation is asked with, beside the key and the context. Raises CannotAnswer."""
    if operation != "Decrypt":
        return {"KeySpec": "AES_256"} if operation == "GenerateDataKey" else {"KeyPairSpec": "ECC_NIST_P256"}
    members = service.meta.service_model.operation_model(operation).input_shape.members
    if "DryRun" not in members or (ciphertext is None and "DryRunModifiers" not in members):
        raise CannotAnswer(
            "the installed botocore cannot ask for a dry run of Decrypt without a ciphertext",
            "kms.no-dry-run",
            ["pip install --upgrade boto3", "or give something that was encrypted under the key: --ciphertext FILE"],
        )
    body: dict[str, Any] = {"DryRunModifiers": [_IGNORE]} if ciphertext is None else {"CiphertextBlob": ciphertext}
    return body if live.spec == _SYMMETRIC else body | {"EncryptionAlgorithm": _RSA}
