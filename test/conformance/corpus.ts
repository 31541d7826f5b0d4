/**
 * The conformance corpus: recipients as a client sends them, and the codes that it must see, whatever mail server stands
 * between it and Rollcall. The lists are those of world.ts.
 *
 * The codes are those of a front end that passes the edge's reply on. A way that can only say yes, no or later derives
 * its own from the verdict (`codes` of its rig); what a mail server decides by itself is among the `differences` of its
 * rig, each with the reason.
 */
import type { Verdict } from "../../src/directory/index.ts";

export interface Row {
  /** Unique; rigs name rows by it. */
  readonly name: string;
  /** What is special about it. */
  readonly what: string;
  /** As in RCPT TO, without the angle brackets. */
  readonly rcpt: string;
  /** MAIL FROM; the same stranger for nearly all rows. */
  readonly from: string;
  readonly verdict: Verdict;
  /** `550 5.1.1`. */
  readonly codes: string;
  /** Why these codes: a section of a standard, a thread of somebody who was hit, or a law of docs/architecture.md. */
  readonly because: string;
}

const STRANGER = "someone@elsewhere.example";

/** The codes of each verdict in enforce mode, written down once more: the edge's own table is under test. */
const CODES: Readonly<Record<string, string>> = {
  deliverable: "250 2.1.5",
  unknown: "550 5.1.1",
  disabled: "550 5.2.1",
  moved: "550 5.1.6",
  "not-served": "550 5.7.1",
  malformed: "501 5.1.3",
  departed: "450 4.2.1",
  full: "452 4.2.2",
};

interface More {
  readonly from?: string;
  /** Only where the mode gives other codes than the verdict. */
  readonly codes?: string;
}

const row = (
  name: string,
  what: string,
  rcpt: string,
  verdict: Verdict,
  because: string,
  more: More = {},
): Row => ({
  name,
  what,
  rcpt,
  from: more.from ?? STRANGER,
  verdict,
  codes: more.codes ?? (CODES[verdict] as string),
  because,
});

const observed = (name: string, what: string, rcpt: string, verdict: Verdict, because: string): Row =>
  row(name, what, rcpt, verdict, because, { codes: CODES.deliverable as string });

const LONG = "x".repeat(85);
const VERP = `bounces+newsletter-2026-11-25-${"subscriber.with.a.long.name".repeat(2)}=elsewhere.example`;

const STATES: readonly Row[] = [
  row("active", "a mailbox", "alice@example.com", "deliverable", "RFC 5321 §3.3"),
  row("unknown", "no such mailbox", "nobody@example.com", "unknown", "RFC 5321 §3.3, RFC 3463 X.1.1"),
  row("disabled", "disabled mailbox", "leaver@example.com", "disabled", "RFC 3463 X.2.1"),
  row("moved", "moved mailbox, no new address", "elsewhere@example.com", "moved", "RFC 3463 X.1.6"),
  row(
    "full",
    "full mailbox",
    "overfull@example.com",
    "full",
    "RFC 3463 X.2.2 is a persistent transient failure: space may be made",
  ),
  row("departed", "left the list within the grace", "gone@example.com", "departed", "law 4"),
  row("no-grace", "left a list without grace", "gone@nograce.example", "unknown", "law 4, `grace = 0`"),
  row("deleted", "the domain was deleted today", "alice@deleted.example", "departed", "law 4"),
  row(
    "unpublished",
    "relayed here, no list published",
    "alice@example.net",
    "not-served",
    "law 1; [mailcow-dockerized #2981](https://github.com/mailcow/mailcow-dockerized/issues/2981)",
  ),
  row("foreign", "a domain of somebody else", "someone@foreign.example", "not-served", "RFC 3463 X.7.1"),
  row(
    "subdomain",
    "a subdomain of a served domain",
    "alice@sub.example.com",
    "not-served",
    "each domain has a list of its own",
  ),
  row(
    "subaddress-disabled",
    "subaddress of a disabled mailbox",
    "leaver+news@example.com",
    "disabled",
    "the mailbox decides",
  ),
  row(
    "subaddress-full",
    "subaddress of a full mailbox",
    "overfull+news@example.com",
    "full",
    "the mailbox decides",
  ),
  row(
    "subaddress-departed",
    "subaddress of one who left",
    "gone+news@example.com",
    "departed",
    "law 4 for every spelling",
  ),
  row(
    "refusal-text",
    "a refusal with the domain's own text",
    "nobody@text.example",
    "unknown",
    "RFC 5321 §4.2",
  ),
];

