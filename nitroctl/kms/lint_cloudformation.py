"""Key policies of a CloudFormation template, in JSON or YAML.

``Ref``, ``Fn::Sub``, ``Fn::Join`` and ``Fn::GetAtt … Arn`` are followed as far as the template says what they are; what
it does not say has to be given, or is an error. The account is written 000000000000, and a role made by the template is
called by its logical name. Source: AWS CloudFormation template reference, AWS::KMS::Key and AWS::KMS::ReplicaKey,
intrinsic functions, pseudo parameters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from nitroctl import strict_json
from nitroctl.errors import CannotAnswer, NitroctlError
from nitroctl.kms import document, lint_sources, places
from nitroctl.kms.lint_key import KeyFacts
from nitroctl.kms.lint_reading import SOME_ACCOUNT
from nitroctl.kms.lint_sources import Source, Subject

_ACCOUNT: Final = SOME_ACCOUNT
_PSEUDO: Final = {
    "AWS::AccountId": _ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
}
_KEYS: Final = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey")
_SUBSTITUTED: Final = re.compile(r"\$\{(!?)([A-Za-z0-9:.]+)\}")
#: No template has as many values: CloudFormation takes 1 MB. Anchors in YAML could multiply without end.
_VALUES: Final = 100_000
_LIMIT: Final = 4 * 1024 * 1024


def from_json(
    template: Mapping[str, Any], text: str, *, path: str, where: str, parameters: Mapping[str, str]
) -> Source:
    """Return the policies of the keys in a template. Raises CannotAnswer ``kms.template`` when there is no key."""
    return _Template(template, places.lines(text), path, where, parameters).source()


def from_yaml(text: str, *, path: str, where: str, parameters: Mapping[str, str]) -> Source:
    """Return the policies of the keys in a template. Raises CannotAnswer ``kms.template``."""
    if len(text) > _LIMIT:
        raise CannotAnswer(f"{where}: larger than any template", "kms.template")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        reader = _Yaml(where)
        value = reader.value(node, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CannotAnswer(f"{where}: line {line}: not YAML: {error.problem}", "kms.template") from error
    except yaml.YAMLError as error:
        raise CannotAnswer(f"{where}: not YAML: a character it may not have", "kms.template") from error
    except (ValueError, OverflowError) as error:
        message = f"{where}: not YAML: a number that is too large for what it stands for"
        raise CannotAnswer(message, "kms.template") from error
    except RecursionError as error:
        raise CannotAnswer(f"{where}: nested too deeply to be a template", "kms.template") from error
    if not isinstance(value, dict) or not isinstance(value.get("Resources"), dict):
        raise CannotAnswer(f"{where}: not a template: no Resources", "kms.template")
    return _Template(value, reader.lines, path, where, parameters).source()


class _Yaml:
    """Turns YAML into what the same template would be in JSON, and notes on which line everything stands."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: dict[places.Path, int] = {}
        self._left = _VALUES

    def value(self, node: yaml.Node | None, path: places.Path) -> Any:  # noqa: ANN401  (JSON)
        if node is None:
            return None
        self._left -= 1
        line = node.start_mark.line + 1
        if self._left < 0:
            raise CannotAnswer(f"{self.where}: line {line}: its anchors multiply without end", "kms.template")
        self.lines.setdefault(path, line)
        plain: Any
        if isinstance(node, yaml.MappingNode):
            plain = self._members(node, path)
        elif isinstance(node, yaml.SequenceNode):
            plain = [self.value(each, (*path, number)) for number, each in enumerate(node.value)]
        else:
            plain = self._scalar(node)
        if not node.tag.startswith("!"):
            return plain
        name = node.tag[1:]
        if name == "GetAtt" and isinstance(plain, str):
            plain = plain.split(".", 1)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": plain}

    def _members(self, node: yaml.MappingNode, path: places.Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value in found or key.tag.endswith(":merge"):
                what = "a key twice, a merge, or no text as key"
                raise CannotAnswer(f"{self.where}: line {line}: {what}", "kms.template", ["write each key once"])
            self.lines[(*path, key.value)] = line
            found[key.value] = self.value(inner, (*path, key.value))
        return found

    @staticmethod
    def _scalar(node: yaml.Node) -> object:
        text = str(node.value)
        if node.tag.endswith(":bool"):
            return text.lower() in ("true", "yes", "on")
        if node.tag.endswith(":null"):
            return None
        return text


@dataclass(frozen=True, slots=True)
class _Template:
    value: Mapping[str, Any]
    lines: Mapping[places.Path, int]
    path: str
    where: str
    parameters: Mapping[str, str]

    def source(self) -> Source:
        subjects: list[Subject] = []
        troubles: list[NitroctlError] = []
        for name, resource in self.value["Resources"].items():
            if isinstance(resource, dict) and resource.get("Type") in _KEYS:
                try:
                    subjects.append(self._subject(name, resource))
                except CannotAnswer as error:
                    troubles.append(error)
        if not subjects and not troubles:
            raise lint_sources.no_keys(self.where, "template")
        return Source(path=self.path, kind="cloudformation", subjects=tuple(subjects), troubles=tuple(troubles))

    def _subject(self, name: str, resource: Mapping[str, Any]) -> Subject:
        properties = resource.get("Properties", {})
        if not isinstance(properties, dict):
            raise self._refused(("Resources", name, "Properties"), "not an object")
        inside: places.Path = ("Resources", name, "Properties")
        plain = {
            key: self._plain(value, (*inside, key))
            for key, value in properties.items()
            if key in ("KeyPolicy", "KeyUsage", "Origin", "MultiRegion", "BypassPolicyLockoutSafetyCheck")
        }
        replica = resource.get("Type") == _KEYS[1]
        facts = KeyFacts(
            arn=f"arn:aws:kms:us-east-1:{_ACCOUNT}:key/{name}",
            usage=None if replica else str(plain.get("KeyUsage", "ENCRYPT_DECRYPT")),
            origin=None if replica else str(plain.get("Origin", "AWS_KMS")),
            multi_region=replica or _true(plain.get("MultiRegion")),
            bypass=_true(plain.get("BypassPolicyLockoutSafetyCheck")),
        )
        if "KeyPolicy" not in plain:
            line = self._line(("Resources", name))
            return Subject(
                name=name,
                document=lint_sources.default(self.where, line, _ACCOUNT),
                key=facts,
                assumed=(f"{name} has no KeyPolicy: KMS gives it one that leaves all to the account's IAM policies",),
            )
        policy = document.of(plain["KeyPolicy"], where=self.where, lines=self.lines, inside=(*inside, "KeyPolicy"))
        assumed = f"{name}: the account is written {_ACCOUNT}, and the template's own roles are called by logical name"
        return Subject(name=name, document=policy, key=facts, assumed=(assumed,))

    def _plain(self, value: object, path: places.Path) -> Any:  # noqa: ANN401  (JSON)
        """Return ``value`` with what the template says in place of its functions."""
        if isinstance(value, list):
            return [self._plain(each, (*path, number)) for number, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._called(name, argument, path)
        return {key: self._plain(inner, (*path, key)) for key, inner in value.items()}

    def _called(self, name: str, argument: object, path: places.Path) -> str:
        match name, argument:
            case "Ref", str(target):
                return self._named(target, path)
            case "Fn::GetAtt", [str(target), "Arn"]:
                return self._attribute(target, path)
            case "Fn::Sub", str(text):
                return self._substituted(text, {}, path)
            case "Fn::Sub", [str(text), dict(given)]:
                values = {key: self._text(inner, path) for key, inner in given.items()}
                return self._substituted(text, values, path)
            case "Fn::Join", [str(between), list(parts)]:
                return between.join(self._text(part, path) for part in parts)
        raise self._refused(path, f"{name} is not followed: what it gives is known only when the stack is made")

    def _text(self, value: object, path: places.Path) -> str:
        plain = self._plain(value, path)
        if not isinstance(plain, str | int):
            raise self._refused(path, "a list or an object where text is to be put in")
        return str(plain)

    def _substituted(self, text: str, given: Mapping[str, str], path: places.Path) -> str:
        def put(match: re.Match[str]) -> str:
            if match[1]:
                return f"${{{match[2]}}}"
            if match[2] in given:
                return given[match[2]]
            target, dot, attribute = match[2].partition(".")
            if not dot:
                return self._named(target, path)
            if attribute != "Arn":
                raise self._refused(path, f"{match[2]} is known only when the stack is made")
            return self._attribute(target, path)

        return _SUBSTITUTED.sub(put, text)

    def _named(self, target: str, path: places.Path) -> str:
        """Return what ``Ref`` gives: a pseudo parameter, a parameter's value, or a resource's name."""
        if target in _PSEUDO:
            return _PSEUDO[target]
        if target in self.parameters:
            return self.parameters[target]
        declared = self.value.get("Parameters")
        parameter = declared.get(target) if isinstance(declared, dict) else None
        if isinstance(parameter, dict) and isinstance(parameter.get("Default"), str | int):
            return str(parameter["Default"])
        if target in self.value["Resources"]:
            return target
        raise self._refused(path, f"the parameter {target} has no value here", [f"--parameter {target}=VALUE"])

    def _attribute(self, target: str, path: places.Path) -> str:
        """Return the ARN of a role, user or key that the template makes."""
        resource = self.value["Resources"].get(target)
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if kind in ("AWS::IAM::Role", "AWS::IAM::User"):
            return f"arn:aws:iam::{_ACCOUNT}:{str(kind)[10:].lower()}/{target}"
        if kind in _KEYS:
            return f"arn:aws:kms:us-east-1:{_ACCOUNT}:key/{target}"
        raise self._refused(path, f"{target}.Arn is known only when the stack is made")

    def _refused(self, path: places.Path, what: str, hints: list[str] | None = None) -> CannotAnswer:
        place = strict_json.pointer(path)
        return CannotAnswer(f"{self.where}: line {self._line(path)}: {place}: {what}", "kms.template", hints or [])

    def _line(self, path: places.Path) -> int:
        return next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)


def _true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")
