import { expect, it } from "vitest";
import {
  atOnce,
  DirectoryError,
  MAX_TAILS,
  type ManifestContent,
  NO_COVERAGE,
  NO_DEPARTURES,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { RegistryFailure } from "../../src/registry/failure.ts";
import type { Records } from "../../src/registry/generations/records.ts";
import { computeDepartures } from "../../src/registry/names/compute-departures.ts";
import { contentOf, packList, packShard, repeatedShards, tableOf } from "../directory/helpers.ts";

const BITS = 6;

/** What follows a list whose shards are `shards`, if all of its names leave. */
function leaveAll(shards: readonly Uint8Array[]): unknown {
  let next = 0;
  const records = { blob: () => shards[next++] ?? null, putDepartures: () => undefined };
  const none = shards.map((_, index) => packShard(new Map(), BITS, index));
  const after = {
    table: tableOf(none, BITS),
    read: (index: number) => none[index] as Uint8Array,
    patterns: null,
  };
  const before: ManifestContent = contentOf(packList(new Map()), {
    shards: tableOf(shards, BITS),
    departures: NO_DEPARTURES,
  });
  try {
    const rules = {
      now: 0,
      grace: 60,
      accepted: 10,
      coverage: NO_COVERAGE,
    };
    return atOnce(computeDepartures(records as unknown as Records, stablelibHashing, before, after, rules));
  } catch (error) {
    return error;
  }
}

it("more names than can be kept are a bad request, which says what to do", () => {
  const error = leaveAll(repeatedShards(60_000, BITS));
  expect(error).toBeInstanceOf(RegistryFailure);
  expect(error).toMatchObject({
    error: { code: "bad_request", message: expect.stringContaining(`more than ${MAX_TAILS} names`) },
  });
});

it("a damaged shard is not a bad request, since a publisher cannot fix it", () => {
  const shards = repeatedShards(1, BITS);
  const error = leaveAll([new Uint8Array(9), ...shards.slice(1)]);
  expect(error).toBeInstanceOf(DirectoryError);
  expect(error).toMatchObject({ fault: "damaged" });
});