const CASE: readonly Row[] = [
  row(
    "case",
    "mixed case",
    "ALICE@Example.COM",
    "deliverable",
    "RFC 5321 §2.4: domains ignore case, and hosts should; [docker-mailserver #174](https://github.com/docker-mailserver/docker-mailserver/issues/174)",
  ),
  row("case-unknown", "mixed case, unknown", "NoBody@EXAMPLE.com", "unknown", "RFC 5321 §2.4"),
  row(
    "case-sensitive",
    "as listed",
    "Alice@case.example",
    "deliverable",
    "RFC 5321 §2.4 allows local parts with case; [OpenSMTPD #34](https://github.com/OpenSMTPD/OpenSMTPD/issues/34)",
  ),
  row(
    "case-sensitive-other",
    "not as listed",
    "alice@case.example",
    "unknown",
    'RFC 5321 §2.4, `case = "sensitive"`',
  ),
  row(
    "case-sensitive-postmaster",
    "postmaster, where case matters",
    "PostMaster@case.example",
    "deliverable",
    "RFC 5321 §4.5.1: without regard to case",
  ),
];

const SUBADDRESSES: readonly Row[] = [
  row(
    "plus",
    "subaddress",
    "alice+lists@example.com",
    "deliverable",
    "RFC 5233; [mailinabox #560](https://github.com/mail-in-a-box/mailinabox/issues/560), [OpenSMTPD #203](https://github.com/OpenSMTPD/OpenSMTPD/issues/203)",
  ),
  row(
    "plus-twice",
    "two delimiters: the first one counts",
    "alice+a+b@example.com",
    "deliverable",
    "postconf(5) recipient_delimiter",
  ),
  row("plus-empty", "empty subaddress", "alice+@example.com", "deliverable", "RFC 5233"),
  row("plus-unknown", "subaddress of an unknown mailbox", "nobody+lists@example.com", "unknown", "RFC 5233"),
  row(
    "plus-only",
    "only a subaddress",
    "+lists@example.com",
    "unknown",
    "RFC 5233: the user part is never empty",
  ),
  row(
    "plus-listed",
    "a listed name with a delimiter",
    "info+shop@example.com",
    "deliverable",
    "the exact name comes first",
  ),
  row(
    "plus-beside-listed",
    "another one beside it",
    "info+other@example.com",
    "unknown",
    "`info` itself is not listed",
  ),
  row(
    "plus-case",
    "subaddress in mixed case",
    "Alice+Lists@example.com",
    "deliverable",
    "RFC 5233, RFC 5321 §2.4",
  ),
  row(
    "minus",
    "`-` as the delimiter",
    "anna-news@minus.example",
    "deliverable",
    "RFC 5233 leaves the delimiter to the site",
  ),
  row("minus-plus", "`+` where `-` is the delimiter", "anna+news@minus.example", "unknown", "RFC 5233"),
  row(
    "minus-listed",
    "a listed name that contains the delimiter",
    "mary-ann@minus.example",
    "deliverable",
    "the exact name comes first",
  ),
  row(
    "minus-listed-subaddress",
    "its subaddress, cut at the first delimiter",
    "mary-ann-news@minus.example",
    "unknown",
    "postconf(5) recipient_delimiter: the first delimiter separates",
  ),
  row(
    "minus-listed-disabled",
    "a disabled name that contains the delimiter",
    "boss-office@minus.example",
    "disabled",
    "the exact name comes first",
  ),
  row("equals", "`=` as the delimiter", "anna=news@many.example", "deliverable", "RFC 5233"),
  row("underscore", "`_` as the delimiter", "anna_news@many.example", "deliverable", "RFC 5233"),
  row(
    "many-first",
    "several delimiters: the first in the name",
    "anna_a+b@many.example",
    "deliverable",
    "postconf(5) recipient_delimiter",
  ),
  row(
    "no-delimiter",
    "no delimiter at this domain",
    "alice+lists@plain.example",
    "unknown",
    '`delimiters = ""`',
  ),
];

