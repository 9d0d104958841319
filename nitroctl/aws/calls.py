"""AWS, on demand: making a client, and what botocore raises in our words. Nothing of boto3 is loaded before a call.

Credentials, profile, endpoints (``AWS_ENDPOINT_URL_KMS``), proxies and certificate bundle are boto3's own business and
come from where the AWS CLI takes them; the region comes from the ARN. Everything that botocore raises becomes
:class:`nitroctl.errors.AwsFailed` with AWS's error code and request id. What AWS says is untrusted text.
Source: boto3 guide, "Configuration" and "Retries"; AWS KMS API Reference, "Common Errors" and each operation's errors.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nitroctl import __version__
from nitroctl.errors import AwsFailed, CannotAnswer, UsageError

#: Seconds. A call is one small request and answer; the connection is to the region's own endpoint.
CONNECT_TIMEOUT: Final = 5
READ_TIMEOUT: Final = 15
#: The first try and three more, with growing pauses (botocore's standard mode). It tries again when it is throttled
#: and when the service fails or times out (KMSInternalException, DependencyTimeoutException).
ATTEMPTS: Final = 4
_SAID_LIMIT: Final = 500

#: Of a key or an alias, in the partitions that nitro-cli signs in.
KEY_ARN: Final = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):kms:(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):(?P<account>[0-9]{12})"
    r":(?P<kind>key|alias)[/:](?P<id>[A-Za-z0-9/_-]{1,256})"
)
_SIGN_IN: Final = "sign in (aws sso login), name a profile in AWS_PROFILE, or give the instance a role"
_NOT_IT: Final = "is AWS_ENDPOINT_URL_{variable} the address of {service}?"
_TRACE: Final = "the request id finds the call in CloudTrail"
#: What people call a service, by its prefix in policies.
_SERVICES: Final = {"kms": "KMS", "sts": "STS", "cloudtrail": "CloudTrail"}
#: AWS's error code -> ours, and what to do; ``{operation}`` is the call, ``{service}`` what was called, ``{where}`` it
#: is allowed.
_REFUSALS: Final = {
    **dict.fromkeys(
        ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"),
        ("aws.access-denied", "the caller needs {operation} {where}"),
    ),
    **dict.fromkeys(
        ("ThrottlingException", "Throttling", "TooManyRequestsException"),
        ("aws.throttled", "wait a minute and repeat; {service} limits the requests of an account"),
    ),
    **dict.fromkeys(
        (
            "ExpiredTokenException",
            "ExpiredToken",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        ("aws.credentials", _SIGN_IN),
    ),
    "NotFoundException": (
        "aws.not-found",
        "check region, account and id; KMS knows no such key, alias or policy there",
    ),
    **dict.fromkeys(
        ("KMSInvalidStateException", "DisabledException"),
        ("aws.key-state", "nitroctl kms show tells the key's state; enable it, or cancel its deletion"),
    ),
    **dict.fromkeys(
        ("DependencyTimeoutException", "KMSInternalException", "InternalFailure", "ServiceUnavailable"),
        ("aws.unavailable", "{service} failed four times: wait and repeat; the AWS Health Dashboard tells of trouble"),
    ),
    "MalformedPolicyDocumentException": ("aws.policy-malformed", "nitroctl kms lint POLICY says what KMS cannot take"),
    "LimitExceededException": ("aws.limit", "a key policy may have 32,768 bytes: nitroctl kms lint POLICY measures it"),
}
#: How KMS says that a role or user of the policy is not there, or not there yet.
_INVALID_PRINCIPALS: Final = "invalid principals"


def not_an_arn(text: str, hints: Sequence[str] = ()) -> UsageError:
    """Return the error for what should have been the ARN of a KMS key or alias."""
    return UsageError(
        f"not the ARN of a KMS key: {text!r}",
        "aws.key-arn",
        ["write arn:aws:kms:<region>:<12-digit account>:key/<id>", *hints],
    )


def client(service: str, region: str) -> Any:  # noqa: ANN401  (boto3 makes its classes when they are asked for)
    """Return boto3's client of an AWS service in a region. Raises CannotAnswer ``aws.library``, AwsFailed ``aws.*``."""
    try:
        import boto3  # noqa: PLC0415, F401  (a third of a second)
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
    with calling(f"making a client of {service} in {region}", "AWS", service=service):
        return _session(_environment()).client(service, region_name=region, config=config)


