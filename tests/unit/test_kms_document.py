"""Policies as somebody wrote them: read strictly, with lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from nitroctl.errors import CannotAnswer
from nitroctl.kms import grants, places
from nitroctl.kms.document import Condition, Kind, Operator, Principal, operator, parse, read
from nitroctl.kms.grants import Grant
from nitroctl.kms.key_policy import Effect
from tests.kms_requests import identity, policy, statement

TEXT = """\
{
  "Version": "2012-10-17",
  "Id": "key",
  "Statement": [
    {"Sid": "two words", "Effect": "Allow",
     "Principal": {"AWS": ["a", "b"], "Service": "s"},
     "NotAction": "kms:Encrypt",
     "NotResource": ["x"],
     "Condition": {
       "ForAnyValue:StringLikeIfExists": {
         "kms:EncryptionContext:a b": ["1", true, 5],

         "other": "\\n\\u0022"
       }
     }
    },
    {"Effect": "Deny", "NotPrincipal": "*", "Action": [], "Resource": "*"}
  ]
}
"""


def test_everything_is_read_with_its_line() -> None:
    document = parse(TEXT, where="p.json")
    assert (document.where, document.version, document.id, document.kind) == ("p.json", "2012-10-17", "key", Kind.KEY)
    assert document.size == len(json.dumps(json.loads(TEXT), separators=(",", ":")))
    assert document.raw == json.loads(TEXT)
    first, second = document.statements
    assert (first.number, first.sid, first.label, first.line) == (1, "two words", "two words", 5)
    assert first.effect is Effect.ALLOW
    assert first.principal == Principal(aws=("a", "b"), services=("s",), line=6)
    assert (first.actions, first.not_actions) == ((), ("kms:Encrypt",))
    assert (first.resources, first.not_resources) == ((), ("x",))
    like = Operator("StringLike", "ForAnyValue", if_exists=True)
    assert first.conditions == (
        Condition(like, "kms:EncryptionContext:a b", ("1", "true", "5"), 11),
        Condition(like, "other", ('\n"',), 13),
    )
    assert (second.number, second.sid, second.label, second.line) == (2, "", "statement 2", 17)
    assert second.principal == Principal(aws=("*",), negated=True, line=17)
    assert (second.actions, second.resources, second.conditions) == ((), ("*",), ())


def test_one_statement_need_not_be_a_list() -> None:
    document = parse(json.dumps({"Statement": statement()}, indent=1), where="p")
    assert [each.number for each in document.statements] == [1]
    assert (document.statements[0].line, document.statements[0].principal.line) == (2, 4)
    assert (document.version, document.variables) == ("", False)


def test_what_the_aws_cli_prints_is_unwrapped() -> None:
    bare = json.loads(TEXT)
    wrapped = parse(json.dumps({"PolicyName": "default", "Policy": TEXT}, indent=1), where="p")
    assert wrapped.statements[1].line == wrapped.statements[0].conditions[1].line == 3
    assert [each.sid for each in wrapped.statements] == ["two words", ""]
    mine = {"Version": "2012-10-17", "Statement": [identity()]}
    for around in ({"RoleName": "r", "PolicyDocument": mine}, {"PolicyVersion": {"Document": mine}}, mine):
        document = parse(json.dumps(around, indent=1), where="p", kind=Kind.IDENTITY)
        assert [each.principal.aws for each in document.statements] == [()]
        assert document.statements[0].line > 2
    with pytest.raises(CannotAnswer) as caught:
        parse(json.dumps({"Policy": json.dumps(bare | {"Sid": 1})}), where="p")
    assert caught.value.message == "p: line 1: /Sid: 'Sid' is no member of a policy"


def test_an_operator_is_taken_apart() -> None:
    assert operator("StringEquals") == Operator("StringEquals")
    assert operator("forallvalues:StringLikeifexists") == Operator("StringLike", "ForAllValues", if_exists=True)
    assert operator("Nonsense:StringLike") == Operator("Nonsense:StringLike")
    assert operator("NullIfExists") == Operator("Null", if_exists=True)


REFUSED: dict[str, tuple[Any, str]] = {
    "list": ([], "line 1: /: not an object, as a policy must be"),
    "no-statement": ({"Version": "2012-10-17"}, "line 1: /: not a policy: no member Statement"),
    "statement-text": ({"Statement": "x"}, "line 1: /Statement: neither an object nor a list"),
    "statement-number": ({"Statement": [1]}, "line 1: /Statement/0: not an object, as a statement must be"),
    "version": ({"Version": "2012", "Statement": []}, "line 1: /Version: '2012' is no version of the policy language"),
    "version-number": ({"Version": 1, "Statement": []}, "line 1: /Version: not a string"),
    "member": (
        {"Statement": [], "statement": []},
        "/statement: 'statement' is no member of a policy; did you mean Statement?",
    ),
    "too-many": ({"Statement": [statement()] * 1001}, "/Statement: 1001 statements, more than any key policy can hold"),
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt": ({"action": "x"}, "/action: 'action' is no member of a statement; did you mean Action?"),
    "effect": ({"Effect": "allow"}, "/Effect: Effect is neither Allow nor Deny"),
    "effect-list": ({"Effect": ["Allow"]}, "/Effect: Effect is neither Allow nor Deny"),
    "no-effect": ({"Effect": None}, "/Effect: Effect is neither Allow nor Deny"),
    "no-principal": ({"Principal": None}, ": no Principal, which a statement of a key policy must have"),
    "principal-text": ({"Principal": "me"}, '/Principal: \'me\' alone is no principal: write "*", or {"AWS": …}'),
    "principal-kind": (
        {"Principal": {"aws": "*"}},
        "/Principal/aws: 'aws' is no member of principals; did you mean AWS?",
    ),
    "principal-value": ({"Principal": {"AWS": 1}}, "/Principal/AWS: neither a string nor a list of strings"),
    "both-principals": ({"NotPrincipal": "*"}, ": both Principal and NotPrincipal"),
    "both-actions": ({"NotAction": "x"}, ": both Action and NotAction"),
    "both-resources": ({"NotResource": "x"}, ": both Resource and NotResource"),
    "empty-not-action": (
        {"Action": None, "NotAction": []},
        "/NotAction: an empty list, which would match everything or nothing",
    ),
    "action": ({"Action": True}, "/Action: neither a string nor a list of strings"),
    "sid": ({"Sid": 1}, "/Sid: not a string"),
    "conditions": ({"Condition": []}, "/Condition: not an object, as conditions must be"),
    "operator": ({"Condition": {"Bool": "x"}}, "/Condition/Bool: not an object, as keys of an operator must be"),
    "value": ({"Condition": {"Bool": {"a/b": [None]}}}, "/Condition/Bool/a~1b: neither a string nor a list of strings"),
    "fraction": ({"Condition": {"Bool": {"a": 1.5}}}, "/Condition/Bool/a: neither a string nor a list of strings"),
}


@pytest.mark.parametrize("name", [*REFUSED, *BAD])
def test_what_is_no_policy_is_refused_with_its_place(name: str) -> None:
    if name in REFUSED:
        value, message = REFUSED[name]
    else:
        changes, end = BAD[name]
        value, message = {"Statement": [statement(), statement(**changes)]}, f"line 1: /Statement/1{end}"
    with pytest.raises(CannotAnswer) as caught:
        parse(json.dumps(value), where="p.json")
    assert caught.value.code == "kms.document"
    assert caught.value.message.startswith("p.json: line 1: /")
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"Statement": [], "Statement": []}', "json.duplicate-key"),
        ('{"Statement": [], "Version": NaN}', "json.not-a-number"),
        ("{", "json.syntax"),
        ("", "json.syntax"),
        ("[" * 100_000, "json.nesting"),
        ("\ufeff{}", "json.byte-order-mark"),
        ('{"Policy": "{\\"Statement\\": [], \\"Statement\\": []}"}', "json.duplicate-key"),
        ('{"Policy": 1}', "kms.document"),
    ],
)
def test_what_readers_could_understand_differently_is_refused(text: str, code: str) -> None:
    with pytest.raises(CannotAnswer) as caught:
        parse(text, where="p")
    assert caught.value.code == code


def test_an_identity_policy_has_no_principals() -> None:
    with pytest.raises(CannotAnswer, match="an identity policy has no principals; is it a key policy"):
        policy(statement(), kind=Kind.IDENTITY)


def test_a_file_is_read_within_a_bound(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(TEXT)
    assert read(str(file)).statements == parse(TEXT, where=str(file)).statements
    file.write_bytes(b'{"Statement": []}' + b" " * 2**20)
    with pytest.raises(CannotAnswer) as caught:
        read(str(file))
    assert caught.value.code == "file.too-large"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", {(): 1}),
        ("\n\n[]", {(): 3}),
        (
            '{"a":\n{"b":\n[1,\n[2]]}}',
            {(): 1, ("a",): 1, ("a", "b"): 2, ("a", "b", 0): 3, ("a", "b", 1): 4, ("a", "b", 1, 0): 4},
        ),
        ('[{},\n"x{[,:\\"",\n-1e5]', {(): 1, (0,): 1, (1,): 2, (2,): 3}),
        ('{"a\\u0062": 1,\n "": {}}', {(): 1, ("ab",): 1, ("",): 2}),
    ],
)
def test_lines_of_values(text: str, expected: dict[places.Path, int]) -> None:
    assert places.lines(text) == expected


def test_a_long_list_is_followed_in_one_pass() -> None:
    lines = places.lines("[\n" + ",\n".join(['"x"'] * 100_000) + "]")
    assert lines[(99_999,)] == 100_001


# Grants -----------------------------------------------------------------------------------------------------------


def test_grants_are_read_as_the_aws_cli_prints_them() -> None:
    listed = {
        "Grants": [
            {
                "GrantId": "g-1",
                "GranteePrincipal": "arn:aws:iam::111122223333:role/signer",
                "Operations": ["Decrypt", "RetireGrant"],
                "Constraints": {"EncryptionContextSubset": {"a": "1"}, "SourceArn": "x"},
                "KeyId": "k",
            },
            {"GranteeServicePrincipal": "ec2.amazonaws.com", "Operations": []},
        ],
        "Truncated": False,
    }
    assert grants.parse(json.dumps(listed), where="g.json") == (
        Grant(
            id="g-1",
            grantee="arn:aws:iam::111122223333:role/signer",
            operations=("Decrypt", "RetireGrant"),
            subset={"a": "1"},
            unknown=("SourceArn",),
        ),
        Grant(id="g.json: /Grants/1", grantee="ec2.amazonaws.com", operations=()),
    )


@pytest.mark.parametrize(
    "listed",
    [
        [],
        {},
        {"Grants": {}},
        {"Grants": [], "Truncated": True},
        {"Grants": [], "NextToken": "x"},
        {"Grants": ["x"]},
        {"Grants": [{"Operations": []}]},
        {"Grants": [{"GranteePrincipal": "x", "Operations": "Decrypt"}]},
        {"Grants": [{"GranteePrincipal": "x", "Operations": [], "Constraints": ["x"]}]},
        {"Grants": [{"GranteePrincipal": "x", "Operations": [], "Constraints": {"EncryptionContextEquals": {"a": 1}}}]},
    ],
)
def test_what_is_no_whole_list_of_grants_is_refused(listed: Any) -> None:
    with pytest.raises(CannotAnswer) as caught:
        grants.parse(json.dumps(listed), where="g.json")
    assert caught.value.code == "kms.grants"