const BOUNCE_ADDRESSES: readonly Row[] = [
  row(
    "batv",
    "BATV tag",
    "prvs=0123456789=alice@example.com",
    "deliverable",
    "draft-levine-smtp-batv §3; [app #1082](https://github.com/simple-login/app/issues/1082)",
  ),
  row(
    "batv-unknown",
    "BATV tag of an unknown mailbox",
    "prvs=0123456789=nobody@example.com",
    "unknown",
    "draft-levine-smtp-batv §3",
  ),
  row(
    "batv-case",
    "BATV tag in upper case",
    "PRVS=0123ABCDEF=Alice@example.com",
    "deliverable",
    "draft-levine-smtp-batv §3",
  ),
  row(
    "batv-subaddress",
    "BATV tag and subaddress",
    "prvs=0123456789=alice+lists@example.com",
    "deliverable",
    "draft-levine-smtp-batv §3, RFC 5233",
  ),
  row(
    "batv-disabled",
    "BATV tag of a disabled mailbox",
    "prvs=0123456789=leaver@example.com",
    "disabled",
    "draft-levine-smtp-batv §3",
  ),
  row(
    "batv-listed",
    "a listed name that looks like BATV",
    "prvs=0123456789=carol@example.com",
    "disabled",
    "the exact name comes first",
  ),
  row(
    "batv-not",
    "almost BATV",
    "prvs=012345678=alice@example.com",
    "unknown",
    "draft-levine-smtp-batv §3: ten digits",
  ),
  row(
    "batv-bounce",
    "BATV tag, from the null sender",
    "prvs=0123456789=alice@example.com",
    "deliverable",
    "RFC 5321 §4.5.5",
    { from: "" },
  ),
  row(
    "batv-like",
    "a listed name with `=`",
    "batv=like@example.com",
    "deliverable",
    "RFC 5321 §4.1.2: = is an atom's character",
  ),
  row(
    "srs",
    "SRS address, `=` as the delimiter",
    "SRS0=HHHH=TT=elsewhere.example=bob@many.example",
    "deliverable",
    "SRS: list srs0 and srs1, with = among the delimiters; [postsrsd #108](https://github.com/roehling/postsrsd/issues/108)",
  ),
  row(
    "srs-twice",
    "SRS1 address",
    "SRS1=HHHH=relay.example==HHHH=TT=elsewhere.example=bob@many.example",
    "deliverable",
    "SRS",
  ),
  row(
    "srs-bounce",
    "SRS address, from the null sender",
    "SRS0=HHHH=TT=elsewhere.example=bob@many.example",
    "deliverable",
    "RFC 5321 §4.5.5",
    { from: "" },
  ),
  row(
    "srs-unlisted",
    "SRS address where none is listed",
    "SRS0=HHHH=TT=elsewhere.example=bob@example.com",
    "unknown",
    "SRS: this domain does not rewrite senders",
  ),
  row(
    "verp",
    "VERP",
    "bounces+bob=elsewhere.example@example.com",
    "deliverable",
    "RFC 5233; VERP as in Postfix's VERP_README",
  ),
  row(
    "verp-minus",
    "VERP with `-`",
    "list-return-42-bob=elsewhere.example@minus.example",
    "deliverable",
    "ezmlm's VERP",
  ),
  row(
    "verp-long",
    "VERP beyond 64 octets",
    `${VERP}@example.com`,
    "deliverable",
    "RFC 5321 §4.5.3.1.1 allows 64, and senders go past it; [aiosmtpd #257](https://github.com/aio-libs/aiosmtpd/issues/257), [sympa #1160](https://github.com/sympa-community/sympa/issues/1160)",
  ),
  row(
    "verp-bounce",
    "VERP beyond 64 octets, from the null sender",
    `${VERP}@example.com`,
    "deliverable",
    "RFC 5321 §4.5.5",
    { from: "" },
  ),
];

const QUOTES: readonly Row[] = [
  row("quoted", "quoted, as it must be", '"john doe"@example.com', "deliverable", "RFC 5321 §4.1.2"),
  row(
    "quoted-unknown",
    "quoted, as it must be, unknown",
    '"jane doe"@example.com',
    "unknown",
    "RFC 5321 §4.1.2",
  ),
  row(
    "quoted-needlessly",
    "quoted needlessly",
    '"alice"@example.com',
    "deliverable",
    "RFC 5321 §4.1.2: the same mailbox",
  ),
  row(
    "quoted-needlessly-unknown",
    "quoted needlessly, unknown",
    '"nobody"@example.com',
    "unknown",
    "RFC 5321 §4.1.2",
  ),
  row(
    "quoted-pair",
    "quoted pair",
    '"al\\ice"@example.com',
    "deliverable",
    "RFC 5321 §4.1.2: the backslash is no part of the name",
  ),
  row("quoted-at", "quoted @", '"a@b"@example.com', "deliverable", "RFC 5321 §4.1.2"),
  row("quoted-at-unknown", "quoted @, unknown", '"a@c"@example.com', "unknown", "RFC 5321 §4.1.2"),
  row("quoted-mark", "quoted quotation mark", '"q\\"q"@example.com', "deliverable", "RFC 5321 §4.1.2"),
  row(
    "quoted-mark-unknown",
    "quoted quotation mark, unknown",
    '"a\\"b"@example.com',
    "unknown",
    "RFC 5321 §4.1.2",
  ),
  row("quoted-dots", "dots that must be quoted", '"two..dots"@example.com', "deliverable", "RFC 5321 §4.1.2"),
  row(
    "quoted-empty",
    "empty local part",
    '""@example.com',
    "unknown",
    "RFC 5321 §4.1.2: valid, and in no list",
  ),
  row("quoted-case", "quoted, in mixed case", '"John Doe"@EXAMPLE.com', "deliverable", "RFC 5321 §2.4"),
  row(
    "quoted-subaddress",
    "quoted needlessly, with a subaddress",
    '"alice+lists"@example.com',
    "deliverable",
    "RFC 5233",
  ),
];

