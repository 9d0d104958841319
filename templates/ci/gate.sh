#!/bin/sh
# The gate: an image passes only when it is a recorded, active version, and the records pass only when nothing that was
# recorded before is gone or changed. For any CI system that has nitroctl and, to know what was before, git:
#
#     EIF=app.eif sh ci/gate.sh
#
# EIF          the image  [app.eif]
# COMPONENT    what it must be a version of  [@NAME@]
# ENVIRONMENT  where that version must be active  [prod]
# RECORDS      the recorded measurements  [measurements.json]
# BEFORE       the commit before the change; empty, or only zeros: what was before is not asked
# SARIF, JUNIT files for the answer about the image in these forms; empty: none
#
# Exit status: 0 both pass, 1 the answer is no, anything higher: the question could not be asked.
set -u
EIF=${EIF:-app.eif}
COMPONENT=${COMPONENT:-@NAME@}
ENVIRONMENT=${ENVIRONMENT:-prod}
RECORDS=${RECORDS:-measurements.json}
BEFORE=${BEFORE:-}
form=human
[ "${GITHUB_ACTIONS:-}" != true ] || form=github

image() {
  nitroctl pcr check --eif "$EIF" --component "$COMPONENT" --environment "$ENVIRONMENT" --records "$RECORDS" "$@"
}

history() {
  commit=$(git rev-parse --verify --quiet "$BEFORE^{commit}" 2>/dev/null) || {
    echo "gate: no such commit in this checkout: $BEFORE (fetch the whole history)" >&2
    return 3
  }
  there=$(git ls-tree --name-only "$commit" -- "$RECORDS") || return 3
  old=$(mktemp) || return 3
  [ -z "$there" ] || git show "$commit:./$RECORDS" >"$old" || { rm -f "$old"; return 3; }
  # The step's outputs are about the image: this question leaves none.
  GITHUB_OUTPUT='' nitroctl pcr verify "$RECORDS" --against - --format "$form" <"$old"
  answer=$?
  rm -f "$old"
  return "$answer"
}

status=0
worse() { [ "$1" -le "$status" ] || status=$1; }

[ -z "${SARIF:-}" ] || image --format sarif --exit-zero >"$SARIF" || worse $?
[ -z "${JUNIT:-}" ] || image --format junit --exit-zero >"$JUNIT" || worse $?
image --format "$form" || worse $?
case $BEFORE in
  *[!0]*) history || worse $? ;;
  *) echo "gate: no commit before this one is named: whether records were rewritten was not asked" ;;
esac
exit "$status"
