/* What a bridge knows about its token, and when it warns. */
import { expect, it } from "vitest";
import { TokenState, watchToken } from "../../src/bridge/edge-source/token.ts";
import { toBase64Url, utf8 } from "../../src/directory/index.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;
const START = 1_000 * DAY;
const tokenUntil = (expires: number | null): string =>
  `rc1.${toBase64Url(utf8(JSON.stringify({ expires })))}.${toBase64Url(utf8("mac"))}`;

/** A token on a host whose clock can be set, and the warnings about it. */
function watched(expires: number | null) {
  const host = { now: START };
  const token = new TokenState(tokenUntil(expires), () => host.now);
  const warnings: (readonly [at: number, isExpired: boolean])[] = [];
  const look = watchToken(
    token,
    (_, isExpired) => void warnings.push([host.now - START, isExpired]),
    () => host.now,
  );
  return { host, token, warnings, look };
}

it("a refused token is a fault until the edge answers, or another token is there", () => {
  const { token } = watched(null);
  expect(token.fault).toBeNull();
  token.heard(true);
  expect(token.fault).toContain("the edge refuses the token (401)");
  expect(token.replace(tokenUntil(null))).toBe(false);
  expect(token.fault).not.toBeNull();
  expect(token.replace(tokenUntil(START + 30 * DAY))).toBe(true);
  expect(token.fault).toBeNull();
  token.heard(true);
  token.heard(false);
  expect(token.fault).toBeNull();
  expect(token.replace(tokenUntil(START))).toBe(true);
  expect(token.fault).toContain("the token expired on");
});

it("warns once a day in the last week, and once when the token has expired", () => {
  const { host, warnings, look } = watched(START + 9 * DAY + MINUTE);
  for (; host.now < START + 11 * DAY; host.now += look());
  const days = [2, 3, 4, 5, 6, 7, 8].map((day) => [day * DAY + MINUTE, false]);
  expect(warnings).toEqual([...days, [9 * DAY + MINUTE, true], [10 * DAY + MINUTE, true]]);
});

it("warns again if the clock was set back by more than a day", () => {
  const { host, warnings, look } = watched(START + 5 * DAY);
  look();
  host.now += MINUTE;
  look();
  expect(warnings).toHaveLength(1);
  host.now -= 1.5 * DAY;
  look();
  expect(warnings).toHaveLength(2);
});