const CHARACTERS: readonly Row[] = [
  row("apostrophe", "apostrophe", "o'brien@example.com", "deliverable", "RFC 5321 §4.1.2"),
  row("dot", "a dot", "first.last@example.com", "deliverable", "RFC 5321 §4.1.2"),
  row(
    "dot-missing",
    "without its dot",
    "firstlast@example.com",
    "unknown",
    'dots count unless `dots = "ignored"`',
  ),
  row(
    "dots-ignored",
    "dots are ignored here",
    "j.o.h.n.doe@dots.example",
    "deliverable",
    '`dots = "ignored"`',
  ),
  row(
    "dots-ignored-unknown",
    "dots are ignored here, unknown",
    "jane.doe@dots.example",
    "unknown",
    '`dots = "ignored"`',
  ),
  row(
    "atext",
    "every character that needs no quotes",
    "all!#$%&'*/=?^_`{|}~-chars@example.com",
    "deliverable",
    "RFC 5321 §4.1.2 atext",
  ),
  row("percent", "listed with %", "per%cent@example.com", "deliverable", "RFC 5321 §4.1.2 atext"),
  row(
    "percent-unknown",
    "% as a route to a mailbox that exists",
    "alice%example.com@example.com",
    "unknown",
    "RFC 5321 appendix F.2: no source routing by %",
  ),
  row(
    "percent-foreign",
    "% as a route elsewhere",
    "someone%foreign.example@example.com",
    "unknown",
    "RFC 5321 appendix F.2",
  ),
  row("bang", "listed with !", "uu!cp@example.com", "deliverable", "RFC 5321 §4.1.2 atext"),
  row(
    "bang-unknown",
    "! as a route",
    "example.com!alice@example.com",
    "unknown",
    "RFC 5321 §3.7 and appendix F",
  ),
  row(
    "dots-two",
    "two dots in a row",
    "no..body@example.com",
    "unknown",
    "RFC 5321 §4.1.2 wants quotes; it is in no list",
  ),
  row(
    "dot-last",
    "a dot before the @",
    "nobody.@example.com",
    "unknown",
    "RFC 5321 §4.1.2 wants quotes; it is in no list",
  ),
  row(
    "dot-first",
    "a dot first",
    ".nobody@example.com",
    "unknown",
    "RFC 5321 §4.1.2 wants quotes; it is in no list",
  ),
  row(
    "dots-listed",
    "two dots in a row, listed",
    "two..dots@example.com",
    "deliverable",
    "many senders leave the quotes out",
  ),
  row(
    "long-64",
    "local part of 64 octets",
    `${"l".repeat(64)}@example.com`,
    "deliverable",
    "RFC 5321 §4.5.3.1.1",
  ),
  row(
    "long-listed",
    "local part of 85 octets, listed",
    `${"m".repeat(85)}@example.com`,
    "deliverable",
    "RFC 5321 §4.5.3.1: longer ones may be accepted",
  ),
  row(
    "long-unknown",
    "local part of 85 octets, unknown",
    `${LONG}@example.com`,
    "unknown",
    "RFC 5321 §4.5.3.1",
  ),
  row(
    "long-domain",
    "subaddress that makes 250 octets",
    `alice+${"y".repeat(230)}@example.com`,
    "deliverable",
    "RFC 5321 §4.5.3.1.3",
  ),
];

