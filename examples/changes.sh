#!/usr/bin/env bash
# Sends what changed in a list since the last run over the HTTP API, from a host without the `rollcall` command:
#
#   */5 * * * *  rollcall  . /etc/rollcall/sync.env && /usr/local/bin/changes.sh example.org /srv/mail/addresses.txt
#
# The file has one address a line. Publish it with `rollcall publish` once, on any host, before the first run here. Needs
# curl and jq. /etc/rollcall/sync.env (mode 0600) exports ROLLCALL_URL and ROLLCALL_TOKEN (role publish). On failure the
# reason goes to standard error, nothing was changed, and the next run sends the same again: a request changes all or nothing.
set -euo pipefail

domain=$1 list=$2
sent=${CHANGES_STATE:-${HOME:?}}/$domain.sent
exec 9>>"$sent.lock"
flock --nonblock 9 || exit 75

now=$(mktemp)
trap 'rm -f "$now"' EXIT
LC_ALL=C sort -u -- "$list" | sed '/^$/d' >"$now"
# The first run takes the list for the one that was published.
[ -e "$sent" ] || cp -- "$now" "$sent"

only() { LC_ALL=C comm "$1" -- "$sent" "$now"; }
count=$(only -3 | wc -l)
[ "$count" -eq 0 ] && exit 0
if [ "$count" -gt 1000 ]; then
  echo "changes.sh: $count changes, and a request takes 1,000: check $list, then publish it" >&2
  exit 1
fi
body=$({ only -13 | jq -Rn '[inputs | {recipient: ., state: "active"}]'; only -23 | jq -Rn '[inputs]'; } |
  jq -s '{set: .[0], remove: .[1]} | with_entries(select(.value != []))')

# The token is in no command line, which everybody on this host can read.
if ! answer=$(curl --silent --show-error --fail-with-body --max-time 60 --request PATCH --json @- \
  --config <(printf 'header = "Authorization: Bearer %s"\n' "$ROLLCALL_TOKEN") \
  "$ROLLCALL_URL/v1/domains/$domain/mailboxes" <<<"$body"); then
  echo "changes.sh: nothing was changed: $answer" >&2
  exit 1
fi
mv -- "$now" "$sent"