def _environment() -> frozenset[tuple[str, str]]:
    """Return what of the environment decides about a session."""
    return frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_") or name == "HOME")


@functools.lru_cache(maxsize=1)
def _session(_environment: frozenset[tuple[str, str]]) -> Any:  # noqa: ANN401  (boto3's class)
    """Return boto3's session; the same one while the environment is the same, for it reads large files each time."""
    import boto3  # noqa: PLC0415

    return boto3.session.Session()


@contextlib.contextmanager
def calling(operation: str, subject: str, *, service: str = "") -> Iterator[None]:
    """Turn what botocore raises in the block into AwsFailed ``aws.*``.

    ``operation``: the call, as a policy allows it (``kms:GetKeyPolicy``). ``subject``: what the call is about.
    ``service``: the prefix of what is called, where the operation does not begin with it.
    """
    words = _words(operation, service)
    from botocore import exceptions as boto  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except boto.ClientError as error:
        raise _refused(operation, subject, error.response, words) from error
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
            operation,
            subject,
            error,
            "aws.unreachable",
            "check network, proxy and AWS_ENDPOINT_URL_{variable}".format_map(words),
        ) from error
    except boto.PaginationError as error:
        raise _failed(operation, subject, error, "aws.nonsense", _NOT_IT.format_map(words)) from error
    except boto.BotoCoreError as error:  # a profile that is not there, a configuration file that cannot be read
        raise _failed(
            operation, subject, error, "aws.configuration", "check AWS_PROFILE and the files in ~/.aws"
        ) from error
    except KeyError as error:
        missing = ValueError(f"the answer has no {error.args[0]}")
        raise _failed(operation, subject, missing, "aws.nonsense", _NOT_IT.format_map(words)) from error
    except (ResponseParserError, ValueError, TypeError) as error:  # an endpoint that is no URL; no JSON; no base64
        raise _failed(operation, subject, error, "aws.nonsense", _NOT_IT.format_map(words)) from error
    except (AttributeError, OverflowError, RuntimeError) as error:
        # What botocore's reader makes of a text for an object, of too deep a nesting, of a time that is none.
        odd = ValueError("the answer is not of the form that it has from AWS")
        raise _failed(operation, subject, odd, "aws.nonsense", _NOT_IT.format_map(words)) from error


def _words(operation: str, service: str) -> Mapping[str, str]:
    """Return what hints name of a call: itself, its service, the service's endpoint, where it is allowed."""
    prefix = service or operation.partition(":")[0]
    return {
        "operation": operation,
        "service": _SERVICES.get(prefix, prefix),
        "variable": prefix.upper(),
        "where": "on the key, in its IAM policy or the key's policy" if prefix == "kms" else "in its IAM policy",
    }


def _failed(operation: str, subject: str, error: Exception, code: str, hint: str) -> AwsFailed:
    return AwsFailed(
        f"{subject}: {operation} failed: {said(str(error) or type(error).__name__)}",
        code,
        [hint],
        {"operation": operation, "aws_code": type(error).__name__, "request_id": None},
    )


def _refused(
    operation: str,
    subject: str,
    response: Any,  # noqa: ANN401  (botocore's own dict)
    words: Mapping[str, str],
) -> AwsFailed:
    """Return the error for an answer of AWS that is a refusal, with its code and the request's id."""
    aws_code = said(str(response.get("Error", {}).get("Code", "unknown")))
    message = said(str(response.get("Error", {}).get("Message", "")))
    metadata = response.get("ResponseMetadata", {})
    request_id = metadata.get("RequestId")
    code, hint = _REFUSALS.get(aws_code, ("aws.refused", _TRACE))
    if code == "aws.policy-malformed" and _INVALID_PRINCIPALS in message.lower():
        code, hint = "aws.invalid-principals", "a role or user that the policy names is not there, or is new: wait"
    told = f" (request id {said(str(request_id))})" if request_id else ""
    return AwsFailed(
        f"{subject}: {operation} was refused: {aws_code}{': ' if message else ''}{message}{told}",
        code,
        [hint.format_map(words)],
        {
            "operation": operation,
            "aws_code": aws_code,
            "request_id": request_id and said(str(request_id)),
            "http_status": metadata.get("HTTPStatusCode"),
        },
    )


def said(text: str) -> str:
    """Return what AWS or botocore says, on one line of bounded length, without a final full stop."""
    return " ".join(text.split())[:_SAID_LIMIT].removesuffix(".")
