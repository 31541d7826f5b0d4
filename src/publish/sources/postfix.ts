import { statSync } from "node:fs";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { kind, type SourceHost } from "./kind.ts";
import { eachLine } from "./lines.ts";
import { outputOf } from "./program.ts";
import { TIMEOUT_SETTING } from "./settings.ts";
import type { Source, SourceSink } from "./source.ts";

/** Kinds of map that Postfix can list, and the suffix of the file that it reads instead of the text. */
const LISTED: Readonly<Record<string, string>> = {
  hash: ".db",
  btree: ".db",
  lmdb: ".lmdb",
  cdb: ".cdb",
  dbm: ".pag",
  texthash: "",
};
/** Maps of patterns: a pattern is not a list of the addresses that match it. */
const PATTERNS = ["regexp", "pcre", "cidr"];
/** Maps that ask another service, and the kind of source that asks it. */
const SERVICES: Readonly<Record<string, string>> = {
  mysql: "mariadb",
  pgsql: "postgresql",
  sqlite: "sqlite",
  ldap: "ldap",
};

const MAP = 'must be a map as main.cf names it, such as "lmdb:/etc/postfix/relay_recipients"';

/** What `postalias` stores beside the aliases (for NIS). */
const INTERNAL = /^(?:@|YP_(?:LAST_MODIFIED|MASTER_NAME))$/;

/**
 * `kind = "postfix"`: the keys of a table of Postfix, read by Postfix's own postmap or postalias (postmap(1), option -s).
 * Relay recipients, virtual aliases and virtual mailboxes have addresses as keys; aliases(5) has local parts.
 */
export const postfix = kind({
  settings: {
    map: v.pipe(v.string(MAP), v.regex(/^(?:proxy:)?[a-z]+:[^,\s]+$/, MAP)),
    table: v.optional(
      v.picklist(["addresses", "aliases"], 'must be "addresses", or "aliases" for a table as in aliases(5)'),
      "addresses",
    ),
    bare_names: v.optional(
      v.picklist(["refuse", "skip", "keep"], 'must be "refuse", "skip" or "keep"'),
      "refuse",
    ),
    timeout: TIMEOUT_SETTING,
  },
  open({ map, table, bare_names, timeout }, host) {
    const { type, path } = listedMap(map, host);
    const isAliases = table === "aliases";
    // An alias has no domain: it belongs to the domain whose list this is.
    const bareNames = isAliases ? "keep" : bare_names;
    const argv = [isAliases ? "postalias" : "postmap", "-s", `${type}:${path}`];
    return {
      describe: () => `${host.shown} (${map})`,
      async read(sink, signal) {
        requireFresh(type, path, map, isAliases);
        const domains = new Domains(host.domain);
        await eachLine(outputOf({ argv, timeout }, host, signal), {
          line(line, text) {
            const key = text.slice(0, Math.max(0, text.indexOf(isAliases ? ":\t" : "\t")));
            if (isAliases && INTERNAL.test(key)) return;
            domains.see(line, key);
            take(line, key, bareNames, host.domain, sink);
          },
          fault: (line, reason) => sink.fault(line, reason),
        });
        if (bareNames === "refuse") domains.refuseOthers(sink);
      },
    } satisfies Source;
  },
});

/**
 * Tells `example.com anything`, which declares a domain, from a user such as john.smith: a domain has addresses in the same
 * table, or is the one whose list this is.
 */
class Domains {
  readonly #domains: Set<string>;
  /** Keys with a dot and without @. */
  readonly #dotted: { readonly line: number; readonly key: string }[] = [];

  constructor(domain: string) {
    this.#domains = new Set([domain]);
  }

  see(line: number, key: string): void {
    const at = key.lastIndexOf("@");
    if (at >= 0) this.#domains.add(key.slice(at + 1).toLowerCase());
    else if (key.includes(".")) this.#dotted.push({ line, key });
  }

  refuseOthers(sink: Pick<SourceSink, "fault">): void {
    for (const { line, key } of this.#dotted) {
      if (this.#domains.has(key.toLowerCase())) continue;
      sink.fault(
        line,
        `"${key}" is not the domain of another key, so it may be a name without a domain: set bare_names to "skip" or "keep"`,
      );
    }
  }
}

/** A key of the table. See virtual(5): `user@domain`, `@domain`, `user`, and in some tables `domain`. */
function take(
  line: number,
  key: string,
  bareNames: "refuse" | "skip" | "keep",
  domain: string,
  sink: Pick<SourceSink, "entry" | "fault" | "leftOut">,
): void {
  if (key === "") sink.fault(line, "a row without a key");
  else if (key.includes("@")) sink.entry(line, key, "active");
  else if (bareNames === "keep") sink.entry(line, `${key}@${domain}`, "active");
  // `example.com anything` declares a virtual alias domain, and names no recipient.
  else if (bareNames === "skip" && !key.includes(".")) sink.leftOut?.(line, "without a domain");
  else if (bareNames === "refuse" && !key.includes(".")) {
    sink.fault(
      line,
      `"${key}" has no domain; Postfix looks such a key up for $myorigin and $mydestination only: set bare_names to "keep" if that is ${domain}, or to "skip"`,
    );
  }
}

/** @throws PublishError `input` for a map that cannot be listed, with what to do instead */
function listedMap(map: string, { shown, path }: SourceHost): { type: string; path: string } {
  const [type = "", file = ""] = map.replace(/^proxy:/, "").split(/:(.*)/s);
  if (LISTED[type] !== undefined) return { type, path: path(file) };
  const service = SERVICES[type];
  if (PATTERNS.includes(type)) {
    throw new PublishError(
      "input",
      `${shown}: ${map} contains patterns, which do not say which addresses exist`,
      "list the addresses; for a domain that accepts everything, set catchall = true in its table",
    );
  }
  throw new PublishError(
    "input",
    `${shown}: a map of type ${type} cannot be listed`,
    service === undefined
      ? `use one of ${Object.keys(LISTED).join(", ")}`
      : `read the same data with a source of kind = "${service}"`,
  );
}

/**
 * Requires that a compiled map is not older than its text: Postfix would use it with a warning.
 * @throws PublishError `input`
 */
function requireFresh(type: string, path: string, map: string, isAliases: boolean): void {
  const text = statSync(path, { throwIfNoEntry: false });
  const compiled = statSync(`${path}${LISTED[type]}`, { throwIfNoEntry: false });
  // postmap itself reports a map that is not there. Some hosts keep only the compiled one.
  if (text === undefined || compiled === undefined || text.mtimeMs <= compiled.mtimeMs) return;
  throw new PublishError(
    "input",
    `${map} is older than ${path}`,
    `run ${isAliases ? "postalias" : "postmap"} ${map.replace(/^proxy:/, "")}, and publish again`,
  );
}
