/* A token makes a domain an alias only of a domain that it covers, whatever makes the generation; and learns of no other. */
import { expect, it } from "vitest";
import type { DomainDescription, ErrorBody, TokenCreated } from "../../src/api/index.ts";
import { type Answer, DEFAULT_POLICY, type DomainPolicy, sentinels } from "../../src/directory/index.ts";
import { type CallOptions, call, callJson, freshEnv, packFor, publish, tryPublish } from "./support/edge.ts";
import { keyFor } from "./support/tokens.ts";

const env = freshEnv();

/** Two tenants, another domain of the first one, and nobody else's. */
interface Tenants {
  readonly own: string;
  readonly beside: string;
  readonly foreign: string;
  /** Generations of `own` that answer for nothing, from `beside`'s list, and from `foreign`'s. */
  readonly generations: Readonly<Record<Alias, number>>;
}

type Alias = "none" | "beside" | "foreign";
const ALIASES: readonly Alias[] = ["none", "beside", "foreign"];

let made = 0;

const describeDomain = (domain: string): Promise<DomainDescription> =>
  callJson<DomainDescription>(env, `/v1/domains/${domain}`);
const head = async (domain: string): Promise<number> => (await describeDomain(domain)).generation;

/** An alias has no list of its own. */
const listFor = (alias: string | null): string[] => (alias === null ? ["carol"] : []);

/** @param now what `own` is an alias of in the end */
async function tenants(now: Alias): Promise<Tenants> {
  const id = ++made;
  const [own, beside, foreign] = [`a${id}.example`, `beside${id}.example`, `secret${id}.example`];
  await publish(env, beside, ["alice"]);
  await publish(env, foreign, ["bob"]);
  const generations = { none: await publish(env, own, listFor(null)), beside: 0, foreign: 0 };
  const alias = { none: null, beside, foreign };
  for (const each of [...ALIASES.filter((other) => other !== now), now]) {
    const policy = { alias: alias[each] };
    const options = { policy, expect: await head(own), force: true };
    if ((await describeDomain(own)).alias !== policy.alias)
      generations[each] = await publish(env, own, listFor(policy.alias), options);
  }
  return { own, beside, foreign, generations };
}

const TOKENS = {
  "its own domain": ({ own }: Tenants) => [own],
  "its own domain and the one beside it": ({ own, beside }: Tenants) => [own, beside],
  "both tenants": ({ own, beside, foreign }: Tenants) => [own, beside, foreign],
  admin: () => null,
} as const;
type TokenName = keyof typeof TOKENS;

async function tokenOf(name: TokenName, world: Tenants): Promise<{ token?: string }> {
  const domains = TOKENS[name](world);
  if (domains === null) return {};
  const { token } = await callJson<TokenCreated>(env, "/v1/tokens", { json: { role: "publish", domains } });
  return { token };
}

const aliasIn = (world: Tenants, alias: Alias): string | null => (alias === "none" ? null : world[alias]);

/** Everything by which a token makes a generation whose alias is `alias`. */
const ACTIONS: Readonly<
  Record<
    string,
    { now(alias: Alias): Alias; run(world: Tenants, alias: Alias, who: CallOptions): Promise<Response> }
  >
> = {
  "a publish that sets it": {
    now: (alias) => (alias === "none" ? "beside" : "none"),
    run: async (world, alias, who) =>
      commit(world.own, { policy: { alias: aliasIn(world, alias) }, force: true }, who),
  },
  "a publish that leaves it as it is": {
    now: (alias) => alias,
    run: async ({ own }, _, who) => commit(own, { mode: "observe" }, who),
  },
  "a rollback": {
    now: (alias) => (alias === "none" ? "beside" : "none"),
    run: async ({ own, generations }, alias, who) =>
      call(env, `/v1/domains/${own}/rollback`, {
        ...who,
        json: { to: generations[alias], expect: await head(own) },
      }),
  },
  "a rollback after a deletion": {
    now: (alias) => (alias === "none" ? "beside" : "none"),
    run: async ({ own, generations }, alias, who) => {
      await call(env, `/v1/domains/${own}?expect=${await head(own)}`, { method: "DELETE" });
      return call(env, `/v1/domains/${own}/rollback`, {
        ...who,
        json: { to: generations[alias], expect: await head(own) },
      });
    },
  },
};

/** Commits the list that goes with the alias. */
async function commit(
  domain: string,
  options: { policy?: Partial<DomainPolicy>; mode?: "observe"; force?: boolean },
  who: CallOptions,
): Promise<Response> {
  const { force, ...more } = options;
  const { policy } = await describeDomain(domain);
  const list = listFor((more.policy ?? policy).alias ?? null);
  const packed = await packFor(env, domain, list, { standing: policy, expect: await head(domain), ...more });
  return call(env, "/v1/commits", { ...who, json: { domains: [packed.commit], force: force === true } });
}

