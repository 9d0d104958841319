"""AWS on demand: nothing of it is loaded by what is offline, and what botocore raises is told in our words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from nitroctl import aws
from nitroctl.errors import AwsFailed, CannotAnswer, NitroctlError, UsageError
from tests import images
from tests.conftest import ROOT
from tests.fakes import kms_signing
from tests.fakes.kms_signing import ALIAS, ARN, Kms
from tests.images import forge


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    with kms_signing.running(Kms(images.pair()[0])) as service:
        kms_signing.reachable(service, monkeypatch)
        yield service


def test_the_requests_say_who_asks_and_nothing_of_the_image(kms: Kms) -> None:
    key = aws.kms_key(ARN)
    value = key.sign(bytes(48))
    kms.key.public_key().verify(value, bytes(48), ec.ECDSA(utils.Prehashed(hashes.SHA384())))
    assert key.name == ARN
    assert kms.requests == [
        ("GetPublicKey", {"KeyId": ARN}),
        (
            "Sign",
            {"KeyId": ARN, "Message": "A" * 64, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_384"},
        ),
    ]
    assert all("nitroctl/" in headers["User-Agent"] for headers in kms.headers)


@pytest.mark.parametrize(
    ("curve", "size", "algorithm"),
    [("secp256r1", 32, "ECDSA_SHA_256"), ("secp384r1", 48, "ECDSA_SHA_384"), ("secp521r1", 64, "ECDSA_SHA_512")],
)
def test_the_length_of_the_digest_names_the_algorithm(
    curve: str, size: int, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kms_signing.running(Kms(images.pair(curve)[0])) as service:
        kms_signing.reachable(service, monkeypatch)
        aws.kms_key(ARN).sign(bytes(size))
        assert service.requests[-1][1]["SigningAlgorithm"] == algorithm


def test_the_region_is_that_of_the_arn_whatever_the_environment_says(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    assert aws.kms_key(ARN).name == ARN  # the service takes signatures for its region only
    assert kms.operations == ["GetPublicKey"]


def test_a_colon_before_the_id_is_written_as_kms_takes_it(kms: Kms) -> None:
    """nitro-cli takes it, KMS does not."""
    assert aws.kms_key(ARN.replace("key/", "key:")).name == ARN
    assert kms.requests[0][1] == {"KeyId": ARN}


@pytest.mark.parametrize("held", ["", ALIAS, "1234abcd", f"{ARN}\x1b[31m"])
def test_an_alias_that_leads_to_no_key_arn_is_refused(kms: Kms, held: str) -> None:
    kms.knobs.replace["GetPublicKey"] = lambda answer: {**answer, "KeyId": held}
    with pytest.raises(AwsFailed) as caught:
        aws.kms_key(ALIAS)
    assert caught.value.code == "aws.nonsense"
    assert caught.value.message.startswith(f"{ALIAS}: KMS does not say which key that is: ")


@pytest.mark.parametrize(
    ("partition", "region"), [("aws", "eu-west-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]
)
def test_the_partitions_that_nitro_cli_signs_in_are_taken(
    partition: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def client(service: str, region: str) -> Any:
        asked.append((service, region))
        raise AwsFailed("far enough", "aws.unreachable")

    monkeypatch.setattr("nitroctl.aws.signing.client", client)
    with pytest.raises(AwsFailed):
        aws.kms_key(f"arn:{partition}:kms:{region}:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab")
    assert asked == [("kms", region)]


def test_an_arn_of_something_else_is_a_wrong_invocation() -> None:
    with pytest.raises(UsageError) as caught:
        aws.kms_key("arn:aws:kms:eu-west-1:123456789012:grant/1")
    assert (caught.value.code, caught.value.message) == (
        "aws.key-arn",
        "not the ARN of a KMS key: 'arn:aws:kms:eu-west-1:123456789012:grant/1'",
    )
    assert caught.value.hints == (
        "write arn:aws:kms:<region>:<12-digit account>:key/<id>",
        "for a file of that name write ./arn:...",
    )


def test_a_key_that_is_not_for_signing_is_refused(kms: Kms) -> None:
    kms.knobs.replace["GetPublicKey"] = lambda answer: {**answer, "KeyUsage": "KEY_AGREEMENT"}
    with pytest.raises(AwsFailed) as caught:
        aws.kms_key(ARN)
    assert (caught.value.code, caught.value.message) == (
        "aws.key-usage",
        f"{ARN}: not a key to sign with: its usage is KEY_AGREEMENT",
    )


RAISED: list[tuple[Exception, str]] = [
    (boto.NoCredentialsError(), "aws.credentials"),
    (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "aws.credentials"),
    (boto.CredentialRetrievalError(provider="custom-process", error_msg="no"), "aws.credentials"),
    (boto.UnauthorizedSSOTokenError(), "aws.credentials"),
    (boto.SSOTokenLoadError(error_msg="no"), "aws.credentials"),
    (boto.TokenRetrievalError(provider="sso", error_msg="no"), "aws.credentials"),
    (boto.MetadataRetrievalError(error_msg="no"), "aws.credentials"),
    (boto.EndpointConnectionError(endpoint_url="https://kms", error="no"), "aws.unreachable"),
    (boto.ConnectTimeoutError(endpoint_url="https://kms"), "aws.unreachable"),
    (boto.ReadTimeoutError(endpoint_url="https://kms"), "aws.unreachable"),
    (boto.SSLError(endpoint_url="https://kms", error="no"), "aws.unreachable"),
    (boto.ProxyConnectionError(proxy_url="http://proxy", error="no"), "aws.unreachable"),
    (boto.ProfileNotFound(profile="nobody"), "aws.configuration"),
    (boto.ConfigParseError(path="/root/.aws/config"), "aws.configuration"),
    (ResponseParserError("no"), "aws.nonsense"),
    (KeyError("PublicKey"), "aws.nonsense"),
    (ValueError("Invalid endpoint: x"), "aws.nonsense"),
]


@pytest.mark.parametrize(("error", "code"), RAISED, ids=lambda value: type(value).__name__)
def test_what_botocore_raises_is_told_in_our_words(error: Exception, code: str) -> None:
    with pytest.raises(AwsFailed) as caught, aws.calling("kms:Sign", ARN):
        raise error
    assert caught.value.code == code
    assert caught.value.__cause__ is error
    assert caught.value.message.startswith(f"{ARN}: kms:Sign failed: ")
    assert "\n" not in caught.value.message
    assert caught.value.details["operation"] == "kms:Sign"
    assert caught.value.hints


def refusal(code: str, message: str = "no", **metadata: object) -> AwsFailed:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    with pytest.raises(AwsFailed) as caught, aws.calling("kms:Sign", ARN):
        raise boto.ClientError(response, "Sign")
    return caught.value


@pytest.mark.parametrize(
    ("aws_code", "code"),
    [
        ("AccessDeniedException", "aws.access-denied"),
        ("ThrottlingException", "aws.throttled"),
        ("ExpiredTokenException", "aws.credentials"),
        ("UnrecognizedClientException", "aws.credentials"),
        ("InvalidSignatureException", "aws.credentials"),
        ("KMSInvalidStateException", "aws.key-state"),
        ("DisabledException", "aws.key-state"),
        ("NotFoundException", "aws.not-found"),
        ("LimitExceededException", "aws.limit"),
        ("DependencyTimeoutException", "aws.unavailable"),
        ("KMSInternalException", "aws.unavailable"),
        ("MalformedPolicyDocumentException", "aws.policy-malformed"),
        ("UnsupportedOperationException", "aws.refused"),
        ("", "aws.refused"),
    ],
)
def test_a_refusal_has_the_code_of_aws_and_the_request_id(aws_code: str, code: str) -> None:
    error = refusal(aws_code, RequestId="id-1", HTTPStatusCode=400)
    assert error.code == code
    assert error.details == {"operation": "kms:Sign", "aws_code": aws_code, "request_id": "id-1", "http_status": 400}
    assert error.message == f"{ARN}: kms:Sign was refused: {aws_code}: no (request id id-1)"


def test_what_aws_says_is_bounded_and_on_one_line() -> None:
    error = refusal("X\nY", "a\n\nb " * 1000)
    assert "\n" not in error.message
    assert len(error.message) < 700
    assert error.details["request_id"] is None
    assert error.details["aws_code"] == "X Y"


def test_without_boto3_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(CannotAnswer) as caught:
        aws.kms_key(ARN)
    assert (caught.value.code, caught.value.hints) == ("aws.library", ("pip install boto3",))


def loaded(script: str, cwd: Path) -> tuple[int, set[str]]:
    """Return the status that ``script`` ends with, and what of AWS's libraries its process has loaded."""
    tail = "\nprint(json.dumps([status, sorted(name for name in sys.modules if 'boto' in name)]))\n"
    start = "import io, json, sys\nfrom contextlib import redirect_stdout\n"
    done = subprocess.run(
        [sys.executable, "-c", start + script + tail], capture_output=True, text=True, check=True, cwd=cwd, timeout=60
    )
    status, names = json.loads(done.stdout)
    return status, set(names)


@pytest.mark.parametrize("verb", ["sign", "unsign"])
def test_signing_with_a_key_in_a_file_loads_nothing_of_aws(tmp_path: Path, verb: str) -> None:
    (tmp_path / "image.eif").write_bytes(forge())
    for name, content in zip(("key.pem", "certificate.pem"), images.pair(), strict=True):
        (tmp_path / name).write_bytes(content)
    argv = ["nitroctl", "eif", verb, "image.eif", "--json"]
    argv += ["--private-key", "key.pem", "--signing-certificate", "certificate.pem"] if verb == "sign" else []
    script = (
        "from nitroctl.__main__ import main\n"
        f"sys.argv = {argv!r}\n"
        "with redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding='utf-8')):\n"
        "    status = main()\n"
    )
    assert loaded(script, tmp_path) == (0, set())


def test_the_module_itself_loads_nothing_of_aws() -> None:
    assert loaded("import nitroctl.aws\nstatus = 0\n", ROOT) == (0, set())


def test_every_error_here_is_ours() -> None:
    assert issubclass(AwsFailed, NitroctlError)
    assert AwsFailed("x", "aws.refused").exit_code == 5
