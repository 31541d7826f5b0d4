import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "../mta/support/cleanup.ts";
import { folder, ROOT, startEdge } from "../mta/support/command.ts";
import { type Certificates, makeCertificates } from "./faults/certificates.ts";
import { type EdgeFront, startEdgeFront } from "./faults/edge-front.ts";
import { FAULTS } from "./faults/faults.ts";
import type { Line } from "./faults/line.ts";

/*
 * integrations/shell/rollcall-check: curl and the forms in text. The faults of the edge are those of the matrix; the edge
 * itself answers text in test/edge.
 */

const SCRIPT = join(ROOT, "integrations", "shell", "rollcall-check");

const cleanup = new Cleanup();
let certificates: Certificates;
let front: EdgeFront;
let token = "";

beforeAll(async () => {
  const home = folder(cleanup);
  certificates = makeCertificates(home);
  front = await startEdgeFront(cleanup, certificates);
  token = join(home, "token");
  writeFileSync(token, front.checkToken, { mode: 0o600 });
});
afterAll(() => cleanup.run());

interface Ended {
  readonly code: number;
  readonly lines: readonly string[];
}

/** Runs the script. @param env ROLLCALL_CA and the like */
function check(recipients: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(SCRIPT, { env: { PATH: process.env.PATH ?? "", ...env } }, (error, stdout) => {
      const lines = stdout.split("\n").filter((line) => line !== "");
      resolve({ code: error === null ? 0 : Number(error.code), lines });
    });
    child.stdin?.end(recipients.map((recipient) => `${recipient}\n`).join(""));
  });
}

const atTheFront = (): Record<string, string> => ({
  ROLLCALL_URL: front.url,
  ROLLCALL_TOKEN_FILE: token,
  ROLLCALL_CA: certificates.authority,
  ROLLCALL_TIMEOUT: "2",
});

describe("rollcall-check, with curl", () => {
  it("prints the reply of a real edge about each recipient", async () => {
    const edge = await startEdge(cleanup);
    await edge.publish("example.com", ["alice@example.com,active", "leaver@example.com,disabled"]);
    const file = join(folder(cleanup), "token");
    writeFileSync(file, edge.checkToken, { mode: 0o600 });
    const env = { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN_FILE: file };
    const asked = [
      "alice@example.com",
      "nobody@example.com",
      "leaver@example.com",
      '"a b"@example.com',
      "jörg",
    ];
    expect(await check(asked, env)).toEqual({
      code: 0,
      lines: [
        "250 2.1.5 <alice@example.com>: recipient ok",
        "550 5.1.1 <nobody@example.com>: no such mailbox here",
        "550 5.2.1 <leaver@example.com>: mailbox is disabled",
        '550 5.1.1 <"a b"@example.com>: no such mailbox here',
        "501 5.1.3 <j?rg>: bad recipient address syntax",
      ],
    });
    writeFileSync(file, "not-a-token");
    expect(await check(["alice@example.com"], env)).toMatchObject({
      code: 75,
      lines: [expect.stringMatching(/^451 4\.3\.0 /)],
    });
  });

  it("trusts an edge with a good certificate", async () => {
    const { code, lines } = await check(["known@example.com", "nobody@example.com"], atTheFront());
    expect(code).toBe(0);
    expect(lines.map((line) => line.slice(0, 9))).toEqual(["250 2.1.5", "550 5.1.1"]);
  });

  it.each(FAULTS.filter(({ at }) => at === "edge"))("defers every recipient: $name", async (fault) => {
    // Faults of the edge need nothing else of a line.
    const line = { front } as Line;
    await fault.begin(line);
    try {
      const { code, lines } = await check(["known@example.com", "nobody@example.com"], atTheFront());
      expect(lines).toEqual(Array(2).fill("451 4.3.0 recipient cannot be checked now, try again later"));
      expect(code).toBe(75);
    } finally {
      await fault.end(line);
    }
  });
});
