import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "./support/command.ts";
import { expectWritten, table } from "./support/written.ts";

/** A front end: its folder in integrations, what is written for it alone elsewhere, and its own tests. */
interface FrontEnd {
  readonly name: string;
  readonly folder: string;
  readonly code: readonly string[];
  readonly tests: readonly string[];
}

const PROTOCOLS = "src/bridge/protocols";

const FRONT_ENDS: readonly FrontEnd[] = [
  {
    name: "Postfix",
    folder: "postfix",
    code: ["socketmap.ts", "policy.ts", "tcp-table.ts"].map((name) => join(PROTOCOLS, name)),
    tests: ["postfix.test.ts", "postfix-order.test.ts"],
  },
  { name: "Exim", folder: "exim", code: [join(PROTOCOLS, "line.ts")], tests: ["exim.test.ts"] },
  {
    name: "Sendmail",
    folder: "sendmail",
    code: [join(PROTOCOLS, "maps/sendmail.ts")],
    tests: ["sendmail.test.ts"],
  },
  {
    name: "OpenSMTPD",
    folder: "opensmtpd",
    code: readdirSync(join(ROOT, "src/opensmtpd")).map((name) => join("src/opensmtpd", name)),
    tests: ["opensmtpd.test.ts"],
  },
  { name: "Haraka", folder: "haraka", code: [], tests: ["haraka-plugin.test.ts"] },
  {
    name: "Stalwart (MTA Hooks)",
    folder: "stalwart",
    code: [
      "src/bridge/listeners/hooks-server.ts",
      "src/edge/routes/hooks.ts",
      "src/api/hooks.ts",
      "src/api/answers/hooks.ts",
    ],
    tests: ["stalwart-files.test.ts"],
  },
  {
    name: "MTA Hooks of the draft",
    folder: "mta-hooks",
    code: ["src/api/hook-registration.ts", join(PROTOCOLS, "hooks.ts")],
    tests: [],
  },
  { name: "Rspamd", folder: "rspamd", code: [], tests: ["rspamd.test.ts", "support/rspamd.ts"] },
];

/** Of which kind a file of a front end's folder is; null for what belongs to no kind, such as a licence. */
function kindOf(path: string): "paste" | "code" | "rig" | null {
  if (/\.m?ts$/.test(path)) return "rig";
  if (path.endsWith(".js")) return "code";
  return /(?:^|\/)(?:README|LICENSE|package)/.test(path) ? null : "paste";
}

/** Lines that are not empty. */
const linesIn = (paths: readonly string[]): number =>
  paths
    .flatMap((path) => readFileSync(join(ROOT, path), "utf8").split("\n"))
    .filter((line) => line.trim() !== "").length;

/** From fifty on in tens, so that not every change of a line is one of the table. */
const shown = (lines: number): string => String(lines < 50 ? lines : Math.round(lines / 10) * 10);

it("the documentation shows how many lines each front end took", () => {
  const rows = FRONT_ENDS.map(({ name, folder, code, tests }) => {
    const own = readdirSync(join(ROOT, "integrations", folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
    const ofKind = (kind: ReturnType<typeof kindOf>) => own.filter((path) => kindOf(path) === kind);
    expect(own, folder).not.toEqual([]);
    return [
      name,
      shown(linesIn(ofKind("paste"))),
      shown(linesIn([...ofKind("code"), ...code])),
      shown(linesIn(ofKind("rig"))),
      shown(linesIn(tests.map((path) => join("test/mta", path)))),
    ];
  });
  expectWritten("README.md", "lines", table(["front end", "to paste", "code", "rig", "own tests"], rows));
});
