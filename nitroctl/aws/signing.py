"""A signing key that lives in KMS: its public half, and signatures over digests.

Source: AWS KMS API Reference, GetPublicKey and Sign.
"""

from dataclasses import dataclass
from typing import Any, Final

from nitroctl.aws.calls import KEY_ARN, calling, client, not_an_arn, said
from nitroctl.errors import AwsFailed

#: By the length of the digest that is signed.
_ALGORITHMS: Final = {32: "ECDSA_SHA_256", 48: "ECDSA_SHA_384", 64: "ECDSA_SHA_512"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """A signing key in KMS. ``name``: its key ARN, never an alias. ``public_key``: DER SubjectPublicKeyInfo."""

    name: str
    public_key: bytes
    remarks: tuple[str, ...]
    client: Any

    def sign(self, digest: bytes) -> bytes:
        """Return a DER Ecdsa-Sig-Value over ``digest`` (32, 48 or 64 bytes). Raises AwsFailed."""
        with calling("kms:Sign", self.name):
            answer = self.client.sign(
                KeyId=self.name,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm=_ALGORITHMS[len(digest)],
            )
            return bytes(answer["Signature"])


def kms_key(arn: str) -> KmsKey:
    """Return the signing key that a key ARN or an alias ARN names, after asking KMS for its public half.

    What an alias leads to is looked up once, and that key signs. Raises UsageError ``aws.key-arn``, AwsFailed
    ``aws.key-usage``, and every other ``aws.*`` for a call that fails.
    """
    match = KEY_ARN.fullmatch(arn)
    if not match:
        raise not_an_arn(arn, ["for a file of that name write ./arn:..."])
    asked = f"{arn[: match.end('kind')]}/{match['id']}"  # nitro-cli lets a colon stand there, KMS does not
    service = client("kms", match["region"])
    with calling("kms:GetPublicKey", asked):
        answer = service.get_public_key(KeyId=asked)
        held, usage, public = str(answer["KeyId"]), str(answer["KeyUsage"]), bytes(answer["PublicKey"])
    if usage != "SIGN_VERIFY":
        raise AwsFailed(
            f"{asked}: not a key to sign with: its usage is {usage}",
            "aws.key-usage",
            ["make a KMS key with the usage SIGN_VERIFY and the type ECC_NIST_P384"],
        )
    if match["kind"] == "key":
        return KmsKey(name=asked, public_key=public, remarks=(), client=service)
    found = KEY_ARN.fullmatch(held)
    if not found or found["kind"] != "key":
        raise AwsFailed(f"{asked}: KMS does not say which key that is: {said(held)}", "aws.nonsense")
    remark = f"{asked} leads to {held} today; nitro-cli takes no alias: it would look for a file of that name"
    return KmsKey(name=held, public_key=public, remarks=(remark,), client=service)
