import type { Role } from "../api/index.ts";
import { equalBytes, fromBase64Url, fromUtf8, type Mac, toBase64Url, utf8 } from "../directory/index.ts";
import type { Ports } from "./ports.ts";

/** The caller of a request. */
export interface Caller {
  /** Id of the token, or `admin`. */
  readonly id: string;
  readonly role: Role;
  /** Domains that the token covers, null for all. */
  readonly domains: ReadonlySet<string> | null;
  /** Unix milliseconds, null: never. */
  readonly expires: number | null;
}

/** The caller of a public route. */
export const NOBODY: Caller = { id: "nobody", role: "check", domains: new Set(), expires: null };

/** What a token says of itself. Its MAC proves it, so no storage is read. */
export interface TokenClaims {
  readonly id: string;
  readonly role: Exclude<Role, "admin">;
  readonly domains: readonly string[] | null;
  readonly expires: number | null;
}

const PREFIX = "rc1";
const ROLES: readonly string[] = ["check", "publish", "replica"];
/** Longer than any token of ours. Longer headers are refused without a MAC. */
const MAX_HEADER = 16_384;
/** Number of cached headers. A MAC for each request would cost more than the check. */
const REMEMBERED = 1_000;
/** Their characters in all: a token that names many domains is long. */
const REMEMBERED_CHARACTERS = 500_000;

/** Encodes a token. */
export function mintToken(tokenMac: Mac, claims: TokenClaims): string {
  const payload = `${PREFIX}.${toBase64Url(utf8(JSON.stringify(claims)))}`;
  return `${payload}.${toBase64Url(tokenMac(utf8(payload)))}`;
}

/** Identifies callers by their `Authorization` header. */
export class Access {
  readonly #ports: Pick<Ports, "clock" | "hashing">;
  readonly #tokenMac: Mac;
  readonly #isRevoked: (tokenId: string) => boolean;
  readonly #adminDigest: Uint8Array;
  /** By the whole header. */
  readonly #remembered = new Map<string, Caller>();
  #rememberedCharacters = 0;

  /** @param isRevoked whether a token is known to be revoked */
  constructor(
    ports: Pick<Ports, "clock" | "hashing">,
    adminToken: string,
    tokenMac: Mac,
    isRevoked: (tokenId: string) => boolean,
  ) {
    this.#ports = ports;
    this.#tokenMac = tokenMac;
    this.#isRevoked = isRevoked;
    this.#adminDigest = this.#digest(adminToken);
  }

  /** The caller with this header; null if it is missing, malformed, expired, or known to be revoked. */
  caller(authorization: string | null): Caller | null {
    if (authorization === null) return null;
    const caller = this.#remembered.get(authorization) ?? this.#read(authorization);
    return caller !== null && this.isValid(caller) ? caller : null;
  }

  /** Whether a caller is neither expired nor known to be revoked, at this moment. */
  isValid(caller: Caller): boolean {
    if (caller.expires !== null && caller.expires <= this.#ports.clock.now()) return false;
    return caller.role === "admin" || !this.#isRevoked(caller.id);
  }

  #read(authorization: string): Caller | null {
    if (authorization.length > MAX_HEADER || !/^bearer /i.test(authorization)) return null;
    const token = authorization.slice("bearer ".length).trim();
    if (equalBytes(this.#digest(token), this.#adminDigest)) {
      return { id: "admin", role: "admin", domains: null, expires: null };
    }
    const claims = readToken(this.#tokenMac, token);
    if (claims === null) return null;
    const caller = { ...claims, domains: claims.domains === null ? null : new Set(claims.domains) };
    // One token can be sent with any number of spaces.
    if (authorization.length === "bearer ".length + token.length) this.#remember(authorization, caller);
    return caller;
  }

  #remember(authorization: string, caller: Caller): void {
    const characters = this.#rememberedCharacters + authorization.length;
    const isFull = this.#remembered.size >= REMEMBERED || characters > REMEMBERED_CHARACTERS;
    if (isFull) this.#remembered.clear();
    this.#remembered.set(authorization, caller);
    this.#rememberedCharacters = isFull ? authorization.length : characters;
  }

  #digest(text: string): Uint8Array {
    return this.#ports.hashing.sha256(utf8(text));
  }
}

/** Claims of a token with a valid MAC; null for anything else. */
function readToken(tokenMac: Mac, token: string): TokenClaims | null {
  const [prefix, payload, mac, ...more] = token.split(".");
  if (prefix !== PREFIX || payload === undefined || mac === undefined || more.length > 0) return null;
  try {
    if (!equalBytes(tokenMac(utf8(`${prefix}.${payload}`)), fromBase64Url(mac))) return null;
    const claims = JSON.parse(fromUtf8(fromBase64Url(payload))) as TokenClaims;
    return ROLES.includes(claims.role) ? claims : null;
  } catch {
    return null;
  }
}
