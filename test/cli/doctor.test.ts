import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { challengePage, json, startFakeEdge } from "../support/fake-edge.ts";
import { type Dev, type Ended, startCli, startDev, temporaryFolder } from "../support/processes.ts";

const SLOW = 180_000;
const home = temporaryFolder();
const ADMIN = join(home, "state", "admin-token");
const CHECK = join(home, "state", "check-token");
let dev: Dev;

beforeAll(async () => {
  dev = await startDev("state", { home, args: ["--front-end", "0"] });
  writeFileSync(join(home, "token"), "some-token\n");
}, SLOW);

interface Report {
  readonly ok: boolean;
  readonly steps: readonly { step: string; state: string; detail: string; hint: string | null }[];
}

const doctor = (url: string, tokenFile: string, ...more: string[]): Promise<Ended> =>
  startCli(["doctor", "--url", url, "--token-file", tokenFile, ...more], { home }).ended;

/** The steps that failed, and everything about them. */
async function failures(
  url: string,
  tokenFile: string,
): Promise<{ code: number | null; failed: Report["steps"] }> {
  const { code, stdout } = await doctor(url, tokenFile, "--json");
  const report = JSON.parse(stdout) as Report;
  expect(report.ok).toBe(false);
  return { code, failed: report.steps.filter(({ state }) => state === "failed") };
}

describe("rollcall doctor", () => {
  it("finds that a local edge works, and leaves nothing behind but a tombstone", {
    timeout: SLOW,
  }, async () => {
    const { code, stdout, stderr } = await doctor(dev.url, ADMIN);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^ok +deliverable +250 2\.1\.5 <listed@rollcall-doctor-[0-9a-f]+\.invalid>/m);
    expect(stdout).toMatch(/^ok +unknown +550 5\.1\.1 </m);
    expect(stdout).toMatch(/^ok +kv-read +KV accepts a cacheTtl of \d+ s$/m);
    expect(stdout).toMatch(/^ok +kv-copy +has the list/m);
    expect(stdout).toMatch(/everything works\n$/);
    expect(code).toBe(0);

    const again = await doctor(dev.url, ADMIN, "--json");
    const report = JSON.parse(again.stdout) as Report;
    expect(report.steps.map(({ step }) => step)).toEqual([
      "answers",
      "secrets",
      "credentials",
      "registry",
      "kv-read",
      "keys",
      "heads",
      "tokens",
      "numbers",
      "publish",
      "deliverable",
      "unknown",
      "kv-copy",
      "latency",
      "delete",
      "brake",
      "faults",
    ]);
    expect(report.steps.every(({ state }) => state === "ok")).toBe(true);
    const { domains } = (await (
      await fetch(`${dev.url}/v1/domains`, {
        headers: { authorization: `Bearer ${readFileSync(ADMIN, "utf8").trim()}` },
      })
    ).json()) as { domains: { domain: string; deleted_until: number | null }[] };
    expect(domains.filter(({ deleted_until }) => deleted_until === null)).toEqual([]);
  });

  it("reports a wrong token, and one without permission", { timeout: SLOW }, async () => {
    for (const file of [join(home, "token"), CHECK]) {
      const { code, failed } = await failures(dev.url, file);
      expect(failed.map(({ step }) => step)).toEqual(["credentials"]);
      expect(failed[0]?.hint).toMatch(/admin token/);
      expect(code).toBe(6);
    }
  });

  it("recognises the challenge page of a bot filter", { timeout: SLOW }, async () => {
    const fake = await startFakeEdge((_, response) => challengePage(response));
    const { code, failed } = await failures(fake.url, ADMIN);
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ step: "answers", detail: expect.stringMatching(/bot filter/) });
    expect(failed[0]?.hint).toMatch(/Bot Fight Mode/);
    expect(code).toBe(6);
    // The filter may let the health check through, and stop what carries a token.
    fake.respond = ({ path }, response) =>
      path === "/healthz"
        ? json(response, { status: "ok", version: "0.1.0", faults: [] })
        : challengePage(response);
    const later = await failures(fake.url, ADMIN);
    expect(later.failed).toMatchObject([
      { step: "credentials", detail: expect.stringMatching(/bot filter/) },
    ]);
    expect(later.code).toBe(6);
  });

  it("names the secrets that a deployment lacks", { timeout: SLOW }, async () => {
    const faults = ["ROLLCALL_MASTER_KEY: secret is missing"];
    const fake = await startFakeEdge((_, response) =>
      json(response, { status: "unconfigured", version: "0.1.0", faults }, 503),
    );
    const { code, failed } = await failures(fake.url, ADMIN);
    expect(failed).toMatchObject([{ step: "secrets", detail: faults[0] }]);
    expect(failed[0]?.hint).toMatch(/wrangler secret put/);
    expect(code).toBe(6);
  });

  it("does not mistake another server for an edge", { timeout: SLOW }, async () => {
    const fake = await startFakeEdge((_, response) => response.end("<html>Welcome</html>"));
    expect(await failures(fake.url, ADMIN)).toMatchObject({ code: 6, failed: [{ step: "answers" }] });
    fake.respond = (_, response) => json(response, { error: "no such page" }, 404);
    expect(await failures(fake.url, ADMIN)).toMatchObject({ code: 6, failed: [{ step: "answers" }] });
    const { code, failed } = await failures("http://127.0.0.1:9", ADMIN);
    expect(failed).toMatchObject([{ step: "answers", detail: expect.stringMatching(/cannot be reached/) }]);
    expect(code).toBe(6);
  });

  it("reports errors of KV and the Registry", { timeout: SLOW }, async () => {
    const partition = {
      partition: 0,
      incarnation: 1,
      as_of: 1,
      kv_pending: 3,
      kv_error: "daily limit exceeded",
    };
    let status = { partitions: [partition], kv_readable: true, kv_cache_ttl: 60 };
    const fake = await startFakeEdge(({ path }, response) =>
      path === "/healthz"
        ? json(response, { status: "ok", version: "0.1.0", faults: [] })
        : json(response, status),
    );
    const stuck = await failures(fake.url, ADMIN);
    expect(stuck).toMatchObject({ code: 1, failed: [{ step: "registry" }] });
    expect(stuck.failed[0]?.detail).toMatch(/daily limit exceeded/);
    status = {
      ...status,
      partitions: [{ ...partition, kv_error: null as unknown as string }],
      kv_readable: false,
    };
    const { code, failed } = await failures(fake.url, ADMIN);
    expect(failed[0]).toMatchObject({ step: "kv-read", detail: "KV cannot be read" });
    // The fake has no other answers.
    expect(failed.map(({ step }) => step)).toEqual([
      "kv-read",
      "keys",
      "heads",
      "tokens",
      "numbers",
      "publish",
      "brake",
      "faults",
    ]);
    expect(code).toBe(1);
  });

  it("needs an edge and a token", async () => {
    expect(await startCli(["doctor"], { home }).ended).toMatchObject({ code: 2 });
    expect(await startCli(["doctor", "--url", dev.url], { home }).ended).toMatchObject({ code: 2 });
    expect(await startCli(["doctor", "--url", "not a url"], { home }).ended).toMatchObject({ code: 2 });
  });
});