const INTERNATIONAL: readonly Row[] = [
  row(
    "idn-u",
    "IDN in Unicode",
    "info@bücher.example",
    "deliverable",
    "RFC 6531 §3.2: U-label and A-label are one domain; [docker-mailserver #794](https://github.com/docker-mailserver/docker-mailserver/issues/794), [mailcow-dockerized #2875](https://github.com/mailcow/mailcow-dockerized/issues/2875)",
  ),
  row(
    "idn-u-case",
    "IDN in Unicode, other case",
    "Info@BÜCHER.example",
    "deliverable",
    "RFC 5891, RFC 5895 §2.1",
  ),
  row(
    "idn-u-nfd",
    "IDN in Unicode, decomposed",
    "info@bu\u0308cher.example",
    "deliverable",
    "RFC 5895 §2.3: NFC",
  ),
  row(
    "idn-a",
    "IDN in A-labels",
    "info@xn--bcher-kva.example",
    "deliverable",
    "RFC 5890 §2.3.2.1; [Mailu #1581](https://github.com/Mailu/Mailu/issues/1581)",
  ),
  row(
    "idn-a-case",
    "IDN in A-labels, upper case",
    "Info@XN--BCHER-KVA.example",
    "deliverable",
    "RFC 5890 §2.3.2.1",
  ),
  row("idn-u-unknown", "IDN in Unicode, unknown", "nobody@bücher.example", "unknown", "RFC 6531 §3.2"),
  row(
    "idn-a-unknown",
    "IDN in A-labels, unknown",
    "nobody@xn--bcher-kva.example",
    "unknown",
    "RFC 5890 §2.3.2.1",
  ),
  row(
    "idn-postmaster",
    "postmaster of an IDN",
    "postmaster@bücher.example",
    "deliverable",
    "RFC 5321 §4.5.1",
  ),
  row("utf8", "local part in UTF-8", "jörg@example.com", "deliverable", "RFC 6531 §3.3"),
  row("utf8-case", "local part in UTF-8, other case", "JÖRG@example.com", "deliverable", "RFC 5321 §2.4"),
  row(
    "utf8-nfd",
    "local part in UTF-8, decomposed",
    "jo\u0308rg@example.com",
    "deliverable",
    "RFC 6532 §3.1: NFC",
  ),
  row("utf8-unknown", "local part in UTF-8, unknown", "jürg@example.com", "unknown", "RFC 6531 §3.3"),
  row("utf8-han", "local part in Han", "用户@example.com", "deliverable", "RFC 6531 §3.3"),
  row(
    "utf8-subaddress",
    "local part in UTF-8 with a subaddress",
    "jörg+news@example.com",
    "deliverable",
    "RFC 5233",
  ),
  row("utf8-idn", "both in UTF-8", "jörg@bücher.example", "deliverable", "RFC 6531 §3.3"),
  row(
    "utf8-quoted",
    "quoted local part in UTF-8",
    '"jörg"@example.com',
    "deliverable",
    "RFC 6531 §3.3 QcontentSMTP",
  ),
  row(
    "utf8-ascii",
    "the ASCII look-alike",
    "jorg@example.com",
    "unknown",
    "RFC 6531 §3.3: no folding of accents",
  ),
  row(
    "utf8-punycode",
    "local part in Punycode",
    "xn--jrg-sna@example.com",
    "unknown",
    "RFC 6531 §3.2: local parts are never converted",
  ),
];

