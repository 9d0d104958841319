"""``nitroctl attest``: what a captured attestation document is, whether it is authentic, and whether acceptable."""

from nitroctl.cli import (
    attest_diff,
    attest_extract,
    attest_policy,
    attest_recipient,
    attest_show,
    attest_survey,
    attest_verify,
)
from nitroctl.cli.tree import noun, verb

app = noun("Show and verify captured attestation documents, offline.")

verb(app, "show", attest_show.EXAMPLES)(attest_show.show)
verb(app, "verify", attest_verify.EXAMPLES)(attest_verify.verify)
verb(app, "survey", attest_survey.EXAMPLES)(attest_survey.survey)
verb(app, "request", attest_recipient.REQUEST_EXAMPLES)(attest_recipient.request)
verb(app, "open", attest_recipient.OPEN_EXAMPLES)(attest_recipient.open_)
verb(app, "diff", attest_diff.EXAMPLES)(attest_diff.diff)
verb(app, "extract", attest_extract.EXAMPLES)(attest_extract.extract)
app.add_typer(attest_policy.app, name="policy")
