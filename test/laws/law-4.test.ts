/* Law 4: a mistake costs time, not mail. */
import { beforeAll, expect, it } from "vitest";
import type { AuditRecord, DomainCommit, DomainDescription, GenerationRecord } from "../../src/api/index.ts";
import {
  CANONICALISER_VERSION,
  DEFAULT_POLICY,
  type DomainPolicy,
  domainKey,
  fromBase64Url,
  sentinels,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { startFakeEdge } from "../support/fake-edge.ts";
import { pause } from "../support/processes.ts";
import { type LawEdge, startEdges, until } from "./support/edges.ts";
import { all, startFrontEnds } from "./support/front-ends.ts";
import { many, Publisher } from "./support/publishing.ts";

const TEN = many(10);
let edge: LawEdge;
let publisher: Publisher;
let count = 0;

beforeAll(async () => {
  edge = (await startEdges({ only: {} })).edge.only;
  publisher = new Publisher(edge);
});

const fresh = (): string => `d${count++}.example`;

/** Names user0 to user9 without the first few, or with these in another state. */
const without = (gone: number, state?: string): string =>
  TEN.split(" ")
    .flatMap((name, i) => (i >= gone ? [name] : state === undefined ? [] : [`${name},${state}`]))
    .join(" ");

/** Tries to publish with the command, and then without its plan: sends the commit body that the command would send. */
async function judged(domain: string, names: string, args = ""): Promise<{ command: number; edge: number }> {
  // The command plans against the real edge, but its commit does not reach the edge.
  const commits: { domains: DomainCommit[] }[] = [];
  const between = await startFakeEdge(({ path, body }, response) => {
    if (path === "/v1/commits") {
      commits.push(JSON.parse(body) as { domains: DomainCommit[] });
      response.writeHead(422, { "content-type": "application/json" });
      return void response.end('{"error":{"code":"guard","message":"kept"}}');
    }
    const passed = body === "" ? edge.fetch(path) : edge.post(path, JSON.parse(body));
    void passed.then(async (got) => {
      const type = got.headers.get("content-type") ?? "";
      response.writeHead(got.status, { "content-type": type }).end(Buffer.from(await got.arrayBuffer()));
    });
  });
  const command = await publisher.tryPublish(domain, names, args);
  if (command.code === 0) return { command: 0, edge: 200 };
  await new Publisher(between).tryPublish(domain, names, `${args} --force`.trim());
  const response = await edge.post("/v1/commits", { domains: commits[0]?.domains });
  if (response.status === 422) {
    expect(await response.json()).toMatchObject({
      error: { code: "guard", refusals: { [domain]: expect.any(String) } },
    });
  }
  return { command: command.code, edge: response.status };
}

const PASSES = { command: 0, edge: 200 };
/** Exit code of the command and status of the edge if the guard refuses. */
const REFUSED = { command: 4, edge: 422 };

const history = async (domain: string): Promise<readonly GenerationRecord[]> =>
  (await edge.json<{ generations: GenerationRecord[] }>(`/v1/domains/${domain}/generations`)).generations;

const audit = async (domain: string): Promise<readonly AuditRecord[]> =>
  (await edge.json<{ audit: AuditRecord[] }>("/v1/audit")).audit.filter(({ subject }) => subject === domain);

const verdict = async (local: string, domain: string): Promise<string> =>
  (await edge.check(`${local}@${domain}`)).verdict;

it.concurrent("The Registry itself refuses a commit that would refuse more than a set share of the names, by default 20 %", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  expect(await edge.json(`/v1/domains/${domain}`)).toMatchObject({ policy: { guard: 0.2 } });
  expect(await judged(domain, without(3))).toEqual(REFUSED);
  // Whether they leave, are disabled or move.
  expect(await judged(domain, without(3, "disabled"))).toEqual(REFUSED);
  expect(await judged(domain, without(3, "moved"))).toEqual(REFUSED);
  expect(await verdict("user0", domain)).toBe("deliverable");
  expect(await history(domain)).toHaveLength(1);
  expect(await judged(domain, without(2))).toEqual(PASSES);
});

it.concurrent("Deferred names count like accepted ones: losing a full mailbox is a loss", async () => {
  const domain = fresh();
  await publisher.publish(domain, without(3, "full"));
  expect(await judged(domain, without(3))).toEqual(REFUSED);
  expect(await judged(domain, TEN)).toEqual(PASSES);
});