const SYSTEM: readonly Row[] = [
  row(
    "postmaster",
    "postmaster",
    "postmaster@example.com",
    "deliverable",
    "RFC 5321 §4.5.1; [OpenSMTPD #289](https://github.com/OpenSMTPD/OpenSMTPD/issues/289)",
  ),
  row(
    "postmaster-case",
    "postmaster in mixed case",
    "PostMaster@example.com",
    "deliverable",
    "RFC 5321 §4.5.1",
  ),
  row(
    "postmaster-bare",
    "postmaster without a domain",
    "Postmaster",
    "deliverable",
    "RFC 5321 §4.5.1; [Haraka #3111](https://github.com/haraka/Haraka/issues/3111)",
  ),
  row(
    "postmaster-quoted",
    "postmaster in quotes",
    '"postmaster"@example.com',
    "deliverable",
    "RFC 5321 §4.1.2",
  ),
  row(
    "postmaster-subaddress",
    "subaddress of postmaster",
    "postmaster+x@example.com",
    "unknown",
    "RFC 5321 §4.5.1 names postmaster alone, and it is not listed",
  ),
  row(
    "postmaster-off",
    "postmaster, turned off and not listed",
    "postmaster@nopostmaster.example",
    "unknown",
    "`postmaster = false`",
  ),
  row(
    "postmaster-disabled",
    "postmaster, listed as disabled",
    "postmaster@abuse.example",
    "disabled",
    "the exact name comes first",
  ),
  row(
    "postmaster-unpublished",
    "postmaster of a domain without a list",
    "postmaster@example.net",
    "not-served",
    "law 1",
  ),
  row(
    "postmaster-bounce",
    "postmaster, from the null sender",
    "postmaster@example.com",
    "deliverable",
    "RFC 5321 §4.5.1",
    { from: "" },
  ),
  row("abuse", "abuse, listed", "abuse@abuse.example", "deliverable", "RFC 2142 §2"),
  row(
    "abuse-unlisted",
    "abuse, not listed",
    "abuse@example.com",
    "unknown",
    "RFC 2142 asks the site to have it; only postmaster is a must",
  ),
  row(
    "null-sender",
    "a bounce to a mailbox",
    "alice@example.com",
    "deliverable",
    "RFC 5321 §4.5.5; [smtp-server #75](https://github.com/nodemailer/smtp-server/issues/75)",
    {
      from: "",
    },
  ),
  row(
    "null-sender-unknown",
    "a bounce to an unknown mailbox",
    "nobody@example.com",
    "unknown",
    "RFC 5321 §4.5.5 exempts nothing",
    { from: "" },
  ),
  row("null-sender-full", "a bounce to a full mailbox", "overfull@example.com", "full", "RFC 3463 X.2.2", {
    from: "",
  }),
];

const CATCH_ALL: readonly Row[] = [
  row(
    "catch-all",
    "any name of a catch-all",
    "anything@catchall.example",
    "deliverable",
    "`catchall = true`",
  ),
  row(
    "catch-all-subaddress",
    "any subaddress of a catch-all",
    "any+thing@catchall.example",
    "deliverable",
    "`catchall = true`",
  ),
  row(
    "catch-all-quoted",
    "any quoted name of a catch-all",
    '"any thing"@catchall.example',
    "deliverable",
    "`catchall = true`",
  ),
  row(
    "catch-all-disabled",
    "exception of a catch-all: disabled",
    "leaver@catchall.example",
    "disabled",
    "the exact name comes first",
  ),
  row(
    "catch-all-disabled-subaddress",
    "its subaddress",
    "leaver+x@catchall.example",
    "disabled",
    "the mailbox decides",
  ),
  row(
    "catch-all-moved",
    "exception of a catch-all: moved",
    "elsewhere@catchall.example",
    "moved",
    "the exact name comes first",
  ),
  row(
    "catch-all-full",
    "exception of a catch-all: full",
    "overfull@catchall.example",
    "full",
    "the exact name comes first",
  ),
  row(
    "catch-all-empty",
    "empty local part at a catch-all",
    '""@catchall.example',
    "unknown",
    "a catch-all does not match the empty name",
  ),
];

const ALIASES: readonly Row[] = [
  row(
    "alias",
    "a mailbox at an alias",
    "alice@alias.example",
    "deliverable",
    "`alias`: the target's list answers",
  ),
  row(
    "alias-unknown",
    "unknown at an alias",
    "nobody@alias.example",
    "unknown",
    "`alias`: the target's list answers",
  ),
  row(
    "alias-disabled",
    "disabled at an alias",
    "leaver@alias.example",
    "disabled",
    "`alias`: the target's list answers",
  ),
  row(
    "alias-full",
    "full at an alias",
    "overfull@alias.example",
    "full",
    "`alias`: the target's list answers",
  ),
  row("alias-departed", "departed at an alias", "gone@alias.example", "departed", "law 4"),
  row(
    "alias-subaddress",
    "subaddress at an alias",
    "alice+lists@alias.example",
    "deliverable",
    "`alias`: the target's list answers",
  ),
  row(
    "alias-postmaster",
    "postmaster at an alias",
    "postmaster@alias.example",
    "deliverable",
    "RFC 5321 §4.5.1",
  ),
  row("alias-case", "an alias in mixed case", "Alice@ALIAS.example", "deliverable", "RFC 5321 §2.4"),
];

