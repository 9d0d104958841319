"""The library ``sigstore``, kept at arm's length: whether it is there, whom it is to trust, and what it says.

It is optional (``nitroctl[sigstore]``), takes half a second to import, logs and quotes what it was given, and would
fetch who is trusted to vouch when asked for its defaults. Here it is told: a file, or what came with the library.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitroctl import safefile, strict_json
from nitroctl.errors import CannotAnswer

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

#: Bundles have some ten thousand bytes, with a long predicate a few millions; trusted roots some ten thousand.
SIZE_LIMIT: Final = 8 * 1024 * 1024

_PUBLIC: Final = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
_WORDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Who is trusted to vouch. ``origin``: where that was read, in words; ``sha256`` of it, in hex."""

    origin: str
    sha256: str
    library: str


def called(path: str) -> str:
    """Return what the file ``path`` is called in a sentence."""
    return "standard input" if path == safefile.STDIN else path


def version() -> str:
    """Return the version of the library. Raises CannotAnswer ``sigstore.missing``."""
    try:
        import sigstore  # noqa: PLC0415  (half a second, and optional)
        import sigstore.verify  # noqa: PLC0415
    except ImportError as error:
        raise CannotAnswer(
            f"a sigstore bundle cannot be verified here: {words(error)}",
            "sigstore.missing",
            ["pip install 'nitroctl[sigstore]'", "or verify it with cosign, and a key of your own with --key"],
        ) from error
    return sigstore.__version__


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the library logs off stderr: it quotes the bundle as it is. What matters is in what it raises."""
    logger = logging.getLogger("sigstore")
    before = logger.propagate, logger.disabled
    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate, logger.disabled = before
        logger.removeHandler(handler)


def words(error: Exception) -> str:
    """Return what the library's exception says, on one line and of bounded length: it quotes what it was given."""
    return bounded(" ".join(str(error).split()) or type(error).__name__)


def bounded(text: str) -> str:
    """Return the beginning of a text of any length."""
    return text if len(text) <= _WORDS else f"{text[:_WORDS]}…"


def trusted_root(path: str | None, library: str) -> "tuple[TrustedRoot, Root]":
    """Return who is trusted to vouch, from the file ``path`` or from what came with the library.

    Raises CannotAnswer ``file.*``, ``json.*`` or ``sigstore.trusted-root``.
    """
    from importlib import resources  # noqa: PLC0415  (with the library)

    from sigstore.models import TrustedRoot  # noqa: PLC0415
    from sigstore_models.trustroot import v1  # noqa: PLC0415

    if path is None:
        where = f"sigstore {library}"
        try:
            raw = resources.files("sigstore").joinpath("_store", _PUBLIC, "trusted_root.json").read_bytes()
        except OSError as error:
            raise _no_root(f"{where} came without its trusted root", "give it: --trusted-root FILE") from error
        origin = f"sigstore's public instance, as {where} came with it"
    else:
        where = origin = called(path)
        raw = safefile.read_bytes(path, limit=SIZE_LIMIT)
    hint = "sigstore's is trusted_root.json; gh attestation trusted-root, or cosign trusted-root create, writes one"
    try:
        document = strict_json.parse(raw.decode("utf-8"), where=where)
        trusted = TrustedRoot(v1.TrustedRoot.from_json(json.dumps(document)))
        verifier(trusted)
    except UnicodeDecodeError as error:
        raise _no_root(f"{where}: not a trusted root of sigstore: not UTF-8", hint) from error
    except CannotAnswer:
        raise
    except Exception as error:  # whatever the library raises, it is no trusted root
        raise _no_root(f"{where}: not a trusted root of sigstore: {words(error)}", hint) from error
    return trusted, Root(origin=origin, sha256=hashlib.sha256(raw).hexdigest(), library=library)


def _no_root(message: str, hint: str) -> CannotAnswer:
    return CannotAnswer(message, "sigstore.trusted-root", [hint])


def verifier(trusted: "TrustedRoot") -> Any:  # noqa: ANN401  (its type is of a library that may be absent)
    """Return the library's verifier, which asks no network as long as it is given bundles."""
    from sigstore.verify import Verifier  # noqa: PLC0415

    return Verifier(trusted_root=trusted)