it.concurrent("The Registry refuses a commit that would refuse all of the names", async () => {
  const domain = fresh();
  await publisher.publish(domain, "alice");
  expect(await judged(domain, "alice,disabled")).toEqual(REFUSED);
  const other = fresh();
  await publisher.publish(other, "alice bob");
  expect(await judged(other, "carol dave")).toEqual(REFUSED);
  // A first list must not be empty either.
  expect(await judged(fresh(), "alice,disabled")).toEqual(REFUSED);
});

it.concurrent("It counts names, not totals: new names do not make up for those that go", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  expect(await judged(domain, many(10, "other"))).toEqual(REFUSED);
  expect(await judged(domain, `${without(5)} ${many(500, "other")}`)).toEqual(REFUSED);
});

it.concurrent("It adds up losses of every list that was live within the last 24 h: small steps count together", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  expect(await judged(domain, without(1))).toEqual(PASSES);
  expect(await judged(domain, without(2))).toEqual(PASSES);
  const said = await publisher.tryPublish(domain, without(3));
  expect(said.code).toBe(4);
  expect(`${said.stdout}${said.stderr}`).toContain("3 of 10 names");
  expect(await verdict("user2", domain)).toBe("deliverable");
});

it.concurrent("Every list that was live within the last 24 h is protected, whatever was published in between", async () => {
  const domain = fresh();
  const other = many(2, "other");
  await publisher.publish(domain, TEN);
  // Two names are renamed each time, so the list's size is constant. The plan says the same as the Registry.
  expect(await judged(domain, `${without(2)} ${other}`)).toEqual(PASSES);
  expect(await judged(domain, `${without(4)} ${many(4, "other")}`)).toEqual(REFUSED);
  const plan = await publisher.tryPublish(domain, `${without(4)} ${many(4, "other")}`, "--dry-run");
  expect(plan.stdout).toContain("would refuse 4 of 10 names of generation");
  // Dropped names return and others go: two of each list, and then four of the first.
  expect(await judged(domain, `user0 user1 ${without(4)} ${other}`)).toEqual(PASSES);
  expect(await judged(domain, `${without(4)} ${other}`)).toEqual(REFUSED);
  expect(await verdict("user0", domain)).toBe("deliverable");
});

it.concurrent("What an override refused is no longer counted", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  await publisher.publish(domain, without(5), "--force");
  expect(await judged(domain, without(6))).toEqual(PASSES);
  expect(await judged(domain, without(7))).toEqual(REFUSED);
});

it.concurrent("One name may always go, unless it is the last", async () => {
  const domain = fresh();
  await publisher.publish(domain, "alice bob");
  expect(await judged(domain, "alice")).toEqual(PASSES);
  expect(await judged(domain, "alice,disabled")).toEqual(REFUSED);
  const other = fresh();
  await publisher.publish(other, "alice");
  expect(await judged(other, "bob")).toEqual(REFUSED);
});

/** Commits the list of a domain again under other settings, by the API alone. @returns the status */
async function changePolicy(domain: string, policy: Partial<DomainPolicy>, force: boolean): Promise<number> {
  const head = await edge.json<DomainDescription>(`/v1/domains/${domain}`);
  const key = await edge.json<{ key: string; epoch: number }>(`/v1/domains/${domain}/key`);
  const own = domainKey(stablelibHashing, fromBase64Url(key.key), domain, key.epoch);
  const commit = {
    domain,
    expect: head.generation,
    epoch: own.epoch,
    key_id: own.id,
    canonicaliser: CANONICALISER_VERSION,
    sentinels: sentinels(own.names, { ...DEFAULT_POLICY, ...head.policy, ...policy }),
    policy,
    shards: head.shards,
  };
  return (await edge.post("/v1/commits", { domains: [commit], ...(force ? { force } : {}) })).status;
}

it.concurrent("A policy change whose effect cannot be counted needs the override", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  const changes = [
    { catchall: true },
    { delimiters: "" },
    { case: "sensitive" },
    { dots: "ignored" },
    { postmaster: false },
  ] as const;
  for (const policy of changes)
    expect({ ...policy, status: await changePolicy(domain, policy, false) }).toEqual({
      ...policy,
      status: 422,
    });
  expect(await changePolicy(domain, { delimiters: "" }, true)).toBe(200);
  expect((await history(domain))[0]).toMatchObject({ forced: true });
  expect(await verdict("user1", domain)).toBe("deliverable");
});

