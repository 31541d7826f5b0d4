#!/usr/bin/env bash
# Publishes from cron. Give it what `rollcall publish` takes, without --yes:
#
#   15 * * * *  rollcall  . /etc/rollcall/sync.env && /usr/local/bin/sync.sh --domain example.org /srv/mail/list.csv
#
# with /etc/rollcall/sync.env (mode 0600) exporting ROLLCALL_URL, ROLLCALL_TOKEN (of role publish) and
# SYNC_MAIL_TO. Nothing is said where all is well. Where it is not, nothing was changed, the reason goes out by
# mail and to standard error, and the exit code is the one of `rollcall publish` (4: refused by the guard), or 75
# while an earlier run is still at it. `rollcall status --max-age 2d` in your monitoring notices a sync that stopped.
set -uo pipefail

rollcall=${ROLLCALL_COMMAND:-rollcall}
sendmail=${SYNC_SENDMAIL:-/usr/sbin/sendmail}
lock=${SYNC_LOCK:-${HOME:?}/.rollcall-sync.lock}

exec 9>>"$lock" || exit 73
if ! flock --nonblock 9; then
  echo "sync.sh: an earlier run still holds $lock; nothing was done" >&2
  exit 75
fi

# The lock is this script's alone: a child that outlives it must not keep it.
said=$("$rollcall" publish "$@" --yes 2>&1 9>&-)
code=$?
[ "$code" -eq 0 ] && exit 0

case $code in
  4) what="refused by the guard" ;;
  6) what="edge unreachable or credentials refused" ;;
  *) what="failed" ;;
esac
echo "sync.sh: publish $what (exit code $code)" >&2
echo "$said" >&2
if [ -n "${SYNC_MAIL_TO:-}" ]; then
  {
    echo "To: $SYNC_MAIL_TO"
    echo "Subject: rollcall on $(hostname): publish $what ($code)"
    echo "Auto-Submitted: auto-generated"
    echo "Content-Type: text/plain; charset=utf-8"
    echo
    echo "rollcall publish $*"
    echo
    echo "$said"
  } | "$sendmail" -t -oi 9>&- || echo "sync.sh: the mail to $SYNC_MAIL_TO could not be sent" >&2
fi
exit "$code"
