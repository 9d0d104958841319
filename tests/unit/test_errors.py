import pytest

from nitroctl import errors
from nitroctl.errors import ExitCode, NitroctlError


def _kinds(kind: type[NitroctlError]) -> list[type[NitroctlError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in _kinds(sub))]


def test_every_kind_of_error_has_its_exit_status() -> None:
    public = {kind.__name__: kind.exit_code for kind in _kinds(NitroctlError) if kind.__module__ == errors.__name__}
    assert public == {
        "NitroctlError": 3,
        "UsageError": 2,
        "CannotAnswer": 3,
        "Declined": 3,
        "NitroCliFailed": 4,
        "AwsFailed": 5,
    }


def test_no_error_says_no() -> None:
    assert all(kind.exit_code not in (ExitCode.OK, ExitCode.REFUSED) for kind in _kinds(NitroctlError))


@pytest.mark.parametrize("kind", _kinds(NitroctlError))
def test_an_error_keeps_what_it_was_given(kind: type[NitroctlError]) -> None:
    error = kind("m", "a.b", ["do this"], {"n": 1})
    assert (str(error), error.code, error.hints, error.details) == ("m", "a.b", ("do this",), {"n": 1})