it.concurrent("An override is recorded in the history and in the audit trail, with author and reason", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  expect(await publisher.tryPublish(domain, "user9", "--force --note spring")).toMatchObject({ code: 0 });
  const [last, first] = await history(domain);
  expect(first).toMatchObject({ forced: false });
  expect(last).toMatchObject({ forced: true, note: "spring", by: "admin" });
  expect(JSON.stringify(await audit(domain))).toMatch(/spring|override|force/);
});

it.concurrent("rollback is an override: shown, confirmed, recorded", async () => {
  const domain = fresh();
  await publisher.publish(domain, "alice bob");
  await publisher.publish(domain, `alice bob ${TEN}`);
  const unasked = await publisher.run(`rollback ${domain}`);
  expect(unasked).toMatchObject({ code: 5, stdout: expect.stringContaining("2 active") });
  const declined = await publisher.run(`rollback ${domain}`, "no");
  expect(declined.code).toBe(5);
  expect(declined.asked).toHaveLength(1);
  expect(await verdict("user1", domain)).toBe("deliverable");
  // Ten names of twelve go: the guard would refuse this, but the override allows it.
  expect(await publisher.run(`rollback ${domain} --note oops`, "yes")).toMatchObject({ code: 0 });
  expect(await verdict("user1", domain)).toBe("departed");
  expect((await history(domain))[0]).toMatchObject({
    action: "rollback",
    forced: true,
    note: "oops",
    by: "admin",
  });
  expect((await audit(domain)).map(({ action }) => action)).toContain("rollback");
});

it.concurrent("delete is an override: shown, confirmed, recorded, and deferred before it is not served", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  const unasked = await publisher.run(`delete ${domain}`);
  expect(unasked.code).toBe(5);
  expect(`${unasked.stdout}${unasked.stderr}`).toContain(domain);
  expect((await publisher.run(`delete ${domain}`, "no")).asked).toHaveLength(1);
  expect(await verdict("user1", domain)).toBe("deliverable");
  expect(await publisher.run(`delete ${domain}`, "yes")).toMatchObject({ code: 0 });
  expect(await edge.check(`user1@${domain}`)).toMatchObject({ verdict: "departed", action: "defer" });
  expect(await edge.check(`nobody@${domain}`)).toMatchObject({ action: "defer" });
  expect((await history(domain))[0]).toMatchObject({ action: "delete", forced: true, by: "admin" });
  expect((await audit(domain)).map(({ action }) => action)).toContain("delete");
});

it.concurrent("A name that left the list is deferred for the departure grace, by default 1 h, before it is unknown", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  expect(await edge.json(`/v1/domains/${domain}`)).toMatchObject({ policy: { grace: 3_600 } });
  // A lower grace takes effect from the next commit.
  await publisher.publish(domain, TEN, "--grace 4s");
  const leaving = Date.now();
  await publisher.publish(domain, without(1));
  expect(await edge.check(`user0@${domain}`)).toMatchObject({
    verdict: "departed",
    action: "defer",
    max_age: 0,
  });
  await until(async () => (await verdict("user0", domain)) !== "departed");
  expect(Date.now() - leaving).toBeGreaterThanOrEqual(3_000);
  expect(await verdict("user0", domain)).toBe("unknown");
  // A name that returns is accepted immediately.
  await publisher.publish(domain, TEN);
  expect(await verdict("user0", domain)).toBe("deliverable");
});

it.concurrent("A name that is disabled or moved from now on is deferred for the departure grace before it is refused", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN, "--grace 4s");
  const disabling = Date.now();
  await publisher.publish(domain, `${without(1)} user0,disabled`);
  expect(await edge.check(`user0@${domain}`)).toMatchObject({
    verdict: "departed",
    action: "defer",
    max_age: 0,
  });
  await until(async () => (await verdict("user0", domain)) !== "departed");
  expect(Date.now() - disabling).toBeGreaterThanOrEqual(3_000);
  expect(await verdict("user0", domain)).toBe("disabled");
});

