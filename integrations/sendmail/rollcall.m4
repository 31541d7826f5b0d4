dnl For /etc/mail/rollcall.m4. The tests run these very lines. Replace the domains (an IDN as its A-label; separated by
dnl spaces) and, if it differs, the address of the bridge: inet:PORT@HOST, or local:PATH of a unix socket.
define(`ROLLCALL_DOMAINS', `example.com')dnl
define(`ROLLCALL_BRIDGE', `inet:10023@127.0.0.1')dnl
dnl
dnl Relay for exactly these domains. Without the first line, their subdomains are relayed too, and not checked.
FEATURE(`relay_hosts_only')dnl
RELAY_DOMAIN(`ROLLCALL_DOMAINS')dnl
LOCAL_CONFIG
# -d4: wait 4 s, not 30. -f: keep case. -q: keep quotes. -t: the rules below decide what to do without an answer.
Ksendmail socket -d4 -f -q -t ROLLCALL_BRIDGE
C{RollcallDomains} ROLLCALL_DOMAINS
LOCAL_RULESETS
# Between the two sides of a rule stands a tab. What is not a clear answer is a 451.
SLocal_check_rcpt
R$*	$: $>CanonAddr $1
R$* <@ $* .> $*	$: $1 <@ $2> $3
R$+ <@ $={RollcallDomains}> $*	$: $(dequote $1 $) $| $(sendmail $1@$2 $: NONE $)
R$* $=O $* $| OK	$#OK
R$* $| OK	$@ OK
R$* $| ERROR:5.$-.$-:$+	$#error $@ 5.$2.$3 $: $4
R$* $| ERROR:4.$-.$-:$+	$#error $@ 4.$2.$3 $: $4
R$* $| $*	$#error $@ 4.3.0 $: "451 recipient cannot be checked now, try again later"
divert(0)dnl
