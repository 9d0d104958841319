"""KMS key policies bound to attestation: written from recorded measurements, so that they hold.

:mod:`.targets` says who and what a key is for, :mod:`.generate` writes the recommended shape, :mod:`.generate_onto`
onto a policy that is there, :mod:`.infrastructure` for Terraform and CloudFormation. :mod:`.key_policy` is the
document. Nothing here talks to AWS.
"""
