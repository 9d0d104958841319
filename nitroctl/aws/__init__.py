"""AWS, on demand: the only package that imports boto3, and only when an AWS call is to be made.

``client`` and ``calling`` make a client and turn what botocore raises into our errors; ``kms_key`` is a key to sign
with; :mod:`nitroctl.aws.keys` reads a key as it is in AWS, :mod:`nitroctl.aws.policies` gives it another policy, and
:mod:`nitroctl.aws.identity` says who calls.
"""

from nitroctl.aws import identity, keys, policies
from nitroctl.aws.calls import calling, client
from nitroctl.aws.signing import KmsKey, kms_key

__all__ = ["KmsKey", "calling", "client", "identity", "keys", "kms_key", "policies"]