const GLOB = "docs/publishing.md, patterns";
const PATTERNS: readonly Row[] = [
  row("pattern", "a name that a pattern covers", "ticket-7@pattern.example", "deliverable", GLOB),
  row("pattern-case", "the same in mixed case", "Ticket-7@PATTERN.example", "deliverable", "RFC 5321 §2.4"),
  row("pattern-end", "covered by its end", "dev-support@pattern.example", "deliverable", GLOB),
  row(
    "pattern-exact",
    "listed itself, in another state",
    "ticket-1@pattern.example",
    "disabled",
    "the exact name goes first",
  ),
  row(
    "pattern-longest",
    "two patterns cover it",
    "ticket-vip-7@pattern.example",
    "full",
    "the longest fixed part decides",
  ),
  row("pattern-disabled", "a disabled pattern", "ceo-office@pattern.example", "disabled", "RFC 3463 X.2.1"),
  row("pattern-moved", "a moved pattern", "old-shop@pattern.example", "moved", "RFC 3463 X.1.6"),
  row(
    "pattern-departed",
    "a pattern that left within the grace",
    "gone-7@pattern.example",
    "departed",
    "law 4 for every name under it",
  ),
  row("pattern-unknown", "no pattern covers it", "case-7@pattern.example", "unknown", "RFC 3463 X.1.1"),
  row(
    "pattern-empty",
    "nothing in place of the asterisk",
    "ticket-@pattern.example",
    "unknown",
    "the asterisk stands for one character at least",
  ),
  row("pattern-other-delimiter", "another delimiter", "ticket+7@pattern.example", "unknown", GLOB),
  row(
    "pattern-verp",
    "VERP under a pattern",
    "bounces+list-7=user.name=elsewhere.example@pattern.example",
    "deliverable",
    "a VERP address has many delimiters, and its start decides",
  ),
  row(
    "pattern-before-subaddress",
    "subaddress that a pattern disables",
    "alice+news@pattern.example",
    "disabled",
    "a pattern goes before the subaddress",
  ),
  row(
    "pattern-beside",
    "the mailbox of that subaddress",
    "alice@pattern.example",
    "deliverable",
    "RFC 5321 §3.3",
  ),
  row(
    "pattern-batv",
    "BATV of a name under a pattern",
    "prvs=1234abcdef=ticket-7@pattern.example",
    "deliverable",
    "draft-levine-smtp-batv: the tag is taken off first",
  ),
  row(
    "pattern-subaddress",
    "subaddress of a name under a pattern",
    "ticket-7+x@pattern.example",
    "deliverable",
    "the pattern covers what follows, too",
  ),
  row(
    "pattern-end-subaddress",
    "subaddress of a name that is covered by its end",
    "dev-support+tag@pattern.example",
    "deliverable",
    "without its subaddress a name is looked up as it would be",
  ),
  row(
    "pattern-end-subaddress-case",
    "the same in mixed case, with a BATV tag",
    "prvs=1234abcdef=Dev-SUPPORT+Tag@PATTERN.example",
    "deliverable",
    "RFC 5321 §2.4; draft-levine-smtp-batv",
  ),
  row(
    "pattern-end-subaddress-departed",
    "the same where the pattern left within the grace",
    "dev-gone+tag@pattern.example",
    "departed",
    "law 4 for every name under it",
  ),
  row(
    "pattern-end-subaddress-listed",
    "the same where the name is listed itself",
    "ops-support+tag@pattern.example",
    "disabled",
    "the exact name goes first, also without the subaddress",
  ),
  row(
    "pattern-end-other-delimiter",
    "what is no subaddress",
    "dev-support=tag@pattern.example",
    "unknown",
    "`delimiters`",
  ),
  row("pattern-dot", "a dot as delimiter", "info.berlin@pattern.example", "deliverable", GLOB),
  row(
    "pattern-quoted",
    "quoted",
    '"ticket-7"@pattern.example',
    "deliverable",
    "RFC 5321 §4.1.2: quotes add nothing",
  ),
  row("pattern-utf8", "UTF-8 before the delimiter", "büro-7@pattern.example", "deliverable", "RFC 6531 §3.3"),
  row(
    "pattern-utf8-nfd",
    "the same in NFD",
    "bu\u0308ro-7@pattern.example",
    "deliverable",
    "RFC 6531 §3.1, RFC 5198: NFC",
  ),
  row(
    "pattern-literal",
    "an asterisk that is listed",
    "star*@pattern.example",
    "deliverable",
    "`\\*` lists an asterisk",
  ),
  row(
    "pattern-not-literal",
    "no pattern by that asterisk",
    "starfish@pattern.example",
    "unknown",
    "`\\*` lists an asterisk",
  ),
  row(
    "pattern-catch-all",
    "a disabled pattern beside a catch-all",
    "head-office@pattern-catchall.example",
    "disabled",
    "a pattern goes before the catch-all",
  ),
  row(
    "pattern-catch-all-other",
    "the catch-all for what it does not cover",
    "head-desk@pattern-catchall.example",
    "deliverable",
    "`catchall = true`",
  ),
  row(
    "pattern-dots-ignored",
    "dots where they are ignored",
    "sa.les-7.1@pattern-dots.example",
    "deliverable",
    '`dots = "ignored"`',
  ),
  row(
    "pattern-delimiter",
    "a subaddress with the delimiter of a pattern",
    "anna-y@pattern-minus.example",
    "deliverable",
    "no pattern covers it, so the subaddress decides",
  ),
  row(
    "pattern-delimiter-disabled",
    "the same under a disabled pattern",
    "anna-x-y@pattern-minus.example",
    "disabled",
    "a pattern goes before the subaddress",
  ),
  observed(
    "pattern-observe",
    "a disabled pattern in observe mode",
    "ceo-office@pattern-observe.example",
    "disabled",
    "law 4",
  ),
  row(
    "pattern-defer",
    "a disabled pattern in defer mode",
    "ceo-office@pattern-defer.example",
    "disabled",
    "law 4",
    {
      codes: "450 4.7.1",
    },
  ),
];