it.concurrent("A pattern that goes, or that refuses from now on, needs the override", async () => {
  const domain = fresh();
  const names = `${TEN} ticket-* ceo-*,disabled`;
  await publisher.publish(domain, names);
  expect(await verdict("ticket-7", domain)).toBe("deliverable");
  expect(await verdict("ceo-office", domain)).toBe("disabled");
  expect(await judged(domain, `${TEN} ceo-*,disabled`)).toEqual(REFUSED);
  expect(await judged(domain, `${TEN} ticket-*,disabled ceo-*,disabled`)).toEqual(REFUSED);
  expect(await judged(domain, `${names} cfo-*,moved`)).toEqual(REFUSED);
  expect(await verdict("ticket-7", domain)).toBe("deliverable");
  expect(await judged(domain, `${TEN} ticket-*,full`)).toEqual(PASSES);
  await publisher.publish(domain, `${TEN} ticket-*,disabled`, "--force");
  expect(await verdict("ticket-7", domain)).toBe("departed");
});

it.concurrent("A name under a pattern that left the list is deferred for the departure grace before it is unknown", async () => {
  const domain = fresh();
  await publisher.publish(domain, `${TEN} ticket-*`, "--grace 4s");
  const leaving = Date.now();
  await publisher.publish(domain, TEN, "--force");
  expect(await edge.check(`Ticket-7@${domain}`)).toMatchObject({ verdict: "departed", action: "defer" });
  expect(await verdict("other-7", domain)).toBe("unknown");
  await until(async () => (await verdict("ticket-7", domain)) !== "departed");
  expect(Date.now() - leaving).toBeGreaterThanOrEqual(3_000);
  expect(await verdict("ticket-7", domain)).toBe("unknown");
});

it.concurrent("A change that may refuse recipients whom nobody can name defers all refusals of the domain for the grace", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN, "--grace 4s");
  expect(await verdict("user1+tag", domain)).toBe("deliverable");
  const changing = Date.now();
  expect(await changePolicy(domain, { delimiters: "" }, true)).toBe(200);
  // Nobody knows which subaddresses are in use, so that everybody has the grace.
  for (const local of ["user1+tag", "nobody"]) {
    expect(await edge.check(`${local}@${domain}`)).toMatchObject({ verdict: "departed", action: "defer" });
  }
  expect(await verdict("user1", domain)).toBe("deliverable");
  await until(async () => (await verdict("user1+tag", domain)) !== "departed");
  expect(Date.now() - changing).toBeGreaterThanOrEqual(3_000);
  expect(await verdict("user1+tag", domain)).toBe("unknown");
});

it.concurrent("A deletion ends neither policy nor mode, and what was accepted before it is deferred for the grace", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN, "--observe");
  expect(await changePolicy(domain, { catchall: true }, true)).toBe(200);
  expect(await publisher.run(`delete ${domain}`, "yes")).toMatchObject({ code: 0 });
  await publisher.publish(domain, TEN);
  expect(await edge.check(`anybody@${domain}`)).toMatchObject({ verdict: "deliverable", mode: "observe" });
  expect(await publisher.run(`delete ${domain}`, "yes")).toMatchObject({ code: 0 });
  expect(await judged(domain, TEN, "--enforce")).toEqual(PASSES);
  expect(await changePolicy(domain, { catchall: false }, true)).toBe(200);
  expect(await edge.check(`anybody@${domain}`)).toMatchObject({ verdict: "departed", mode: "enforce" });
});

it.concurrent("A rollback never returns to a mode that refuses more than the one that a person chose", async () => {
  const domain = fresh();
  await publisher.publish(domain, TEN);
  await publisher.publish(domain, `alice ${TEN}`);
  expect(await publisher.run(`mode ${domain} observe --note panic`)).toMatchObject({ code: 0 });
  expect(await edge.check(`nobody@${domain}`)).toMatchObject({ verdict: "unknown", action: "accept" });
  expect(await publisher.run(`rollback ${domain}`, "yes")).toMatchObject({ code: 0 });
  expect(await edge.check(`nobody@${domain}`)).toMatchObject({ verdict: "unknown", action: "accept" });
  expect(await publisher.run(`mode ${domain} enforce`, "yes")).toMatchObject({ code: 0 });
  expect(await edge.check(`nobody@${domain}`)).toMatchObject({ verdict: "unknown", action: "reject" });
});

