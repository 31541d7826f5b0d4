/**
 * Upgrades and `wrangler rollback`: this release's code on the state of the one before, and the reverse. Until the first one is
 * stored, this tree's own build stands for it, so that what a release has to pass is tried.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SCHEMA } from "../../src/registry/storage/schema.ts";
import { FULL, ifFull } from "../support/full.ts";
import { pause, ROOT, temporaryFolder } from "../support/processes.ts";
import { names, ReleaseCommand } from "./support/command.ts";
import { type HostOptions, ReleaseHost } from "./support/host.ts";
import { makeRelease } from "./support/make-release.ts";
import { readRelease, type StoredRelease, storedReleases } from "./support/stored-release.ts";

const CODE = readFileSync(join(ROOT, "dist", "edge", "worker.js"), "utf8");
/** The command of this release, which speaks to edges of both. */
const command = new ReleaseCommand(ROOT, temporaryFolder());

const THIS = "this one";
const RELEASES = storedReleases().length > 0 ? storedReleases() : [THIS];
let own: Promise<StoredRelease> | undefined;

function releaseOf(name: string): Promise<StoredRelease> {
  if (name !== THIS) return Promise.resolve(readRelease(name));
  own ??= makeRelease(ROOT, temporaryFolder()).then((made) => ({ ...made, name }));
  return own;
}

const hosts = new Set<ReleaseHost>();
afterAll(() => Promise.all([...hosts].map((host) => host.stop())));

interface Answer {
  readonly recipient: string;
  readonly verdict: string;
  readonly action: string;
  readonly reply: unknown;
  readonly detail?: string;
}

/** The stored state, and the hosts that work on it one after the other. */
class Stage {
  readonly release: StoredRelease;
  readonly #storage = join(temporaryFolder(), "storage");
  #begun: number | null = null;

  constructor(release: StoredRelease) {
    this.release = release;
  }

