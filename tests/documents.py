"""Attestation documents under a public key infrastructure of the tests' own, for what is shown of them."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nitroctl import pcr
from nitroctl.standin import nsm, pki
from nitroctl.standin.pki import Identity

AT = datetime(2026, 11, 20, 10, 0, 0, 250000, tzinfo=UTC)
LAUNCHED = datetime(2026, 11, 20, 9, 30, 0, 500000, tzinfo=UTC)
INSTANCE = "i-0123456789abcdef0"
REGION = "eu-west-1"
PCRS = {0: b"\x10" * 48, 1: b"\x11" * 48, 2: b"\x12" * 48, 4: pcr.for_instance(INSTANCE)}
#: Issued later than the others, as the leaf of the same enclave three hours later is.
LATER = AT + timedelta(hours=4)


def module_id(launched: datetime = LAUNCHED, *, instance: str = INSTANCE) -> str:
    """Return the module id of an enclave launched then; the same every time."""
    return f"{instance}-enc{nsm.milliseconds(launched):012x}e0f0"


def authorities(instance: str = INSTANCE, region: str = REGION) -> tuple[Identity, ...]:
    """Return root, regional, zonal and instance CA."""
    return _authorities(instance, region)


@functools.cache
def _authorities(instance: str, region: str) -> tuple[Identity, ...]:
    chain = [root()]
    profiles = (
        pki.regional_profile(region, at=AT),
        pki.zonal_profile(region, at=AT),
        pki.instance_profile(instance, region, at=AT),
    )
    for profile in profiles:
        chain.append(pki.issue(profile, chain[-1]))
    return tuple(chain)


@functools.cache
def root() -> Identity:
    """Return the root of these documents."""
    return pki.issue(pki.root_profile(at=AT - timedelta(days=30)), None)


def chain(module: str, at: datetime = AT, *, instance: str = INSTANCE, region: str = REGION) -> tuple[Identity, ...]:
    """Return the chain of an enclave with the leaf issued then."""
    return _chain(module, at, instance, region)


@functools.cache
def _chain(module: str, at: datetime, instance: str, region: str) -> tuple[Identity, ...]:
    above = authorities(instance, region)
    return (*above, pki.issue(pki.leaf_profile(module, region, at=at), above[-1]))


def document(
    *,
    at: datetime = AT,
    issued: datetime | None = None,
    module: str | None = None,
    instance: str = INSTANCE,
    region: str = REGION,
    pcrs: Mapping[int, bytes] = PCRS,
    tpm: bool = False,
    links: tuple[Identity, ...] | None = None,
    **fields: object,
) -> bytes:
    """Return a document; ``fields`` replace or add members of its payload, ``links`` its chain."""
    module = module or module_id(instance=instance)
    links = links or chain(module, issued or at, instance=instance, region=region)
    members = nsm.fields(links, module_id=module, pcrs=pcrs, at=at)
    if tpm:
        registers = {index: pcrs.get(index, pcr.ZERO) for index in range(24)}
        members = [("nitrotpm_pcrs", registers) if name == "pcrs" else (name, value) for name, value in members]
    known = dict(members)
    members = [(name, fields.get(name, value)) for name, value in members]
    members += [(name, value) for name, value in fields.items() if name not in known]
    return nsm.sign1(links[-1].key, nsm.payload(members))
