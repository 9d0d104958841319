"""The JSON envelope: one document per command, also for errors (schema: envelope/1)."""

import json
from collections.abc import Mapping
from typing import Final

from nitroctl import strict_json
from nitroctl.errors import NitroctlError
from nitroctl.render.plain import inert_json
from nitroctl.render.result import Result

_LINE: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def of_result(result: Result) -> dict[str, object]:
    """Return the envelope of an answer."""
    return {
        "schema": f"nitroctl/{result.schema}",
        "status": "error" if result.trouble else "refused" if result.refused else "ok",
        "exit_code": int(result.exit_code),
        "data": result.data,
        "notes": list(result.notes),
        "errors": [_error(error) for error in result.trouble],
    }


def of_error(error: NitroctlError, exit_code: int) -> dict[str, object]:
    """Return the envelope of a failure; ``data`` is empty."""
    return {
        "schema": "nitroctl/error/1",
        "status": "error",
        "exit_code": exit_code,
        "data": {},
        "notes": [],
        "errors": [_error(error)],
    }


def _error(error: NitroctlError) -> dict[str, object]:
    return {"code": error.code, "message": error.message, "hints": list(error.hints), "details": error.details}


def line(document: Mapping[str, object]) -> str:
    """Return ``document`` as JSON on one line, for JSON Lines: in ASCII, with a final newline."""
    return inert_json(_LINE.encode(document)) + "\n"


def dumps(document: Mapping[str, object]) -> str:
    """Return ``document`` as indented JSON in ASCII with a final newline (escapes cannot reach a terminal)."""
    return inert_json(strict_json.indented(document)) + "\n"
