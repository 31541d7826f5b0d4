/**
 * What a mail server must leave alone when our lines are pasted: the same for each, before and after. A case is a message, and
 * its outcome says where it arrived.
 */

import type { Host } from "../../../integrations/host.ts";

/** Where a message comes from. */
export type Source =
  /** The command `sendmail` on the host, as the root user. */
  | "command"
  /** As cron runs it. */
  | "cron"
  /** SMTP from the host to itself. */
  | "loopback"
  | "loopback6"
  /** SMTP from elsewhere with a login, and without. */
  | "authenticated"
  | "stranger";

/** Servers behind (`world` for every other domain, `mailboxes` for the domains of our lines) and the user `ada`. */
export type Place = "world" | "mailboxes" | "ada";

/** A place, or what the client was told: `550`; any 4xx; any 4xx or 5xx. */
export type Outcome = Place | "550" | "deferred" | "refused" | "mailboxes or deferred";

export interface Case {
  readonly name: string;
  readonly source: Source;
  /** As written on the command line, or between the angle brackets of RCPT TO. */
  readonly to: string;
  /** The null sender, as bounces have it. */
  readonly isBounce?: boolean;
  readonly outcome: Outcome;
  /** Not tried with the distribution's default configuration. */
  readonly isNew?: boolean;
  /** With the distribution's default configuration, if that is another one. */
  readonly before?: Outcome;
  /** While the bridge and the edge are away, if that matters. */
  readonly away?: Outcome;
}

const WORLD = "someone@world.example";
const local = (name: string, source: Source, to: string): Case => ({ name, source, to, outcome: "ada" });
const abroad = (name: string, source: Source): Case => ({ name, source, to: WORLD, outcome: "world" });
const relaying = (to: string): Case => ({
  name: `a stranger may not relay to ${to}`,
  source: "stranger",
  to,
  outcome: "refused",
});

const ours = (name: string, source: Source, to: string): Case => ({
  name,
  source,
  to,
  outcome: "mailboxes",
  isNew: true,
});

/** Its own clients over SMTP: a server may ask about their recipients too, and then defers. */
const overSmtp = (name: string, source: Source, to: string): Case => ({
  ...ours(name, source, to),
  away: "mailboxes or deferred",
});

/** Behind the way in titles. */
export const AWAY = "bridge and edge are away";

/** What is seen of a message that waits in the server's queue after a try that failed. */
export const WAITS = "waits";

/** In /etc/aliases, besides what the installation puts there. */
export const ALIAS = "boss: known@example.com\n";

const CASES: readonly Case[] = [
  abroad("the command sends to another domain", "command"),
  { ...abroad("a bounce of this host goes to another domain", "command"), isBounce: true },
  abroad("a program of this host sends to another domain over SMTP", "loopback"),
  abroad("a program of this host sends to another domain over SMTP and IPv6", "loopback6"),
  abroad("a user with a login sends to another domain", "authenticated"),
  local("mail to root stays here", "command", "root"),
  local("cron's mail stays here", "cron", "root"),
  local("mail to a user of this host stays here", "command", "ada"),
  local("mail to postmaster stays here", "command", "postmaster"),
  local("mail to root at the host's name stays here", "command", "root@mx.example.org"),
  local("mail to root at the host's name over SMTP stays here", "loopback", "root@mx.example.org"),
  local("mail to root at localhost over SMTP stays here", "loopback", "root@localhost"),
  local("mail from outside to a user of this host stays here", "stranger", "ada@mx.example.org"),
  {
    name: "an unknown user of this host is refused",
    source: "stranger",
    to: "nemo@mx.example.org",
    outcome: "refused",
  },
  relaying(WORLD),
  relaying("someone%world.example@mx.example.org"),
  relaying("someone%world.example@example.com"),
  relaying('"someone@world.example"@mx.example.org'),
  relaying('"someone@world.example"@example.com'),
  relaying("@mx.example.org:someone@world.example"),
  relaying("@example.com:someone@world.example"),
  relaying("world.example!someone@mx.example.org"),
  relaying("someone@world.example@mx.example.org"),
  ours("the command writes to a mailbox of our domain", "command", "known@example.com"),
  overSmtp("a program of this host writes to a mailbox of our domain", "loopback", "known@example.com"),
  overSmtp("a user with a login writes to a mailbox of our domain", "authenticated", "known@example.com"),
  ours("an alias of this host is a mailbox of our domain", "command", "boss"),
  {
    name: "a known recipient is accepted",
    source: "stranger",
    to: "known@example.com",
    before: "refused",
    outcome: "mailboxes",
    away: "deferred",
  },
  {
    name: "an unknown recipient is refused",
    source: "stranger",
    to: "nobody@example.com",
    before: "refused",
    outcome: "550",
    away: "deferred",
  },
];

/** Those that can be tried with a server. @param isBefore with its default configuration */
export const casesOf = ({ hasUsers }: Pick<Host, "hasUsers">, isBefore: boolean): readonly Case[] =>
  CASES.filter(({ isNew = false, source, outcome }) => {
    if (isNew) return hasUsers && !isBefore;
    return hasUsers || (outcome !== "ada" && source !== "command" && source !== "cron");
  });

/** What a case is to show. */
export function wanted({ outcome, before, away }: Case, isBefore: boolean, isAway: boolean): Outcome {
  if (isBefore) return before ?? outcome;
  return isAway ? (away ?? outcome) : outcome;
}

/** Whether what was seen is that: a place, or a reply. */
export function shows(seen: string, outcome: Outcome): boolean {
  if (outcome === "mailboxes or deferred") return seen === "mailboxes" || shows(seen, "deferred");
  // A message of the host's own command has no client that is told so.
  if (outcome === "deferred" && seen === WAITS) return true;
  if (outcome === "deferred") return /^4\d\d\b/.test(seen);
  // A server that listens to nobody outside hangs up.
  if (outcome === "refused") return /^[45]\d\d\b|hung up/.test(seen);
  if (outcome === "550") return /^550\b/.test(seen);
  return seen === outcome;
}
