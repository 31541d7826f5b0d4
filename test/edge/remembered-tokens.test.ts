/* Tokens that an isolate remembers, so that a check need not prove them each time. */
import { beforeEach, expect, it } from "vitest";
import { type Mac, tokenMac } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { Access, mintToken } from "../../src/edge/access.ts";

const mac = tokenMac(stablelibHashing, new Uint8Array(32).fill(7));
let proofs: number;
let access: Access;

beforeEach(() => {
  proofs = 0;
  const counting: Mac = (data) => {
    proofs++;
    return mac(data);
  };
  access = new Access(
    { clock: { now: () => 0 }, hashing: stablelibHashing },
    "admin-token",
    counting,
    () => false,
  );
});

const tokenOf = (id: string, domains: readonly string[]): string =>
  `Bearer ${mintToken(mac, { id, role: "check", domains, expires: null })}`;

it("a token is proved once, however often it is sent", () => {
  const token = tokenOf("t", ["a.test"]);
  for (let i = 0; i < 5; i++) expect(access.caller(token)?.id).toBe("t");
  expect(proofs).toBe(1);
});

it("the same token with other spaces is not remembered again", () => {
  const token = tokenOf("t", ["a.test"]);
  const padded = token.replace(" ", "     ");
  for (let i = 0; i < 5; i++) expect(access.caller(padded)?.id).toBe("t");
  expect(proofs).toBe(5);
});

it("long tokens are remembered up to half a million characters in all", () => {
  const domains = Array.from({ length: 100 }, (_, i) => `${"x".repeat(60)}${i}.example`);
  const tokens = Array.from({ length: 200 }, (_, i) => tokenOf(`t${i}`, domains));
  const length = tokens[0]?.length ?? 0;
  const most = Math.floor(500_000 / length);
  expect(most).toBeLessThan(60);
  for (const token of tokens.slice(0, most - 1)) access.caller(token);
  for (const token of tokens.slice(0, most - 1)) access.caller(token);
  expect(proofs).toBe(most - 1);
  // The next ones do not fit, so that all are forgotten once.
  for (const token of tokens.slice(most - 1, most + 2)) access.caller(token);
  access.caller(tokens[0] as string);
  expect(proofs).toBe(most + 3);
});
