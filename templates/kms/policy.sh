#!/bin/sh
# Write kms/policy.json: the key policy under which only recorded, active images of @NAME@ may use the key.
# Run it again after each pcr record --activate, review the difference, and hand the file to whoever owns the key.
set -eu
cd "$(dirname "$0")/.."

# The three roles: replace account and names with yours.
ENCLAVE_ROLE=arn:aws:iam::111122223333:role/@NAME@          # of the parent instance: may use the key, with evidence
ADMIN_ROLE=arn:aws:iam::111122223333:role/kms-admin         # manages the key, never its data
POLICY_ROLE=arn:aws:iam::111122223333:role/kms-policy       # replaces this policy, in CI

exec nitroctl kms generate --component @NAME@ --environment prod \
  --enclave-role "$ENCLAVE_ROLE" --admin-role "$ADMIN_ROLE" --policy-writer "$POLICY_ROLE" \
  --output kms/policy.json
