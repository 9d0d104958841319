"""``nitroctl attest``: what a captured attestation document is, whether it is authentic, and whether acceptable."""

from nitroctl.cli import attest_show, attest_verify
from nitroctl.cli.tree import noun, verb

app = noun("Show and verify captured attestation documents, offline.")

verb(app, "show", attest_show.EXAMPLES)(attest_show.show)
verb(app, "verify", attest_verify.EXAMPLES)(attest_verify.verify)
