/** The lists that the conformance corpus is about, published by the real command to a real edge. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { domainToASCII } from "node:url";

/** One domain: lines of its list, `local,state` with quotes as in CSV, and settings of rollcall.toml. */
interface Domain {
  readonly list: readonly string[];
  /** Published first, and no longer in the list that follows. */
  readonly left?: readonly string[];
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly mode?: "observe" | "defer";
}

const EVERY_STATE = ["alice,active", "leaver,disabled", "elsewhere,moved", "overfull,full"];

const DOMAINS: Readonly<Record<string, Domain>> = {
  // The policy that every domain has without settings: subaddresses with +, case and dots as usual.
  "example.com": {
    list: [
      ...EVERY_STATE,
      "o'brien,active",
      "first.last,active",
      "all!#$%&'\\*/=?^_`{|}~-chars,active",
      "bounces,active",
      "info+shop,active",
      "jörg,active",
      "用户,active",
      "per%cent,active",
      "uu!cp,active",
      `"""john doe""",active`,
      `"""a@b""",active`,
      `"""q\\""q""",active`,
      `"""two..dots""",active`,
      "batv=like,active",
      "prvs=0123456789=carol,disabled",
      "carol,active",
      `${"l".repeat(64)},active`,
      `${"m".repeat(85)},active`,
    ],
    left: ["gone,active"],
  },
  "bücher.example": { list: ["info,active", "jörg,active"] },
  "minus.example": {
    list: ["anna,active", "mary-ann,active", "list,active", "boss-office,disabled"],
    settings: { delimiters: "-" },
  },
  "many.example": { list: ["anna,active", "srs0,active", "srs1,active"], settings: { delimiters: "+-=_" } },
  "plain.example": { list: ["alice,active"], settings: { delimiters: "" } },
  "dots.example": { list: ["john.doe,active"], settings: { dots: "ignored" } },
  "case.example": { list: ["Alice,active"], settings: { case: "sensitive" } },
  "catchall.example": { list: EVERY_STATE, settings: { catchall: true } },
  "nopostmaster.example": { list: ["alice,active"], settings: { postmaster: false } },
  "abuse.example": { list: ["abuse,active", "postmaster,disabled"] },
  "nograce.example": { list: ["alice,active", "bob,active"], left: ["gone,active"], settings: { grace: 0 } },
  "text.example": { list: EVERY_STATE, settings: { text: "see https://help.example/" } },
  // Patterns, beside names that they cover.
  "pattern.example": {
    list: [
      "alice,active",
      "ticket-1,disabled",
      "ticket-*,active",
      "ticket-vip-*,full",
      "*-support,active",
      "ops-support,disabled",
      "ceo-*,disabled",
      "old-*,moved",
      "bounces,disabled",
      "bounces+*,active",
      "alice+*,disabled",
      "info.*,active",
      "büro-*,active",
      "star\\*,active",
    ],
    left: ["gone-*,active", "*-gone,active"],
  },
  "pattern-catchall.example": { list: ["*-office,disabled"], settings: { catchall: true } },
  "pattern-dots.example": { list: ["sales-*,active"], settings: { dots: "ignored" } },
  "pattern-minus.example": { list: ["anna,active", "anna-x-*,disabled"], settings: { delimiters: "-" } },
  "pattern-observe.example": { list: ["alice,active", "ceo-*,disabled"], mode: "observe" },
  "pattern-defer.example": { list: ["alice,active", "ceo-*,disabled"], mode: "defer" },
  "observe.example": { list: EVERY_STATE, left: ["gone,active"], mode: "observe" },
  "defer.example": { list: EVERY_STATE, left: ["gone,active"], mode: "defer" },
};

/** Another domain for the list of example.com. */
const ALIAS = "alias.example";
/** Published, then deleted. */
const DELETED = "deleted.example";
/** Relayed by the mail server, and never published. */
const UNPUBLISHED = "example.net";

/** Every domain that a mail server relays for the corpus, in A-labels. */
export const RELAYED: readonly string[] = [...Object.keys(DOMAINS), ALIAS, DELETED, UNPUBLISHED].map((name) =>
  domainToASCII(name),
);

const csvOf = (domain: string, lines: readonly string[]): string =>
  `address,state\n${lines.map((line) => addressLine(domain, line)).join("\n")}\n`;

/** `"""john doe""",active` becomes `"""john doe""@example.com",active`. */
function addressLine(domain: string, line: string): string {
  const comma = line.lastIndexOf(",");
  const local = line.slice(0, comma);
  const address = local.startsWith('"') ? `${local.slice(0, -1)}@${domain}"` : `${local}@${domain}`;
  return address + line.slice(comma);
}

function settingsOf(withDeleted: boolean): string {
  const tables = Object.entries(DOMAINS).map(([domain, { settings = {}, mode }]) =>
    [
      `[domains."${domain}"]`,
      `list = "${domain}.csv"`,
      ...(mode === undefined ? [] : [`mode = "${mode}"`]),
      ...Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    ].join("\n"),
  );
  tables.push(`[domains."${ALIAS}"]\nalias = "example.com"`);
  if (withDeleted) tables.push(`[domains."${DELETED}"]\nlist = "${DELETED}.csv"`);
  return `[defaults]\nmode = "enforce"\n\n${tables.join("\n\n")}\n`;
}

/**
 * Publishes the corpus's lists.
 * @param folder to work in: settings and lists are written to it
 * @param rollcall runs a command there, as the administrator of the edge
 */
export async function publishWorld(
  folder: string,
  rollcall: (args: readonly string[]) => Promise<string>,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const publish = async (note: string, more: readonly string[] = []): Promise<void> => {
    await rollcall(["publish", "--yes", "--note", note, ...more]);
  };
  writeFileSync(join(folder, "rollcall.toml"), settingsOf(true));
  writeFileSync(join(folder, `${DELETED}.csv`), csvOf(DELETED, ["alice,active"]));
  for (const [domain, { list, left = [] }] of Object.entries(DOMAINS)) {
    writeFileSync(join(folder, `${domain}.csv`), csvOf(domain, [...list, ...left]));
  }
  await publish("with those who leave");
  for (const [domain, { list }] of Object.entries(DOMAINS)) {
    writeFileSync(join(folder, `${domain}.csv`), csvOf(domain, list));
  }
  await publish("without them", ["--force"]);
  await rollcall(["delete", DELETED, "--yes"]);
}