const OBSERVE: readonly Row[] = [
  row("observe", "a mailbox in observe mode", "alice@observe.example", "deliverable", "law 4"),
  observed("observe-unknown", "unknown in observe mode", "nobody@observe.example", "unknown", "law 4"),
  observed("observe-disabled", "disabled in observe mode", "leaver@observe.example", "disabled", "law 4"),
  observed("observe-moved", "moved in observe mode", "elsewhere@observe.example", "moved", "law 4"),
  observed("observe-full", "full in observe mode", "overfull@observe.example", "full", "law 4"),
  observed("observe-departed", "departed in observe mode", "gone@observe.example", "departed", "law 4"),
  observed("observe-empty", "empty local part in observe mode", '""@observe.example', "unknown", "law 4"),
];

const LATER = { codes: "450 4.7.1" };
const DEFER: readonly Row[] = [
  row("defer", "a mailbox in defer mode", "alice@defer.example", "deliverable", "law 4"),
  row("defer-unknown", "unknown in defer mode", "nobody@defer.example", "unknown", "law 4", LATER),
  row("defer-disabled", "disabled in defer mode", "leaver@defer.example", "disabled", "law 4", LATER),
  row("defer-moved", "moved in defer mode", "elsewhere@defer.example", "moved", "law 4", LATER),
  row("defer-full", "full in defer mode", "overfull@defer.example", "full", "law 4"),
  row("defer-departed", "departed in defer mode", "gone@defer.example", "departed", "law 4"),
];

const FORMS: readonly Row[] = [
  row(
    "source-route",
    "source route",
    "@relay.example:alice@example.com",
    "deliverable",
    "RFC 5321 §4.1.1.3: accepted and ignored",
  ),
  row(
    "source-route-two",
    "source route of two hosts",
    "@a.example,@b.example:alice@example.com",
    "deliverable",
    "RFC 5321 §4.1.1.3",
  ),
  row(
    "source-route-unknown",
    "source route, unknown",
    "@relay.example:nobody@example.com",
    "unknown",
    "RFC 5321 §4.1.1.3",
  ),
  row(
    "trailing-dot",
    "dot after the domain",
    "alice@example.com.",
    "deliverable",
    "RFC 5321 §2.3.5 does not allow it; DNS means the same name",
  ),
  row(
    "trailing-dot-unknown",
    "dot after the domain, unknown",
    "nobody@example.com.",
    "unknown",
    "RFC 5321 §2.3.5",
  ),
  row(
    "bare",
    "local part without a domain",
    "nobody",
    "malformed",
    "RFC 5321 §4.1.1.3: only postmaster may be bare",
  ),
  row(
    "literal",
    "address literal of this server",
    "alice@[127.0.0.1]",
    "not-served",
    "RFC 5321 §4.1.3: a domain not served, never an error",
  ),
  row(
    "literal-elsewhere",
    "address literal of another host",
    "alice@[192.0.2.1]",
    "not-served",
    "RFC 5321 §4.1.3",
  ),
];

export const CORPUS: readonly Row[] = [
  ...STATES,
  ...CASE,
  ...SUBADDRESSES,
  ...BOUNCE_ADDRESSES,
  ...QUOTES,
  ...CHARACTERS,
  ...INTERNATIONAL,
  ...SYSTEM,
  ...CATCH_ALL,
  ...ALIASES,
  ...PATTERNS,
  ...OBSERVE,
  ...DEFER,
  ...FORMS,
];
