/** Tokens of every kind, valid and invalid, made without the edge. */
import type { Role } from "../../../src/api/index.ts";
import { toBase64Url, utf8 } from "../../../src/directory/index.ts";
import { mintToken, type TokenClaims } from "../../../src/edge/access.ts";
import { Deployment } from "../../../src/edge/deployment.ts";
import { readEnvironment, type Settings } from "../../../src/edge/environment.ts";
import { platformPorts } from "../../../src/edge/platform.ts";
import { ADMIN, testEnv } from "./edge.ts";

export type TokenRole = Exclude<Role, "admin">;
export const TOKEN_ROLES: readonly TokenRole[] = ["check", "publish", "replica"];

const settings = readEnvironment(testEnv).settings as Settings;
const deployment = new Deployment(settings, platformPorts);
const stranger = new Deployment({ ...settings, masterKey: new Uint8Array(32).fill(7) }, platformPorts);

/** Derives domain keys as the edge does, for lists that are packed by the hundred. */
export const keyFor = deployment.keyFor;

let minted = 0;

/** An id like those of the edge, a new one each time. */
export const nextId = (): string => (++minted).toString(16).padStart(16, "0");

export const claimsOf = (role: TokenRole, domains: readonly string[] | null): TokenClaims => ({
  id: nextId(),
  role,
  domains,
  expires: null,
});

/** A token that the edge accepts as its own. */
export const mint = (claims: TokenClaims): string => mintToken(deployment.tokenMac, claims);

/** What is wrong with a token that looks like one of ours, and how to make it from a valid one. */
export const BROKEN: Readonly<Record<string, (claims: TokenClaims) => string>> = {
  "expired a day ago": (claims) => mint({ ...claims, expires: Date.now() - 86_400_000 }),
  "expired this moment": (claims) => mint({ ...claims, expires: Date.now() }),
  "signed under another master key": (claims) => mintToken(stranger.tokenMac, claims),
  "its MAC altered in one bit": (claims) => {
    const [prefix, payload, mac = ""] = mint(claims).split(".");
    return `${prefix}.${payload}.${mac[0] === "A" ? "B" : "A"}${mac.slice(1)}`;
  },
  "its MAC cut short": (claims) => mint(claims).slice(0, -2),
  "its MAC empty": (claims) => `${mint(claims).split(".").slice(0, 2).join(".")}.`,
  "its MAC spelt in another way": (claims) => respelt(mint(claims)),
  "its MAC left out": (claims) => mint(claims).split(".").slice(0, 2).join("."),
  "a part too many": (claims) => `${mint(claims)}.x`,
  "another prefix": (claims) => mint(claims).replace(/^rc1/, "rc2"),
  "its payload of another role": (claims) =>
    withPayload(mint(claims), { ...claims, role: claims.role === "check" ? "publish" : "check" }),
  "its payload of the role admin": (claims) => withPayload(mint(claims), { ...claims, role: "admin" }),
  "its payload of all domains": (claims) => withPayload(mint(claims), { ...claims, domains: null, more: 1 }),
  "its payload of another id": (claims) => withPayload(mint(claims), { ...claims, id: nextId() }),
  "its payload expiring later": (claims) => {
    const expires = Date.now() - 1_000;
    return withPayload(mint({ ...claims, expires }), { ...claims, expires: expires + 86_400_000 });
  },
  "the role admin under a good MAC": (claims) => mint({ ...claims, role: "admin" as TokenRole }),
  "an unknown role under a good MAC": (claims) => mint({ ...claims, role: "__proto__" as TokenRole }),
};

/** `Authorization` headers that identify no caller. */
export const NOBODYS: Readonly<Record<string, string | null>> = {
  none: null,
  "an empty one": "",
  "a scheme alone": "Bearer",
  "a scheme and a space": "Bearer ",
  "the token without a scheme": ADMIN,
  "another scheme": `Basic ${btoa(`admin:${ADMIN}`)}`,
  "the admin token cut short": `Bearer ${ADMIN.slice(0, -1)}`,
  "the admin token and more": `Bearer ${ADMIN}x`,
  "the admin token in capitals": `Bearer ${ADMIN.toUpperCase()}`,
  "two tokens": `Bearer ${ADMIN}, Bearer ${ADMIN}`,
  "a prefix alone": "Bearer rc1",
  "empty parts": "Bearer rc1..",
  "parts that are no base64url": "Bearer rc1.%%%.===",
  "a payload that is no JSON": `Bearer rc1.${toBase64Url(utf8("null"))}.${toBase64Url(new Uint8Array(32))}`,
  "a token longer than any": `Bearer rc1.${"A".repeat(20_000)}.${"A".repeat(43)}`,
};

function withPayload(token: string, claims: object): string {
  const [prefix, , mac] = token.split(".");
  return `${prefix}.${toBase64Url(utf8(JSON.stringify(claims)))}.${mac}`;
}

/** The same bytes in a second spelling: the last of 43 characters has two unused bits. */
function respelt(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(token.slice(-1));
  return token.slice(0, -1) + alphabet[last ^ 1];
}
