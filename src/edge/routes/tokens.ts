import { ROUTES, type TokenRecord } from "../../api/index.ts";
import { toHex } from "../../directory/index.ts";
import type { StoredToken } from "../../registry/index.ts";
import { mintToken } from "../access.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError } from "../http.ts";
import { oneMore, pageOf, readFilters, readPaging } from "./paging.ts";
import { badRequest, type Handler, type RouteCall, registriesOf, unwrap } from "./route.ts";

/** Random bytes in a token's id. */
const ID_BYTES = 8;

export const createToken: Handler<"createToken"> = async (call) => {
  const { body, deployment, context, caller } = call;
  const { role, expires_in, note } = body;
  const domains = body.domains === null ? null : [...new Set(body.domains)];
  if (domains === null && role === "publish") throw badRequest("a publish token must name its domains");
  if (domains !== null && role === "replica") await requireAliasTargets(call, domains);
  const now = deployment.now();
  const claims = {
    id: toHex(deployment.ports.random.bytes(ID_BYTES)),
    role,
    domains,
    expires: expires_in == null ? null : now + 1000 * expires_in,
  };
  const record: StoredToken = {
    ...claims,
    created: now,
    revoked: null,
    note: note ?? null,
    key_id: deployment.tokenKeyId,
  };
  unwrap(await context.bindings.registry(0).keepToken(record, caller.id));
  return { ...seenFromHere(deployment, record), token: mintToken(deployment.tokenMac, claims) };
};

/**
 * A replica answers a check of an alias from its target's list.
 * @throws HttpError `bad_request` if a domain is an alias and its target is not among the domains
 */
async function requireAliasTargets(call: RouteCall, domains: readonly string[]): Promise<void> {
  const { reader } = call.deployment;
  for (const [partition, registry] of registriesOf(call).entries()) {
    const own = domains.filter((domain) => reader.partitionOf(domain) === partition);
    if (own.length === 0) continue;
    const heads = await registry.domainsNamed(own);
    // Before the first publish no domain is an alias.
    if (!heads.ok && heads.error.code === "uninitialised") continue;
    for (const { domain, alias } of unwrap(heads)) {
      if (alias === null || domains.includes(alias)) continue;
      throw badRequest(`${domain} is an alias of ${alias}: a replica token must name ${alias} too`);
    }
  }
}

export const listTokens: Handler<"listTokens"> = async ({ request, deployment, context }) => {
  const paging = readPaging(request, readPlace);
  const filter = readFilters(ROUTES.listTokens, request);
  const tokens = unwrap(await context.bindings.registry(0).tokens({ ...oneMore(paging), ...filter }));
  const { page, next } = pageOf(tokens, paging, ({ created, id }): Place => [created, id]);
  return {
    tokens: page.map((token) => seenFromHere(deployment, token)),
    next: next?.join(".") ?? null,
  };
};

/** When a token was created, and its id: the order of the list. */
type Place = readonly [created: number, id: string];

function readPlace(text: string): Place | null {
  const [, created, id] = /^(\d{1,15})\.([0-9a-f]{16})$/.exec(text) ?? [];
  return created === undefined || id === undefined ? null : [Number(created), id];
}

export const revokeToken: Handler<"revokeToken"> = async (call) => {
  const { params, deployment, context, caller } = call;
  const { id } = params;
  const named = await context.bindings.registry(0).tokens({ after: null, limit: 1, id });
  const token = unwrap(named).find((each) => each.id === id);
  if (token === undefined) throw new HttpError("not_found", `no token ${id} was issued here`);
  // Every partition confirms on its own, so each must know. The first one first, since others copy what it
  // records when they are initialised.
  let revoked: StoredToken | null = null;
  for (const [partition, registry] of registriesOf(call).entries()) {
    const result = await registry.revokeToken(id, token.expires, caller.id);
    // A partition that nothing was published to yet has no log. It keeps the revocation until it is initialised.
    if (!result.ok && result.error.code === "uninitialised" && partition > 0) continue;
    const { result: record, ...position } = unwrap(result);
    deployment.reader.noteChange(partition, position, {}, [id]);
    revoked ??= record;
  }
  return seenFromHere(deployment, revoked ?? token);
};

/** A token with the members that only the edge knows. */
const seenFromHere = (deployment: Deployment, token: StoredToken): TokenRecord => ({
  ...token,
  key_fits: token.key_id === deployment.tokenKeyId,
});
