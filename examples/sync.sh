#!/usr/bin/env bash
# Publishes from cron. Takes the arguments of `rollcall publish`, without --yes:
#
#   15 * * * *  rollcall  . /etc/rollcall/sync.env && /usr/local/bin/sync.sh --domain example.org /srv/mail/list.csv
#
# /etc/rollcall/sync.env (mode 0600) exports ROLLCALL_URL, ROLLCALL_TOKEN (role publish) and SYNC_MAIL_TO. On success
# it prints nothing. On failure nothing was changed; the reason goes to standard error and by mail, and the exit code is
# that of `rollcall publish` (4: refused by the guard), or 75 if an earlier run is still active. To notice a sync that
# stopped, run `rollcall status --max-age 2d` in your monitoring.
set -uo pipefail

rollcall=${ROLLCALL_COMMAND:-rollcall}
sendmail=${SYNC_SENDMAIL:-/usr/sbin/sendmail}
lock=${SYNC_LOCK:-${HOME:?}/.rollcall-sync.lock}

exec 9>>"$lock" || exit 73
if ! flock --nonblock 9; then
  echo "sync.sh: an earlier run still holds $lock; nothing was published" >&2
  exit 75
fi

# Only this script holds the lock: a child that outlives it must not.
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
  } | "$sendmail" -t -oi 9>&- || echo "sync.sh: cannot send mail to $SYNC_MAIL_TO" >&2
fi
exit "$code"
