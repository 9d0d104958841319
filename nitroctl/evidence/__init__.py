"""What hardware signed: attestation documents unwrapped, parsed, and held against their certificate chain.

container (text forms around the bytes) → cbor (a scanner that knows offsets) → cose, document (the published format)
→ chain (link by link to a pinned root) → verify (is it authentic?). Whether it is acceptable is another question:
:mod:`nitroctl.appraisal`.
"""
