"""Give a key another policy, and see that it has it.

KMS has no conditional write: what another writer puts between the last look and the write is lost, and what is put
after it is seen. Reads are eventually consistent, so the old policy may still come back for a while. Source: KMS API
reference, PutKeyPolicy, GetKeyPolicy; KMS Developer Guide, "AWS KMS eventual consistency"; AWS re:Post, "invalid
principals" (a new role is not known at once).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from nitroctl.aws import keys
from nitroctl.aws.calls import calling, client
from nitroctl.errors import AwsFailed, NitroctlError
from nitroctl.kms import canonical, document
from nitroctl.kms.document import PolicyDocument
from nitroctl.kms.live import DEFAULT, LiveKey

#: Seconds between two tries of a policy whose principals KMS does not know yet.
RETRY_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 8.0
#: After these nobody knows whether KMS took the policy: the answer was lost, late or unreadable.
_UNCERTAIN: Final = {"aws.unreachable", "aws.unavailable", "aws.nonsense"}
_SERVER_FAULT: Final = 500
#: States of a key that end by themselves.
_PASSING: Final = {"Creating", "Updating"}


class Seen(StrEnum):
    """What the key was seen to have after the write."""

    NEW = "new"
    OLD = "old"
    OTHER = "other"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a write. ``found``: the policy that was read last, None when none could be.

    ``doubt``: the write's own error, after which it was not known whether KMS took it, or an earlier try of it;
    ``unread``: that of the last read.
    """

    seen: Seen
    found: PolicyDocument | None
    doubt: AwsFailed | None = None
    unread: NitroctlError | None = None


def write(  # noqa: PLR0913  (what, where, and how patiently)
    live: LiveKey,
    text: str,
    *,
    before: PolicyDocument,
    after: PolicyDocument,
    bypass: bool = False,
    wait_s: float,
    say: Callable[[str], None],
) -> Written:
    """Put ``text`` as the policy of ``live``, and read until the key has it or ``wait_s`` seconds of pauses are over.

    ``before`` and ``after``: the policies as read, to tell them by. ``say``: takes a sentence while it waits. Raises
    AwsFailed ``aws.*`` when KMS refused and nothing was written.
    """
    doubt, lost = None, list[object]()
    try:
        _put(live, text, bypass=bypass, wait_s=wait_s, say=say, lost=lost)
    except AwsFailed as error:
        if error.code not in _UNCERTAIN and not lost:
            raise
        doubt = error
    old, new = canonical.digest(before), canonical.digest(after)
    found, unread = None, None
    for pause in (0.0, *_pauses(wait_s)):
        _sleep(pause)
        try:
            found = document.parse(keys.policy(live), where=live.place())
        except NitroctlError as error:
            unread = error
            continue
        unread = None
        if canonical.digest(found) != old:
            seen = Seen.NEW if canonical.digest(found) == new else Seen.OTHER
            return Written(seen=seen, found=found, doubt=doubt)
    return Written(seen=Seen.NOTHING if found is None else Seen.OLD, found=found, doubt=doubt, unread=unread)


def _put(  # noqa: PLR0913  (as of write, and what botocore keeps to itself)
    live: LiveKey, text: str, *, bypass: bool, wait_s: float, say: Callable[[str], None], lost: list[object]
) -> None:
    """Put the policy, several times if need be. ``lost``: takes every try of which nobody knows what became.

    botocore repeats such a try and tells of the last one only: one that KMS took, and whose answer was lost, may be
    followed by a refusal because of the very policy that it put.
    """
    service = client("kms", live.region)

    def answered(response: tuple[Any, object] | None = None, caught_exception: object = None, **_: object) -> None:
        if response is None or caught_exception is not None or response[0].status_code >= _SERVER_FAULT:
            lost.append(caught_exception)

    service.meta.events.register("needs-retry.kms.PutKeyPolicy", answered)
    tries = 1 + int(wait_s // RETRY_S)
    for number in range(1, tries + 1):
        try:
            with calling("kms:PutKeyPolicy", live.arn):
                service.put_key_policy(
                    KeyId=live.arn, PolicyName=DEFAULT, Policy=text, BypassPolicyLockoutSafetyCheck=bypass
                )
        except AwsFailed as error:
            passing = error.code == "aws.key-state" and live.state in _PASSING
            if number == tries or not (passing or error.code == "aws.invalid-principals"):
                raise
            if number == 1:
                what = f"the key is {live.state}" if passing else "KMS does not know a principal of the policy, yet"
                say(f"{live.arn}: {what}; trying again for {wait_s:g} s")
            _sleep(RETRY_S)
        else:
            return


def _pauses(wait_s: float) -> Iterator[float]:
    """Yield growing pauses that sum up to ``wait_s`` seconds."""
    pause, left = 0.5, wait_s
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)
