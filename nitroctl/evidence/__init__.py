"""What hardware signed: attestation documents unwrapped, parsed, and held against their certificate chain.

container (forms around the bytes) → cbor (a reader that knows offsets) → cose, document (the published format)
→ chain (link by link to a pinned root), crl (lists that were given) → verify (is it authentic?). backend computes,
remembered keeps what depends on exact bytes alone. Whether it is acceptable is another question:
:mod:`nitroctl.appraisal`.
"""
