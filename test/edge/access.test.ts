import { beforeAll, describe, expect, it } from "vitest";
import { EVERY_ROUTE, type Role, type TokenCreated } from "../../src/api/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { ADMIN, call, callJson, freshEnv, publish } from "./support/edge.ts";
import { RIGHTS, type Right } from "./support/matrix.ts";
import { BROKEN, claimsOf, mint, NOBODYS, TOKEN_ROLES, type TokenRole } from "./support/tokens.ts";

const COVERED = "covered.example";
const SERVED = "served.example";
const NOWHERE = "nowhere.example";
const TARGETS = [COVERED, SERVED, NOWHERE] as const;

/** An `Authorization` header and its expected rights. */
interface Credential {
  readonly name: string;
  readonly header: string | null;
  readonly role: Role | "none";
  readonly domains: readonly string[] | null;
  readonly state: "good" | "bad" | "revoked";
}

const env = freshEnv();

/** Domains that tokens of a role can have: some, and all if that is possible. */
const domainsOf = (role: TokenRole): readonly (readonly string[] | null)[] =>
  role === "publish" ? [[COVERED]] : [[COVERED], null];

const TOKEN_KINDS = TOKEN_ROLES.flatMap((role) => domainsOf(role).map((domains) => ({ role, domains })));
const describeKind = (role: string, domains: readonly string[] | null): string =>
  `${role} token of ${domains ?? "all domains"}`;

async function credentials(): Promise<Credential[]> {
  const list: Credential[] = [
    { name: "the admin token", header: `Bearer ${ADMIN}`, role: "admin", domains: null, state: "good" },
    { name: "bearer in lower case", header: `bearer ${ADMIN}`, role: "admin", domains: null, state: "good" },
  ];
  for (const [name, header] of Object.entries(NOBODYS)) {
    list.push({ name: `header: ${name}`, header, role: "none", domains: [], state: "bad" });
  }
  for (const { role, domains } of TOKEN_KINDS) {
    const kind = describeKind(role, domains);
    const of = (state: Credential["state"], name: string, token: string): Credential => ({
      name: `${kind}, ${name}`,
      header: `Bearer ${token}`,
      role,
      domains,
      state,
    });
    list.push(of("good", "good", mint(claimsOf(role, domains))));
    for (const [name, make] of Object.entries(BROKEN))
      list.push(of("bad", name, make(claimsOf(role, domains))));
    list.push(of("revoked", "revoked", await revokedToken(role, domains)));
  }
  return list;
}

async function issue(role: TokenRole, domains: readonly string[] | null): Promise<TokenCreated> {
  return callJson<TokenCreated>(env, "/v1/tokens", { json: { role, domains } });
}

async function revokedToken(role: TokenRole, domains: readonly string[] | null): Promise<string> {
  const { id, token } = await issue(role, domains);
  await callJson(env, `/v1/tokens/${id}`, { method: "DELETE" });
  return token;
}

type Expected = "admitted" | "unauthorized" | "forbidden" | "unavailable";

function expected(right: Right, { role, domains, state }: Credential, target: string): Expected {
  if (right.roles === "anyone") return "admitted";
  if (state !== "good" || role === "none") return "unauthorized";
  if (!right.roles.includes(role)) return "forbidden";
  const isCovered = domains === null || domains.includes(target);
  if (isCovered || right.bound === "none") return "admitted";
  return right.bound === "recipients" ? "unavailable" : "forbidden";
}

const STATUS = { unauthorized: 401, forbidden: 403, unavailable: 503 } as const;