it.concurrent("If too many of the names that left are still asked for, all that left recently stay deferred until a person decides", {
  timeout: 600_000,
}, async () => {
  const domain = fresh();
  await publisher.publish(domain, many(60), "--grace 5s");
  const all = many(60).split(" ");
  await publisher.publish(domain, all.slice(15).join(" "), "--force");
  const left = Date.now();
  for (const name of all.slice(0, 12)) expect(await verdict(name, domain)).toBe("departed");
  // The Registry judges once a minute what isolates report with their next question.
  const held = async () => (await edge.json<DomainDescription>(`/v1/domains/${domain}`)).brake;
  await until(async () => {
    await verdict("user0", domain);
    await verdict("nobody", domain);
    await pause(500);
    return (await held()) !== null;
  });
  expect(await held()).toMatchObject({ held: 15, left: 15 });
  expect(Date.now() - left).toBeGreaterThan(5_000);
  // Their grace is over, so they were refused until this isolate heard of it.
  await until(async () => (await verdict("user0", domain)) === "departed");
  for (const name of all.slice(0, 15)) {
    expect(await edge.check(`${name}@${domain}`)).toMatchObject({
      verdict: "departed",
      action: "defer",
      max_age: 0,
    });
  }
  expect(await verdict("nobody", domain)).toBe("unknown");
  // Another publish without a grace, and an override, do not refuse them.
  await publisher.publish(domain, all.slice(16).join(" "), "--grace 0 --force");
  expect(await verdict("user0", domain)).toBe("departed");
  const declined = await publisher.run(`brake ${domain} --release`, "no");
  expect([declined.code, declined.asked.length]).toEqual([5, 1]);
  expect(await verdict("user0", domain)).toBe("departed");
  expect(await publisher.run(`brake ${domain} --release`, "yes")).toMatchObject({ code: 0 });
  expect(await verdict("user0", domain)).toBe("unknown");
  expect((await history(domain))[0]).toMatchObject({ action: "release", by: "admin" });
  expect((await audit(domain)).map(({ action }) => action)).toContain("release");
});

it.concurrent("In observe mode, unknown, disabled, moved, malformed, full and departed stay in verdict, but the reply is 250", async () => {
  const domain = fresh();
  await publisher.publish(domain, "alice bob,disabled carol,moved dave,full erin", "--observe");
  await publisher.publish(domain, "alice bob,disabled carol,moved dave,full");
  const ways = await startFrontEnds(edge.url, 3);
  const words = {
    nobody: ["unknown", /^550 5\.1\.1 /],
    bob: ["disabled", /^550 5\.2\.1 /],
    carol: ["moved", /^550 5\.1\.6 /],
    "two..dots": ["malformed", /^501 5\.1\.3 /],
    dave: ["full", /^452 4\.2\.2 /],
    erin: ["departed", /^450 4\.2\.1 /],
  } as const;
  for (const [local, [word, observed]] of Object.entries(words)) {
    const recipient = `${local}@${domain}`;
    expect(await edge.check(recipient)).toMatchObject({
      verdict: word,
      action: "accept",
      mode: "observe",
      reply: expect.stringMatching(/^250 /),
      observed: expect.stringMatching(observed),
    });
    expect(await ways.acts(recipient)).toEqual(all("accept"));
  }
  expect(await edge.check("x@elsewhere.example")).toMatchObject({ verdict: "not-served", action: "reject" });
  await publisher.publish(domain, "alice bob,disabled carol,moved dave,full", "--enforce");
  expect(await edge.check(`nobody@${domain}`)).toMatchObject({ action: "reject", mode: "enforce" });
});

it.concurrent("In defer mode, what enforce mode would refuse is deferred with 450 4.7.1, and the verdict stays", async () => {
  const domain = fresh();
  await publisher.publish(domain, "alice bob,disabled carol,moved", "--defer");
  const ways = await startFrontEnds(edge.url, 3);
  for (const [local, word, observed] of [
    ["nobody", "unknown", /^550 5\.1\.1 /],
    ["bob", "disabled", /^550 5\.2\.1 /],
    ["carol", "moved", /^550 5\.1\.6 /],
    ["two..dots", "malformed", /^501 5\.1\.3 /],
  ] as const) {
    const recipient = `${local}@${domain}`;
    expect(await edge.check(recipient)).toMatchObject({
      verdict: word,
      action: "defer",
      mode: "defer",
      reply: expect.stringMatching(/^450 4\.7\.1 /),
      observed: expect.stringMatching(observed),
      max_age: 0,
    });
    expect(await ways.acts(recipient)).toEqual(all("defer"));
  }
  expect(await ways.acts(`alice@${domain}`)).toEqual(all("accept"));
  await publisher.publish(domain, "alice bob,disabled carol,moved", "--enforce");
  expect(await edge.check(`nobody@${domain}`)).toMatchObject({ action: "reject", mode: "enforce" });
});
