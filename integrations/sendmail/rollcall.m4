dnl Rollcall asks its bridge about recipients of these domains. Replace the domains and, if it differs, the bridge's
dnl address. An IDN stands here as its A-label.
define(`ROLLCALL_DOMAINS', `example.com xn--bcher-kva.example')dnl
define(`ROLLCALL_BRIDGE', `inet:10023@127.0.0.1')dnl
dnl
dnl Sendmail relays for exactly these domains, and not for their subdomains.
FEATURE(`relay_hosts_only')dnl
RELAY_DOMAIN(`ROLLCALL_DOMAINS')dnl
LOCAL_CONFIG
Ksendmail socket -d5 -f -q -t ROLLCALL_BRIDGE
C{RollcallDomains} ROLLCALL_DOMAINS
LOCAL_RULESETS
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