/** What is wrong with a response, or null. */
async function fault(
  response: Response,
  want: Expected,
  right: Right,
  target: string,
  isText: boolean,
): Promise<string | null> {
  const body = new TextDecoder().decode(await response.arrayBuffer());
  const { status } = response;
  if (response.headers.get("Cache-Control") !== "private, no-store") return "may be cached";
  if (isText && status >= 300 && !body.startsWith("451 4.3.0 "))
    return `text begins with ${body.slice(0, 40)}`;
  if (want === "admitted") {
    return status === (target === NOWHERE ? (right.nowhere ?? right.admitted) : right.admitted)
      ? null
      : `${status} ${body}`;
  }
  if (want === "unavailable" && right.deferral !== undefined) {
    return status === 200 && body === JSON.stringify(right.deferral(target)) ? null : `${status} ${body}`;
  }
  if (status !== STATUS[want]) return `${status} ${body}`;
  if ((response.headers.get("WWW-Authenticate") === "Bearer") !== (status === 401)) return "WWW-Authenticate";
  if (isText) return null;
  const parsed = JSON.parse(body) as { error?: { code: string; message: string; domain?: string } };
  if (want === "unavailable") {
    const { recipient, reply, detail, ...rest } = parsed as unknown as Answer;
    return JSON.stringify(rest) === NOTHING && reply.startsWith(`451 4.3.0 <${recipient}>`) ? null : body;
  }
  const { error, ...more } = parsed;
  if (error?.code !== want || Object.keys(more).length > 0) return body;
  return /verdict|deliverable|unknown|not-served|"(action|reply|results)"/.test(body)
    ? `tells: ${body}`
    : null;
}

/** The whole answer about a domain that the token does not cover. */
const NOTHING = JSON.stringify({
  verdict: "unavailable",
  action: "defer",
  matched: null,
  domain: null,
  generation: null,
  incarnation: null,
  mode: null,
  confirmed_age: null,
  contact_age: null,
  max_age: 0,
});

const nobodys = Object.keys(NOBODYS).length;
const credentialCount = 2 + nobodys + TOKEN_KINDS.length * (2 + Object.keys(BROKEN).length);
const cells = EVERY_ROUTE.length * credentialCount * TARGETS.length * 2;
const size = `${EVERY_ROUTE.length} routes x ${credentialCount} credentials x ${TARGETS.length} domains x JSON and text = ${cells}`;

describe(`the access matrix (${size})`, () => {
  let all: readonly Credential[] = [];

  beforeAll(async () => {
    await publish(env, COVERED, ["alice"]);
    await publish(env, SERVED, ["alice"]);
    all = await credentials();
    console.info(`access matrix: ${size}`);
  });

  it("has rules for every route, and no others", () => {
    expect(EVERY_ROUTE.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      Object.keys(RIGHTS).sort(),
    );
  });

  it("has the stated number of credentials", () => {
    expect(all).toHaveLength(credentialCount);
  });

  it.each(EVERY_ROUTE.map(({ method, path }) => `${method} ${path}`))("holds for %s", async (name) => {
    const right = RIGHTS[name] as Right;
    const faults: string[] = [];
    for (const credential of all) {
      for (const target of TARGETS) {
        const want = expected(right, credential, target);
        const { path, options } = right.request(target);
        for (const isText of [false, true]) {
          const headers = {
            ...(credential.header === null ? {} : { Authorization: credential.header }),
            ...(isText ? { Accept: "text/plain" } : {}),
          };
          const response = await call(env, path, { ...options, token: null, headers });
          const wrong = await fault(response, want, right, target, isText);
          if (wrong !== null) faults.push(`${credential.name} for ${target}: not ${want}, ${wrong}`);
        }
      }
    }
    expect(faults).toEqual([]);
  });

  it("answers every invalid token in the same words, whatever is wrong with it", async () => {
    const bodies = new Set<string>();
    for (const { header } of all.filter(({ state }) => state !== "good")) {
      const headers = header === null ? {} : { Authorization: header };
      const response = await call(env, "/v1/rcpt/alice%40covered.example", { token: null, headers });
      if (response.status === 401) bodies.add(await response.text());
    }
    expect(bodies.size).toBe(1);
  });
});
