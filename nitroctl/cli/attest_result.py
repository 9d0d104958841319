"""The verdict on one document in the formats of others: ``--format ear`` and ``--format vsa``."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from nitroctl.render.result import Export

if TYPE_CHECKING:
    from datetime import datetime

    from nitroctl.appraisal.judge import Judgement

_UNSIGNED: Final = "the result is not signed, and says nothing to others until whoever vouches for it signs it"


def exports(judgement: "Judgement", cbor: bytes) -> Mapping[str, Export]:
    """Return what ``attest verify`` can answer with after ``--format``; nothing is made until it is asked for."""
    return {
        "ear": Export(lambda: _text(judgement, cbor, "ear"), f"{_UNSIGNED}: as JWT or CWT"),
        "vsa": Export(lambda: _text(judgement, cbor, "vsa"), f"{_UNSIGNED}: in a DSSE envelope"),
    }


def _text(judgement: "Judgement", cbor: bytes, form: str) -> str:
    import hashlib

    from nitroctl.appraisal import result
    from nitroctl.cli.attest_options import now
    from nitroctl.render import envelope

    makers: Mapping[str, Callable[..., dict[str, object]]] = {"ear": result.ear, "vsa": result.vsa}
    issued: datetime = now()
    return envelope.dumps(makers[form](judgement, sha256=hashlib.sha256(cbor).hexdigest(), issued=issued))
