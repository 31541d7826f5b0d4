import { MAX_SMALL_BODY, type TokenRecord, type TokenRequest } from "../../api/contract.ts";
import { toHex } from "../../directory/index.ts";
import type { KeptToken } from "../../registry/protocol.ts";
import { mintToken } from "../access.ts";
import type { Deployment } from "../deployment.ts";
import { HttpError, json } from "../http.ts";
import { type Route, readBodyObject, readDomain, readNoBody, readNote, unwrap } from "./route.ts";

/** Bytes of randomness in a token's id. */
const ID_BYTES = 8;
const TOKEN_ID = /^[0-9a-f]{16}$/;
/** Domains of one token: it travels with every request. */
const MAX_DOMAINS = 100;
const MAX_LIFE = 10 * 365 * 86_400;

export const createToken: Route = {
  method: "POST",
  path: "/v1/tokens",
  roles: [],
  bound: "none",
  summary: "Create a token",
  body: "TokenRequest",
  answer: "TokenCreated",
  errors: ["bad_request", "conflict", "timeout", "too_large", "unsupported_media_type"],
  async handle(call) {
    const { deployment, bindings, caller } = call;
    const asked = readTokenRequest(await readBodyObject(call, MAX_SMALL_BODY, TOKEN_MEMBERS));
    const now = deployment.now();
    const record: KeptToken = {
      id: toHex(deployment.ports.random.bytes(ID_BYTES)),
      role: asked.role,
      domains: asked.domains ?? null,
      expires: asked.expires_in == null ? null : now + 1000 * asked.expires_in,
      created: now,
      revoked: null,
      note: asked.note ?? null,
      key_id: deployment.tokenKeyId,
    };
    unwrap(await bindings.registry(0).keepToken(record, caller.id));
    const { id, role, domains, expires } = record;
    return json({
      ...seenFromHere(deployment, record),
      token: mintToken(deployment.tokenMac, { id, role, domains, expires }),
    });
  },
};

export const listTokens: Route = {
  method: "GET",
  path: "/v1/tokens",
  roles: [],
  bound: "none",
  summary: "List the tokens that were issued",
  answer: "TokenList",
  errors: [],
  async handle({ deployment, bindings }) {
    const tokens = unwrap(await bindings.registry(0).tokens());
    return json({ tokens: tokens.map((token) => seenFromHere(deployment, token)) });
  },
};

export const revokeToken: Route = {
  method: "DELETE",
  path: "/v1/tokens/:id",
  roles: [],
  bound: "none",
  summary: "Revoke a token",
  answer: "TokenRecord",
  errors: ["bad_request", "not_found", "timeout", "too_large"],
  async handle(call) {
    const { params, deployment, bindings, caller } = call;
    await readNoBody(call);
    const id = params.id ?? "";
    if (!TOKEN_ID.test(id)) throw new HttpError("bad_request", "a token's id has 16 hexadecimal digits");
    const token = unwrap(await bindings.registry(0).tokens()).find((each) => each.id === id);
    if (token === undefined) throw new HttpError("not_found", `no token ${id} was issued here`);
    // Every partition confirms on its own, so each has to know; the first one first, since others begin with what
    // it records.
    let revoked: KeptToken | null = null;
    for (let partition = 0; partition < deployment.settings.partitions; partition++) {
      const result = await bindings.registry(partition).revokeToken(id, token.expires, caller.id);
      // A partition that nothing was published to yet has no log, and keeps the revocation for its beginning.
      if (!result.ok && result.error.code === "uninitialised" && partition > 0) continue;
      const { result: record, ...position } = unwrap(result);
      deployment.reader.noteChange(partition, position, {}, [id]);
      revoked ??= record;
    }
    return json(seenFromHere(deployment, revoked ?? token));
  },
};

/** A token with what only the edge can say of it. */
const seenFromHere = (deployment: Deployment, token: KeptToken): TokenRecord => ({
  ...token,
  key_fits: token.key_id === null ? null : token.key_id === deployment.tokenKeyId,
});

const TOKEN_MEMBERS = ["role", "domains", "expires_in", "note"];

/** @throws HttpError `bad_request` */
function readTokenRequest({ role, domains, expires_in, note }: Record<string, unknown>): TokenRequest {
  if (role !== "check" && role !== "publish" && role !== "replica") {
    throw new HttpError("bad_request", "role must be check, publish or replica");
  }
  const covered = domains === undefined || domains === null ? null : readDomains(domains);
  if (covered === null && role !== "check") {
    throw new HttpError("bad_request", `a ${role} token must name its domains`);
  }
  const life = expires_in ?? null;
  if (life !== null && (!Number.isInteger(life) || (life as number) < 1 || (life as number) > MAX_LIFE)) {
    throw new HttpError("bad_request", `expires_in must be a whole number of seconds from 1 to ${MAX_LIFE}`);
  }
  const text = readNote(note);
  return {
    role,
    domains: covered,
    expires_in: life as number | null,
    ...(text === undefined ? {} : { note: text }),
  };
}

function readDomains(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_DOMAINS) {
    throw new HttpError("bad_request", `domains must be a list of 1 to ${MAX_DOMAINS}, or null`);
  }
  return [...new Set(value.map(readDomain))];
}
