"""AWS, on demand: the only module that imports boto3, and only when an AWS call is to be made.

Credentials, profile, endpoints (``AWS_ENDPOINT_URL_KMS``), proxies and certificate bundle are boto3's own business and
come from where the AWS CLI takes them; the region comes from the ARN. Everything that botocore raises becomes
:class:`nitroctl.errors.AwsFailed` with AWS's error code and request id. What AWS says is untrusted text.
Source: AWS KMS API Reference, GetPublicKey and Sign; boto3 guide, "Configuration" and "Retries".
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from nitroctl import __version__
from nitroctl.errors import AwsFailed, CannotAnswer, UsageError

#: Seconds. A signature is one small request and answer; the connection is to the region's own endpoint.
CONNECT_TIMEOUT: Final = 5
READ_TIMEOUT: Final = 15
#: The first try and three more, with growing pauses (botocore's standard mode).
ATTEMPTS: Final = 4
_SAID_LIMIT: Final = 500

_ARN: Final = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):kms:(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):(?P<account>[0-9]{12})"
    r":(?P<kind>key|alias)[/:](?P<id>[A-Za-z0-9/_-]{1,256})"
)
#: By the length of the digest that is signed.
_ALGORITHMS: Final = {32: "ECDSA_SHA_256", 48: "ECDSA_SHA_384", 64: "ECDSA_SHA_512"}
_THROTTLED: Final = frozenset(
    {"ThrottlingException", "Throttling", "LimitExceededException", "TooManyRequestsException"}
)
_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_CREDENTIALS: Final = frozenset(
    {
        "ExpiredTokenException",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """A signing key in KMS. ``name``: its key ARN, never an alias. ``public_key``: DER SubjectPublicKeyInfo."""

    name: str
    public_key: bytes
    remarks: tuple[str, ...]
    client: Any

    def sign(self, digest: bytes) -> bytes:
        """Return a DER Ecdsa-Sig-Value over ``digest`` (32, 48 or 64 bytes). Raises AwsFailed."""
        with _calling("kms:Sign", self.name):
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
    match = _ARN.fullmatch(arn)
    if not match:
        raise UsageError(
            f"not the ARN of a KMS key: {arn!r}",
            "aws.key-arn",
            [
                "write arn:aws:kms:<region>:<12-digit account>:key/<id>",
                "for a file of that name write ./arn:...",
            ],
        )
    asked = f"{arn[: match.end('kind')]}/{match['id']}"  # nitro-cli lets a colon stand there, KMS does not
    client = _client("kms", match["region"])
    with _calling("kms:GetPublicKey", asked):
        answer = client.get_public_key(KeyId=asked)
        held, usage, public = str(answer["KeyId"]), str(answer["KeyUsage"]), bytes(answer["PublicKey"])
    if usage != "SIGN_VERIFY":
        raise AwsFailed(
            f"{asked}: not a key to sign with: its usage is {usage}",
            "aws.key-usage",
            ["make a KMS key with the usage SIGN_VERIFY and the type ECC_NIST_P384"],
        )
    if match["kind"] == "key":
        return KmsKey(name=asked, public_key=public, remarks=(), client=client)
    found = _ARN.fullmatch(held)
    if not found or found["kind"] != "key":
        raise AwsFailed(f"{asked}: KMS does not say which key that is: {_said(held)}", "aws.nonsense")
    remark = f"{asked} leads to {held} today; nitro-cli takes no alias: it would look for a file of that name"
    return KmsKey(name=held, public_key=public, remarks=(remark,), client=client)


def _client(service: str, region: str) -> Any:  # noqa: ANN401  (boto3 makes its classes when they are asked for)
    try:
        import boto3  # noqa: PLC0415  (a third of a second)
        from botocore.config import Config  # noqa: PLC0415
    except ImportError as error:
        raise CannotAnswer(
            "boto3 is not installed, without which no AWS call can be made", "aws.library", ["pip install boto3"]
        ) from error
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra=f"nitroctl/{__version__}",
    )
    with _calling(f"making a client of {service} in {region}", "AWS"):
        return boto3.session.Session().client(service, region_name=region, config=config)


@contextlib.contextmanager
def _calling(operation: str, subject: str) -> Iterator[None]:
    """Turn what botocore raises in the block into AwsFailed. ``subject``: what the call is about."""
    from botocore import exceptions as boto  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except boto.ClientError as error:
        raise _refused(operation, subject, error.response) from error
    except (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.MetadataRetrievalError,
        boto.SSOError,
        boto.TokenRetrievalError,
        boto.LoginError,
    ) as error:
        raise _failed(operation, subject, error, "aws.credentials", _SIGN_IN) from error
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise _failed(
            operation, subject, error, "aws.unreachable", "check network, proxy and AWS_ENDPOINT_URL_KMS"
        ) from error
    except boto.BotoCoreError as error:  # a profile that is not there, a configuration file that cannot be read
        raise _failed(
            operation, subject, error, "aws.configuration", "check AWS_PROFILE and the files in ~/.aws"
        ) from error
    except KeyError as error:
        missing = ValueError(f"the answer has no {error.args[0]}")
        raise _failed(operation, subject, missing, "aws.nonsense", _NOT_KMS) from error
    except (ResponseParserError, ValueError, TypeError) as error:  # an endpoint that is no URL; no JSON; no base64
        raise _failed(operation, subject, error, "aws.nonsense", _NOT_KMS) from error


_NOT_KMS: Final = "is AWS_ENDPOINT_URL_KMS the address of KMS?"
_SIGN_IN: Final = "sign in (aws sso login), name a profile in AWS_PROFILE, or give the instance a role"


def _failed(operation: str, subject: str, error: Exception, code: str, hint: str) -> AwsFailed:
    return AwsFailed(
        f"{subject}: {operation} failed: {_said(str(error) or type(error).__name__)}",
        code,
        [hint],
        {"operation": operation, "aws_code": type(error).__name__, "request_id": None},
    )


def _refused(operation: str, subject: str, response: Any) -> AwsFailed:  # noqa: ANN401  (botocore's own dict)
    """Return the error for an answer of AWS that is a refusal, with its code and the request's id."""
    aws_code = _said(str(response.get("Error", {}).get("Code", "unknown")))
    message = _said(str(response.get("Error", {}).get("Message", "")))
    metadata = response.get("ResponseMetadata", {})
    request_id = metadata.get("RequestId")
    kinds = (
        (
            _DENIED,
            "aws.access-denied",
            f"the caller needs {operation} on the key, in its IAM policy or the key's policy",
        ),
        (_THROTTLED, "aws.throttled", "wait a minute and repeat; KMS limits the requests of an account"),
        (_CREDENTIALS, "aws.credentials", _SIGN_IN),
    )
    code, hint = next(
        ((code, hint) for names, code, hint in kinds if aws_code in names),
        ("aws.refused", "the request id finds the call in CloudTrail"),
    )
    told = f" (request id {_said(str(request_id))})" if request_id else ""
    return AwsFailed(
        f"{subject}: {operation} was refused: {aws_code}{': ' if message else ''}{message}{told}",
        code,
        [hint],
        {
            "operation": operation,
            "aws_code": aws_code,
            "request_id": request_id and _said(str(request_id)),
            "http_status": metadata.get("HTTPStatusCode"),
        },
    )


def _said(text: str) -> str:
    """Return what AWS or botocore says, on one line of bounded length, without a final full stop."""
    return " ".join(text.split())[:_SAID_LIMIT].removesuffix(".")
