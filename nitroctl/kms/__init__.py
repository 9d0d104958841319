"""KMS key policies bound to attestation: written from recorded measurements, so that they hold.

:mod:`.key_policy` is the document, :mod:`.principals` who may be named in it, :mod:`.generate` the recommended shape.
Nothing here talks to AWS.
"""