/** What a token must not be told. */
function told(
  text: string,
  domains: readonly string[] | null,
  world: Tenants,
  asked: string | null,
): string[] {
  if (domains === null) return [];
  return [world.own, world.beside, world.foreign].filter(
    (domain) => text.includes(domain) && !domains.includes(domain) && domain !== asked,
  );
}

const cells = Object.keys(ACTIONS).flatMap((action) =>
  (Object.keys(TOKENS) as TokenName[]).flatMap((token) => ALIASES.map((alias) => ({ action, token, alias }))),
);

it.each(cells)("$action, by a token of $token, with the alias $alias", async ({ action, token, alias }) => {
  const { now, run } = ACTIONS[action] as (typeof ACTIONS)[string];
  const world = await tenants(now(alias));
  const before = await describeDomain(world.own);
  const domains = TOKENS[token](world) as readonly string[] | null;
  const target = aliasIn(world, alias);
  const isCovered = domains === null || target === null || domains.includes(target);
  const response = await run(world, alias, await tokenOf(token, world));
  const text = await response.text();
  expect(response.status, text).toBe(isCovered ? 200 : 403);
  expect(told(text, domains, world, null)).toEqual([]);
  const after = await describeDomain(world.own);
  if (isCovered) {
    expect(after.alias).toBe(target);
  } else {
    const { error } = JSON.parse(text) as ErrorBody;
    expect(error).toMatchObject({ code: "forbidden", domain: world.own });
    if (action !== "a rollback after a deletion") expect(after.generation).toBe(before.generation);
    expect(after.policy.alias === target && before.policy.alias !== target).toBe(false);
  }
});

it("does not read another tenant's list by a rollback", async () => {
  const world = await tenants("none");
  const { own, generations } = world;
  const who = await tokenOf("its own domain", world);
  const json = { to: generations.foreign, expect: await head(own) };
  expect((await call(env, `/v1/domains/${own}/rollback`, { ...who, json })).status).toBe(403);
  const check = await callJson<TokenCreated>(env, "/v1/tokens", { json: { role: "check", domains: [own] } });
  const asked = { token: check.token, json: { recipient: `bob@${own}` } };
  // Nobody of the other list is accepted. The alias ended just now, so that all refusals wait for the grace.
  expect((await callJson<Answer>(env, "/v1/rcpt", asked)).verdict).toBe("departed");
});

it("plans no alias of a domain that the token does not cover", async () => {
  const world = await tenants("none");
  const { own, foreign, beside } = world;
  const who = await tokenOf("its own domain and the one beside it", world);
  const plan = async (alias: string): Promise<Response> => {
    const policy = { ...DEFAULT_POLICY, alias };
    const key = keyFor(own, 1);
    expect(sentinels(key.names, policy).length).toBeGreaterThan(0);
    const domain = {
      domain: own,
      expect: await head(own),
      key_id: key.id,
      canonicaliser: 1,
      policy: { alias },
      accepted: 0,
      names: { gone: "", back: "" },
    };
    return call(env, "/v1/plans", { ...who, json: { domains: [domain] } });
  };
  expect((await plan(beside)).status).toBe(200);
  expect((await plan(foreign)).status).toBe(403);
});

it("names no domain that the token does not cover in an error", async () => {
  const world = await tenants("foreign");
  const { own, beside, foreign } = world;
  // Single changes of an alias are refused: their place is the other domain's list.
  const json = { set: [{ recipient: `x@${own}`, state: "active" }] };
  const narrow = await tokenOf("its own domain", world);
  const wide = await tokenOf("both tenants", world);
  const mailboxes = `/v1/domains/${own}/mailboxes`;
  const refused = await call(env, mailboxes, { ...narrow, method: "PATCH", json });
  expect([refused.status, (await refused.text()).includes(foreign)]).toEqual([400, false]);
  expect(await (await call(env, mailboxes, { ...wide, method: "PATCH", json })).text()).toContain(foreign);
  // `foreign` has aliases, and so cannot be one.
  const { token } = await callJson<TokenCreated>(env, "/v1/tokens", {
    json: { role: "publish", domains: [foreign, beside] },
  });
  const policy = { alias: beside };
  const answersFor = { policy, expect: await head(foreign), force: true };
  const text = await (await tryPublish(env, foreign, [], { ...answersFor, token })).text();
  expect(text).toContain("cannot be an alias");
  expect(text).not.toContain(own);
  expect(await (await tryPublish(env, foreign, [], answersFor)).text()).toContain(own);
});
