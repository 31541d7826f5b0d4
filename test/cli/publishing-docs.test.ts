import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PRICES } from "../../bench/cost/prices.ts";
import { FREE_KV_WRITES_A_DAY, KV_DOLLARS_PER_MILLION_WRITES } from "../../src/publish/index.ts";
import { expectWritten } from "../mta/support/written.ts";
import { rollcall } from "../support/fake-platform.ts";
import { startDev, temporaryFolder } from "../support/processes.ts";

/* The screens of docs/publishing.md, as people see them. */

const root = temporaryFolder();
const cwd = join(root, "work");
let env: Record<string, string> = {};

beforeAll(async () => {
  mkdirSync(cwd);
  const { url } = await startDev(join(root, "state"), { home: root });
  const admin = readFileSync(join(root, "state", "admin-token"), "utf8").trim();
  env = { ROLLCALL_URL: url, ROLLCALL_TOKEN: admin };
});

/** A screen: the command and what it prints. */
async function screen(args: string, answer?: string): Promise<string> {
  const said = await rollcall(args.split(" "), { cwd, env, ...(answer === undefined ? {} : { answer }) });
  const asked = said.asked.map((question) => `${question}${answer}\n`).join("");
  const [planned = "", published = ""] = said.stdout.split(/(?=^published )/m);
  const code = args.startsWith("plan") ? `$ echo $?\n${said.code}\n` : "";
  const text = `$ rollcall ${args}\n${planned}${asked}${published}${said.stderr}${code}`;
  // Numbers of generations come from the clock.
  return `\`\`\`console\n${text.replaceAll(/as generation \d+/g, "as generation 18").replaceAll(/ {2}generation \d+/g, "  generation 17")}\`\`\``;
}

const list = (names: readonly string[], more = ""): void =>
  writeFileSync(
    join(cwd, "list.csv"),
    `address,state\n${names.map((it) => `${it}@example.com,active\n`).join("")}${more}`,
  );

describe("docs/publishing.md", () => {
  it("shows plan and publish as they are", async () => {
    const staff = Array.from({ length: 40 }, (_, i) => `user${i}`);
    writeFileSync(
      join(cwd, "rollcall.toml"),
      '[domains."example.com"]\nlist = "list.csv"\ncanaries = ["postmaster@example.com"]\nminimum = 30\nmode = "enforce"\n',
    );
    list(["postmaster", "dave", "erin", ...staff]);
    await rollcall(["publish", "--yes"], { cwd, env });
    list(["postmaster", "carol", ...staff], "erin@example.com,full\n");
    expectWritten("../publishing.md", "plan", [await screen("plan --out monday.plan")]);
    expectWritten("../publishing.md", "publish", [await screen("publish monday.plan", "y")]);
    expect(await rollcall(["plan"], { cwd, env })).toMatchObject({ code: 0 });
    // An export that ended early.
    list(["postmaster", "carol", ...staff.slice(0, 32)], "erin@example.com,full\n");
    expectWritten("../publishing.md", "refused", [await screen("publish", "y")]);
    list(["carol", ...staff.slice(0, 38)], "erin@example.com,full\n");
    expectWritten("../publishing.md", "unexpected", [await screen("publish", "y")]);
  });

  it("shows what sync says, which is nothing if nothing changed", async () => {
    list(
      ["postmaster", "carol", "frank", ...Array.from({ length: 40 }, (_, i) => `user${i}`)],
      "erin@example.com,full\n",
    );
    expectWritten("../publishing.md", "sync", [await screen("sync")]);
    expect(await rollcall(["sync"], { cwd, env })).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  it("has the price of the cost model", () => {
    expect(KV_DOLLARS_PER_MILLION_WRITES / 1e6).toBe(PRICES.kvWrites.each);
    expect(FREE_KV_WRITES_A_DAY).toBe(PRICES.kvWrites.free);
  });
});
