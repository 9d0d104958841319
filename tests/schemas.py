"""JSON Schemas of every output, for the tests to hold the outputs against."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).parent.parent / "nitroctl" / "schemas"


@cache
def registry() -> Registry[Any]:
    """Return every schema under its ``$id``."""
    resources = [Resource.from_contents(json.loads(path.read_text())) for path in sorted(SCHEMAS.glob("*.json"))]
    pairs = [(str(resource.id()), resource) for resource in resources]
    return Registry().with_resources(pairs)


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of the schema file ``name`` (``attest.verify.1``)."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, registry=registry())


def validate_envelope(document: dict[str, Any]) -> None:
    """Hold an envelope and its data against their schemas."""
    validator("envelope.1").validate(document)
    name, version = document["schema"].removeprefix("nitroctl/").rsplit("/", 1)
    if name != "error":
        validator(f"{name}.{version}").validate(document["data"])
