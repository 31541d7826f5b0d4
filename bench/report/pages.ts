/** Tables of the results in other pages than docs/performance.md, between marks of their own. */
import { between, type Column, tableOf } from "../../testing/markdown.ts";
import { figure } from "./figures.ts";
import type { Measurement } from "./measurement.ts";
import type { Results } from "./results.ts";

export interface Page {
  /** Within the repository. */
  readonly path: string;
  /** Names the marks: `<!-- measured: NAME, npm run bench -- --write -->` and `<!-- /measured -->`. */
  readonly name: string;
  table(find: Find): string;
}

/** A measurement by its id. @throws Error if there is none */
export type Find = (id: string) => Measurement;

export const PAGES: readonly Page[] = [
  { path: "docs/replica.md", name: "replica", table: replicaTable },
  { path: "docs/bridge.md", name: "memory", table: memoryTable },
  { path: "docs/sources.md", name: "sources", table: sourcesTable },
  { path: "docs/mta/postfix.md", name: "maps", table: mapsTable },
  { path: "docs/mta/README.md", name: "front-ends", table: frontEndsTable },
];

/** The page with its table of these results. */
export function withResults(text: string, { name, table }: Page, { measurements }: Results): string {
  const find: Find = (id) => {
    const found = measurements.find((each) => each.id === id);
    if (found === undefined) throw new Error(`the results have no measurement ${id}`);
    return found;
  };
  const begin = `<!-- measured: ${name}, npm run bench -- --write -->`;
  return between(text, begin, "<!-- /measured -->", table(find));
}

const shown = ({ value, unit }: Measurement): string => figure(value, unit);
const behind = ({ id, detail }: Measurement, what: string): number => {
  const found = detail?.[what];
  if (found === undefined) throw new Error(`${id} has no figure "${what}" behind it`);
  return found;
};

function replicaTable(find: Find): string {
  const of = (size: string, what: string): string => shown(find(`replica-size.${size}.${what}`));
  return tableOf(
    [
      ["1m", "1 million"],
      ["10m", "10 million"],
    ] as const,
    [
      ["mailboxes", ([, mailboxes]) => mailboxes],
      ["resident, whole bridge, every part of the list used", ([size]) => of(size, "memory")],
      ["first sync, edge on the same host", ([size]) => of(size, "first-sync")],
      ["start from disk, until the list is confirmed", ([size]) => of(size, "start")],
    ],
  );
}

function memoryTable(find: Find): string {
  const bytes = (each: Measurement, what: string): string => figure(behind(each, what), "bytes");
  return tableOf(
    [find("bridge.memory.debian"), find("bridge.memory")],
    [
      ["Node", ({ what }) => /on Node (\S+)$/.exec(what)?.[1] ?? what],
      ["at the start", (each) => bytes(each, "at the start, bytes")],
      ["after a million names, cache full", shown],
      ["at the peak", (each) => bytes(each, "peak, bytes")],
    ],
  );
}

/** Each way to look recipients up, as in the suite `maps`. */
const WAYS = [
  ["replica", "`socketmap:unix:…:recipients`, bridge with a replica"],
  ["replica-tcp", "`socketmap:inet:…:recipients`, bridge with a replica"],
  ["replica-policy", "`check_policy_service unix:…`, bridge with a replica"],
  ["edge", "`socketmap:unix:…:recipients`, bridge that asks the edge"],
  ["proxy-lmdb", "`proxy:lmdb:`"],
  ["mysql", "`mysql:`, a local MariaDB over a unix socket"],
  ["ldap", "`ldap:`, a local OpenLDAP"],
  ["verify", "`reject_unverified_recipient`, a local server with the mailboxes"],
] as const;

/** A ratio, with the rate of our side of it. */
function ratioAndRate(each: Measurement): string {
  const rate = behind(each, "recipients a second");
  return `${shown(each)} (${rate < 1 ? figure(rate, "count") : figure(rate, "/s").replace("/s", "")} a second)`;
}