  /** The next host, at the time at which the one before it ended. */
  async start(code: Pick<HostOptions, "registry" | "edge">): Promise<ReleaseHost> {
    const { vars, time, tables, kv } = this.release;
    const first = this.#begun === null;
    this.#begun ??= Date.now();
    const host = await ReleaseHost.start({
      ...code,
      vars,
      storage: this.#storage,
      time: time + (Date.now() - this.#begun),
      ...(first ? { tables, kv } : {}),
    });
    hosts.add(host);
    return host;
  }
}

const stop = async (host: ReleaseHost): Promise<void> => {
  hosts.delete(host);
  await host.stop();
};

async function check(host: ReleaseHost, ...recipients: string[]): Promise<Answer[]> {
  const { status, body } = await host.ask("/v1/rcpt", { recipients });
  expect(status).toBe(200);
  return (body as { results: Answer[] }).results;
}

const verdictOf = async (host: ReleaseHost, recipient: string): Promise<string> =>
  ((await check(host, recipient))[0] as Answer).verdict;

/** Checks by a token. @returns the status */
const statusOf = async (host: ReleaseHost, token: string, recipient: string): Promise<number> =>
  (await host.ask("/v1/rcpt", { recipient }, token)).status;

const codesOf = (reply: unknown): string => String(reply).split(" ", 2).join(" ");

/** What the release answered, recipient for recipient. The words of a reply may change, its codes may not. */
async function expectSameAnswers(host: ReleaseHost, { answers }: StoredRelease): Promise<void> {
  const results = await check(host, ...Object.keys(answers));
  const wanted = Object.entries(answers).map(([recipient, it]) => [recipient, it.verdict, codesOf(it.reply)]);
  expect(results.map((it) => [it.recipient, it.verdict, codesOf(it.reply)])).toEqual(wanted);
}

async function expectTokens(host: ReleaseHost, { tokens }: StoredRelease): Promise<void> {
  const ask = (name: string): Promise<number> =>
    statusOf(host, (tokens[name] as { token: string }).token, "alice@inline.example");
  const asked = { all: 200, named: 200, revoked: 401, publish: 403, replica: 200 };
  for (const [name, status] of Object.entries(asked)) expect([name, await ask(name)]).toEqual([name, status]);
}

/** The heads of a replica are those of its token. */
async function expectChangesAnswer(host: ReleaseHost, { tokens }: StoredRelease): Promise<void> {
  const { token } = tokens.replica as { token: string };
  const { status, body } = await host.ask("/v1/changes", { partition: 0, since: null, nonce: "n" }, token);
  expect(status).toBe(200);
  expect(body).toMatchObject({ nonce: "n", full: true, heads: [["inline.example", expect.any(Number)]] });
}

/** Everything that a Registry is asked, by way of the edge and the command. */
async function expectManagement(host: ReleaseHost, { tables, tokens }: StoredRelease): Promise<void> {
  const domains = (await host.ask("/v1/domains?limit=3")).body as { domains: object[]; next: string };
  expect(domains).toMatchObject({ domains: [{}, {}, {}], next: "departing.example" });
  expect((await host.ask("/v1/domains")).body).toMatchObject({
    domains: tables.rows.heads?.map(({ domain, number }) => ({ domain, generation: number })),
  });
  expect((await host.ask("/v1/domains/inline.example/generations")).body).toMatchObject({
    generations: [{ action: "commit" }, { action: "commit" }, { action: "commit" }],
  });
  expect((await host.ask("/v1/domains/back.example/generations?limit=2")).body).toMatchObject({
    generations: [{ action: "rollback", forced: true }, { action: "commit" }],
  });
  const listed = (await host.ask("/v1/tokens")).body as {
    tokens: { id: string; key_fits: boolean | null; revoked: number | null }[];
  };
  const found = (name: string) => listed.tokens.find(({ id }) => id === tokens[name]?.id);
  expect(listed.tokens).toHaveLength(Object.keys(tokens).length);
  expect(found("all")).toMatchObject({ key_fits: true, revoked: null });
  expect(found("revoked")?.revoked).toBeGreaterThan(0);
  expect((await host.ask("/v1/audit")).body).toMatchObject({
    audit: expect.arrayContaining([expect.objectContaining({ action: "rollback" })]),
  });
  expect((await host.ask("/v1/status")).body).toMatchObject({
    answers: expect.arrayContaining([
      expect.objectContaining({ domain: "gone.example", verdict: "departed" }),
    ]),
  });
}

/** Changes of every kind, under a name of their own, after those of the names `before`. */
async function change(host: ReleaseHost, name: string, ...before: string[]): Promise<void> {
  const domain = `${name}.example`;
  await command.publish(host, domain, names("a", 20));
  await command.publish(host, domain, names("a", 19));
  expect(await verdictOf(host, `a19@${domain}`)).toBe("departed");
  await command.run(host, "rollback", domain, "--yes");
  expect(await verdictOf(host, `a19@${domain}`)).toBe("deliverable");
  await expect(command.publish(host, domain, names("a", 10))).rejects.toThrow(/guard/);
  await command.publish(host, domain, names("a", 10), "--force");
  await command.publish(host, "large.example", [...names("u", 11_999), "new", ...before, name]);
  expect(await verdictOf(host, `${name}@large.example`)).toBe("deliverable");
  await command.publish(host, `gone-${domain}`, names("g", 3));
  await command.run(host, "delete", `gone-${domain}`, "--yes");
  expect(await verdictOf(host, `g1@gone-${domain}`)).toBe("departed");
  const { body } = await host.ask("/v1/tokens", { role: "check", domains: [domain] });
  const { id, token } = body as { id: string; token: string };
  expect(await statusOf(host, token, `a1@${domain}`)).toBe(200);
  expect((await host.ask(`/v1/tokens/${id}`, undefined, undefined, "DELETE")).status).toBe(200);
  expect(await statusOf(host, token, `a1@${domain}`)).toBe(401);
}

/** That what {@link change} made is still so, to another host. */
async function expectChanged(host: ReleaseHost, name: string): Promise<void> {
  const results = await check(
    host,
    `a1@${name}.example`,
    `a19@${name}.example`,
    `nobody@${name}.example`,
    `${name}@large.example`,
    `g1@gone-${name}.example`,
  );
  expect(results.map(({ verdict }) => verdict)).toEqual([
    "deliverable",
    "departed",
    "unknown",
    "deliverable",
    "departed",
  ]);
}

const PATTERNS = ["ticket-7", "x-support", "a1", "nobody"].map((local) => `${local}@patterns.example`);

const OF_PATTERNS = ["accept: deliverable", "reject: disabled", "accept: deliverable", "reject: unknown"];

/** Publishes a list with patterns. */
const publishPatterns = (host: ReleaseHost): Promise<string> =>
  command.publish(host, "patterns.example", [...names("a", 20), "ticket-*", "*-support,disabled"]);

const actionsOf = async (host: ReleaseHost, recipients: readonly string[]): Promise<string[]> =>
  (await check(host, ...recipients)).map(({ verdict, action }) => `${action}: ${verdict}`);

/** That the guard knows what went from `guard.example` before: of its first 100 names 12 are gone. */
async function expectGuardRemembers(host: ReleaseHost): Promise<void> {
  const lists = [...names("n", 79), "x1", "x2"];
  // 9 of the head's 90 names would be few; 21 of the first list's 100 are not.
  await expect(command.publish(host, "guard.example", lists)).rejects.toThrow(/21 of 100/);
}

describe.runIf(FULL).each(RELEASES)(ifFull("the state of release %s"), (name) => {
  let release: StoredRelease;
  let stage: Stage;
  let host: ReleaseHost;

  beforeAll(async () => {
    release = await releaseOf(name);
    stage = new Stage(release);
  });

  it("is migrated, and answers as before", async () => {
    host = await stage.start({ registry: CODE, edge: CODE });
    await expectSameAnswers(host, release);
    expect(await host.sql("SELECT value FROM meta WHERE name = 'schema'")).toEqual([{ value: SCHEMA }]);
    await expectTokens(host, release);
    await expectChangesAnswer(host, release);
    await expectManagement(host, release);
  });

  it("writes copies that KV lacked, and deletes its obsolete key", async () => {
    const tooMany = release.tables.rows.kv_deletions?.map(({ key }) => key as string) as string[];
    expect(tooMany.map((key) => release.kv[key]?.length)).toEqual([expect.any(Number)]);
    expect(release.kv["domain/waiting.example"]).toBeUndefined();
    await host.copied();
    const kv = await host.kv();
    expect(tooMany.map((key) => kv[key])).toEqual([undefined]);
    expect(kv["domain/waiting.example"]).toBeDefined();
  });

  it("can be changed, with a guard that knows its past", async () => {
    await expectGuardRemembers(host);
    await change(host, "later");
    await publishPatterns(host);
    expect(await actionsOf(host, PATTERNS)).toEqual(OF_PATTERNS);
    await host.copied();
  });

  it("then runs with that release again, edge and Registry", async () => {
    await stop(host);
    host = await stage.start({ registry: release.code, edge: release.code });
    await expectChanged(host, "later");
    await expectTokens(host, release);
    await expectSameAnswers(host, release);
    await expectGuardRemembers(host);
    await change(host, "earlier", "later");
    expect(await actionsOf(host, PATTERNS)).toEqual(OF_PATTERNS);
  });

  it("and then with this one, with what that release wrote", async () => {
    await stop(host);
    host = await stage.start({ registry: CODE, edge: CODE });
    await expectChanged(host, "later");
    await expectChanged(host, "earlier");
    expect(await actionsOf(host, PATTERNS)).toEqual(OF_PATTERNS);
    await expectTokens(host, release);
    await expectGuardRemembers(host);
    await change(host, "latest", "later", "earlier");
    await host.copied();
    await stop(host);
  });
});

describe.runIf(FULL).each(RELEASES)(ifFull("with release %s on one side"), (name) => {
  it.each([
    ["this edge asks that Registry", true],
    ["that edge asks this Registry", false],
  ])("%s", async (_, isThisEdge) => {
    const release = await releaseOf(name);
    const [registry, edge] = isThisEdge ? [release.code, CODE] : [CODE, release.code];
    const host = await new Stage(release).start({ registry, edge });
    await expectSameAnswers(host, release);
    await expectTokens(host, release);
    await expectChangesAnswer(host, release);
    await expectManagement(host, release);
    await expectGuardRemembers(host);
    await change(host, "mixed");
    await expectChanged(host, "mixed");
    await host.copied();
    await stop(host);
  });
});

describe.runIf(FULL)(ifFull("a state of a later release"), () => {
  let release: StoredRelease;
  let host: ReleaseHost;
  const setVersion = (version: number) =>
    host.sql("UPDATE meta SET value = ? WHERE name = 'schema'", version);

  beforeAll(async () => {
    release = await releaseOf(RELEASES.at(-1) as string);
    host = await new Stage(release).start({ registry: CODE, edge: CODE });
    // The first call makes the object, which migrates.
    await host.ask("/v1/registry");
  });

  it("one version ahead runs, and keeps its version", async () => {
    await host.sql("ALTER TABLE heads ADD COLUMN later TEXT");
    await setVersion(SCHEMA + 1);
    await expectSameAnswers(host, release);
    await change(host, "ahead");
    await host.copied();
    expect(await host.sql("SELECT value FROM meta WHERE name = 'schema'")).toEqual([{ value: SCHEMA + 1 }]);
  });

  it("two versions ahead is refused: a deferral, an error that says what to do, and no change", async () => {
    await setVersion(SCHEMA + 2);
    const before = await host.tables();
    // What was confirmed before runs out.
    await pause(2_500);
    const [unknown, known] = (await check(host, "nobody@inline.example", "alice@inline.example")) as Answer[];
    expect(unknown).toMatchObject({ verdict: "unavailable", reply: expect.stringMatching(/^451 /) });
    // Accepting may be stale, for `accept-grace`.
    expect(known).toMatchObject({ verdict: "deliverable" });
    const message = `the Registry's data has schema ${SCHEMA + 2}, and this release knows schema ${SCHEMA} and runs on ${SCHEMA + 1} at most: deploy a newer release`;
    const refused = { status: 503, body: { error: { code: "unavailable", message } } };
    expect(await host.ask("/v1/registry")).toEqual(refused);
    expect(await host.ask("/v1/registry", {})).toEqual(refused);
    expect(await host.ask("/v1/status")).toEqual(refused);
    expect(await host.ask("/v1/tokens", { role: "check", domains: null })).toEqual(refused);
    await expect(command.run(host, "status")).rejects.toThrow(message);
    await expect(command.publish(host, "another.example", ["a"])).rejects.toThrow(message);
    expect(host.log.filter((line) => line.includes("registry_refuses")).join()).toContain(message);
    expect(await host.tables()).toEqual(before);
    await setVersion(SCHEMA + 1);
    await pause(1_500);
    expect(await verdictOf(host, "nobody@inline.example")).toBe("unknown");
    await stop(host);
  });
});
