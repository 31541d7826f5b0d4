/** The command as a process on Node 20: a million rows pass through it, and do not stay. */

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FULL, ifFull } from "../support/full.ts";
import { type Dev, NODE_20, pause, startCli, startDev, temporaryFolder } from "../support/processes.ts";
import { note, POSTGRES, type Server, startPostgres } from "./support/databases.ts";
import { startPagedLdap } from "./support/paged-ldap.ts";

const ROWS = 1_000_000;
const MEGABYTE = 1024 * 1024;
/** Of a million mailboxes: 15 octets each as read, and 7 in shards, which are joined into one file here. */
const PACKED = 60 * MEGABYTE;
/** Pages, chunks and garbage. A row that stays costs more than 100 octets, and a million of them more than this. */
const PASSING = 60 * MEGABYTE;

const missing = NODE_20 === undefined ? "Node 20 is not installed" : null;

let dev: Dev;
let admin: string;
beforeAll(async () => {
  const home = temporaryFolder();
  dev = await startDev("state", { home });
  admin = readFileSync(join(home, "state", "admin-token"), "utf8").trim();
});
afterAll(() => dev?.process.stop());

/** Plans a list from a source. @returns the most memory that the process had resident */
async function peakOf(settings: Readonly<Record<string, unknown>>, rows: number): Promise<number> {
  const home = temporaryFolder();
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  writeFileSync(
    join(home, "rollcall.toml"),
    `[sources.list]\n${lines.join("\n")}\n[domains."example.com"]\nsources = ["list"]\n`,
  );
  const running = startCli(["plan"], {
    home,
    node: NODE_20 as string,
    env: { ROLLCALL_URL: dev.url, ROLLCALL_TOKEN: admin, DB_PASSWORD: "secret" },
  });
  let peak = 0;
  let hasEnded = false;
  const ended = running.ended.then((result) => {
    hasEnded = true;
    return result;
  });
  // A process's peak only grows, so the last look before the end shows all but the last moment.
  while (!hasEnded) {
    peak = Math.max(peak, memoryOf(running.child.pid as number));
    await pause(10);
  }
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 7, stderr: expect.not.stringContaining("error") });
  expect(stdout).toContain(`${rows} active`);
  return peak;
}

function memoryOf(pid: number): number {
  try {
    const [, kilobytes = "0"] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    return 0;
  }
}

describe.skipIf(missing !== null)(`a million rows pass in bounded memory${note(missing)}`, () => {
  const expectBounded = async (settingsOf: (rows: number) => Readonly<Record<string, unknown>>) => {
    const few = await peakOf(settingsOf(1000), 1000);
    const all = await peakOf(settingsOf(ROWS), ROWS);
    expect(all - few).toBeLessThan(PACKED + PASSING);
  };

  it("from a program", () =>
    expectBounded((rows) => ({
      kind: "command",
      command: ["seq", "-f", "user%.0f@example.com", "1", String(rows)],
    })));

  const withoutPostgres = POSTGRES === null ? "postgresql is not installed" : null;
  describe.skipIf(withoutPostgres !== null || !FULL)(ifFull(`PostgreSQL${note(withoutPostgres)}`), () => {
    let server: Server;
    beforeAll(async () => {
      const folder = temporaryFolder();
      // PostgreSQL runs as another user.
      chmodSync(folder, 0o755);
      server = await startPostgres(join(folder, "pg"));
    });
    afterAll(() => server?.stop());

    it("from PostgreSQL", () =>
      expectBounded((rows) => ({
        kind: "postgresql",
        url: `postgresql://reader@localhost:${server.port}/postgres`,
        password_env: "DB_PASSWORD",
        query: `SELECT 'user' || n || '@example.com' AS address FROM generate_series(1, ${rows}) n`,
      })));
  });

  it.runIf(FULL)(ifFull("from LDAP"), async () => {
    let rows = 0;
    const server = await startPagedLdap((size, cookie) => {
      const from = Number(cookie);
      const to = Math.min(rows, from + (size ?? rows));
      const mail = Array.from({ length: to - from }, (_, i) => `user${from + i}@example.com`);
      return { mail, isMore: to < rows, cookie: String(to) };
    });
    await expectBounded((count) => {
      rows = count;
      const url = `ldap://127.0.0.1:${server.port}`;
      return { kind: "ldap", url, base: "dc=example", filter: "(mail=*)", page_size: 1000 };
    });
    server.close();
  });
});