function mapsTable(find: Find): string {
  const column = (head: string, race: string): Column<(typeof WAYS)[number]> => [
    head,
    ([way]) => ratioAndRate(find(`maps.${race}.${way}`)),
  ];
  return tableOf(WAYS, [
    ["recipients looked up by", ([, what]) => what],
    column("one at a time, hot names", "one.hot"),
    column("one at a time, names never asked before", "one.new"),
    column("pipelined, hot names", "pipelined.hot"),
    column("pipelined, names never asked before", "pipelined.new"),
  ]);
}

/** Each way of the suite `front-ends`, and the local list that its server is compared with. */
const FRONT_ENDS = [
  ["postfix.relay-recipient-maps", "Postfix, recipient table over socketmap", "lmdb table"],
  ["postfix.tcp-table", "Postfix, tcp table", "lmdb table"],
  ["postfix.policy-service", "Postfix, policy service", "lmdb table"],
  ["exim.acl", "Exim, ACL", "ACL, cdb lookup"],
  ["exim.router", "Exim, router", "router, cdb lookup"],
  ["opensmtpd.table", "OpenSMTPD, table process", "`file:` table"],
  ["sendmail.socketmap", "Sendmail, socketmap", "access map, hash"],
  ["haraka.bridge", "Haraka, plugin that asks the bridge", "`recipient-routes`, file"],
  ["haraka.edge", "Haraka, plugin that asks the edge (on the same host)", "`recipient-routes`, file"],
] as const;
/** OpenSMTPD does not offer it. */
const WITHOUT_PIPELINING: readonly string[] = ["opensmtpd.table"];

function frontEndsTable(find: Find): string {
  const column = (head: string, race: string): Column<(typeof FRONT_ENDS)[number]> => [
    head,
    ([way]) =>
      race.startsWith("pipelined") && WITHOUT_PIPELINING.includes(way)
        ? "no pipelining"
        : ratioAndRate(find(`front-ends.${way}.${race}`)),
  ];
  return tableOf(FRONT_ENDS, [
    ["mail server, way", ([, what]) => what],
    ["against its own", ([, , list]) => list],
    column("one at a time, known", "one.known"),
    column("one at a time, unknown", "one.unknown"),
    column("pipelined, known", "pipelined.known"),
    column("pipelined, unknown", "pipelined.unknown"),
  ]);
}

/** The kinds of the suite `sources`. */
const SOURCES = ["postgresql", "mariadb", "sqlite", "ldap", "text", "csv", "gzip", "command"] as const;
const SOURCE_NAMES: Partial<Record<(typeof SOURCES)[number], string>> = {
  text: "`file`: text",
  csv: "`file`: CSV",
  gzip: "`file`: text, compressed with gzip",
  command: "`command`: text",
};

function sourcesTable(find: Find): string {
  const of = (id: string, what: string): Measurement => find(`sources.${id}.${what}`);
  const rowsOf = (id: string): string => figure(behind(of(id, "reading"), "rows"), "count");
  return tableOf(SOURCES, [
    ["source", (id) => SOURCE_NAMES[id] ?? /from (.+): time/.exec(of(id, "reading").what)?.[1] ?? id],
    ["rows", rowsOf],
    ["reading", (id) => figure(behind(of(id, "reading"), "seconds"), "s")],
    [
      "the client's own dump",
      (id) => {
        const each = of(id, "reading");
        const client = /against (.+)$/.exec(each.what)?.[1] ?? "";
        return `${figure(behind(each, "seconds of the client"), "s")} (${client})`;
      },
    ],
    ["first publish, whole", (id) => shown(of(id, "publish"))],
    ["its peak memory", (id) => shown(of(id, "memory"))],
    ["its KV writes", (id) => figure(behind(of(id, "publish"), "KV writes"), "count")],
  ]);
}
