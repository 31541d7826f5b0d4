/**
 * A plan in a file, so that exactly what was looked at is published. It has everything but the key of a domain, which is
 * fetched again, and the shards that the edge has already.
 *
 *   {"rollcall_plan":1,"release":…,"length":…,"sha256":…}   one line; length and hash are those of the rest
 *   {"edge":…,"domains":[…]}                                one line
 *   shards of the first domain, of the second, …
 */
import * as v from "valibot";
import { VERSION } from "../api/index.ts";
import {
  type BlobTable,
  concatBytes,
  type DomainKey,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  type Hashing,
  MODES,
  toBase64Url,
  toHex,
  utf8,
} from "../directory/index.ts";
import type { Base } from "./base.ts";
import { PublishError } from "./errors.ts";
import type { DomainPlan } from "./plan.ts";
import type { PlannedList } from "./plan-list.ts";
import type { SourceCount } from "./source-counts.ts";
import { newShards } from "./upload-size.ts";

/** The format that this release writes, and the only one that it reads. */
const FORMAT = 1;
const START = '{"rollcall_plan":';
const NEWLINE = 10;

const NUMBER = v.pipe(v.number(), v.safeInteger());
const COUNTS = v.object({ active: NUMBER, disabled: NUMBER, full: NUMBER, moved: NUMBER });
const PATTERN_CHANGES = v.object({ added: NUMBER, removed: NUMBER, changed: NUMBER });
const LINES = v.object({ count: NUMBER, first: v.array(v.string()) });
const POLICY = v.record(v.string(), v.unknown());
const MODE = v.picklist(MODES);
const STATE = v.picklist(["active", "disabled", "full", "moved"]);

const SOURCE = v.object({
  name: v.string(),
  accepting: NUMBER,
  given: NUMBER,
  elsewhere: NUMBER,
  leftOut: NUMBER,
  reasons: v.array(v.tuple([v.string(), NUMBER])),
});

const HEADER = v.object({
  rollcall_plan: NUMBER,
  release: v.string(),
  length: NUMBER,
  sha256: v.string(),
});

const DOMAIN = v.object({
  domain: v.string(),
  epoch: NUMBER,
  key_id: v.string(),
  partition: NUMBER,
  expect: v.nullable(NUMBER),
  policy: POLICY,
  mode: v.nullable(MODE),
  resulting_policy: POLICY,
  resulting_mode: MODE,
  changes: v.array(v.object({ setting: v.string(), from: v.unknown(), to: v.unknown() })),
  difference: v.nullable(v.object({ added: NUMBER, removed: NUMBER, changed: NUMBER, lost: NUMBER })),
  leaving: v.array(v.tuple([NUMBER, v.picklist(["removed", "refused"])])),
  unchanged: v.boolean(),
  refusal: v.nullable(v.string()),
  shrunk: v.array(v.string()),
  sources: v.nullable(v.array(SOURCE)),
  warnings: v.array(v.string()),
  patched: v.nullable(
    v.object({
      added: NUMBER,
      removed: NUMBER,
      changed: NUMBER,
      decision: v.nullable(v.picklist(["keep", "drop"])),
      kept: v.array(v.string()),
      settles: v.boolean(),
    }),
  ),
  counts: COUNTS,
  table: v.object({ bits: NUMBER, inline: v.nullable(v.string()), ids: v.string() }),
  patterns: v.object({ table: v.nullable(v.string()), changes: PATTERN_CHANGES }),
  covered: v.nullable(v.array(NUMBER)),
  hidden: NUMBER,
  /** Position in the list and length of each shard that follows. */
  shards: v.array(v.tuple([NUMBER, NUMBER])),
  shown: v.object({
    leaving: v.array(v.object({ address: v.string(), how: v.picklist(["removed", "refused"]) })),
    coming: v.array(v.string()),
    changing: v.array(v.object({ address: v.string(), from: STATE, to: STATE })),
    duplicates: LINES,
    skipped: LINES,
    conflicts: LINES,
  }),
});

const BODY = v.object({ edge: v.string(), domains: v.array(DOMAIN) });

type StoredDomain = v.InferOutput<typeof DOMAIN>;

/** A plan as a file has it. */
export interface PlanFile {
  /** Origin of the edge that it was made for. */
  readonly edge: string;
  readonly domains: readonly StoredPlan[];
}

/** A domain of a {@link PlanFile}. */
export interface StoredPlan {
  readonly domain: string;
  readonly epoch: number;
  readonly keyId: string;
  /** Generation that the plan starts from. */
  readonly expect: number | null;
  /** The plan itself, which needs the domain's key and the head that it starts from. */
  planned(key: DomainKey, base: Base | null): PlannedList;
}

/** Whether a file begins as a plan does. */
export const isPlanFile = (bytes: Uint8Array): boolean =>
  equalBytes(bytes.subarray(0, START.length), utf8(START));

/** @param edge origin of the edge that the plans were made for */
export function encodePlanFile(planned: readonly PlannedList[], edge: string, hashing: Hashing): Uint8Array {
  const parts: Uint8Array[] = [];
  const domains = planned.map((list) => storedOf(list, parts));
  const body = concatBytes([utf8(`${JSON.stringify({ edge, domains })}\n`), ...parts]);
  const header = {
    rollcall_plan: FORMAT,
    release: VERSION,
    length: body.length,
    sha256: toHex(hashing.sha256(body)),
  };
  return concatBytes([utf8(`${JSON.stringify(header)}\n`), body]);
}

function storedOf(list: PlannedList, parts: Uint8Array[]): StoredDomain {
  const { plan, leaving, coming, changing, duplicates, skipped, conflicts } = list;
  const { table, shards, counts, patterns } = plan.packed;
  const own = (plan.unchanged ? [] : newShards(plan)).map((index): [number, Uint8Array] => [
    index,
    shards[index] as Uint8Array,
  ]);
  for (const [, bytes] of own) parts.push(bytes);
  return {
    domain: plan.domain,
    epoch: plan.key.epoch,
    key_id: plan.key.id,
    partition: plan.partition,
    expect: plan.expect,
    policy: plan.policy,
    mode: plan.mode ?? null,
    resulting_policy: { ...plan.resultingPolicy },
    resulting_mode: plan.resultingMode,
    changes: plan.changes.map((change) => ({ ...change })),
    difference: plan.difference,
    leaving: [...plan.leaving],
    unchanged: plan.unchanged,
    refusal: plan.refusal,
    shrunk: [...plan.shrunk],
    sources:
      plan.sources?.counts.map(({ unmet: _, reasons, ...count }) => ({
        ...count,
        reasons: reasons.map(([why, rows]): [string, number] => [why, rows]),
      })) ?? null,
    warnings: [...plan.warnings],
    patched: plan.patched && { ...plan.patched, kept: plan.patched.kept.map(toHex) },
    counts,
    table: {
      bits: table.bits,
      inline: table.inline === null ? null : toBase64Url(table.inline),
      ids: toHex(table.ids),
    },
    patterns: {
      table: patterns === null ? null : toBase64Url(patterns),
      changes: plan.patternChanges,
    },
    covered: plan.covered && [...plan.covered],
    hidden: plan.hidden,
    shards: own.map(([index, bytes]) => [index, bytes.length]),
    shown: {
      leaving: [...leaving],
      coming: [...coming],
      changing: [...changing],
      duplicates: { count: duplicates.count, first: [...duplicates.first] },
      skipped: { count: skipped.count, first: [...skipped.first] },
      conflicts: { count: conflicts.count, first: [...conflicts.first] },
    },
  };
}

/**
 * Reads a plan, and verifies that it is whole.
 * @param shown the file as messages name it
 * @throws PublishError `input` if it is damaged, or of another release
 */
export function decodePlanFile(bytes: Uint8Array, shown: string, hashing: Hashing): PlanFile {
  const end = bytes.indexOf(NEWLINE);
  const header = parsed(HEADER, bytes.subarray(0, Math.max(end, 0)));
  if (header === null) throw damaged(shown, "its first line cannot be read");
  if (header.rollcall_plan !== FORMAT || header.release !== VERSION) {
    throw new PublishError(
      "input",
      `${shown} was made by release ${header.release} of Rollcall, and this is ${VERSION}`,
      PLAN_AGAIN,
    );
  }
  const body = bytes.subarray(end + 1);
  if (body.length !== header.length) {
    throw damaged(shown, `it has ${body.length} octets after its first line instead of ${header.length}`);
  }
  if (toHex(hashing.sha256(body)) !== header.sha256) throw damaged(shown, "its checksum is wrong");
  const head = body.indexOf(NEWLINE);
  const stored = parsed(BODY, body.subarray(0, Math.max(head, 0)));
  if (stored === null) throw damaged(shown, "its second line cannot be read");
  let at = head + 1;
  const domains = stored.domains.map((domain): StoredPlan => {
    // Shards that the edge has already are not in the file: the list stays without them.
    const shards: Uint8Array[] = [];
    for (const [index, length] of domain.shards) {
      shards[index] = body.subarray(at, at + length);
      at += length;
    }
    return {
      domain: domain.domain,
      epoch: domain.epoch,
      keyId: domain.key_id,
      expect: domain.expect,
      planned: (key, base) => plannedOf(domain, shards, key, base),
    };
  });
  return { edge: stored.edge, domains };
}

function plannedOf(
  stored: StoredDomain,
  shards: readonly Uint8Array[],
  key: DomainKey,
  base: Base | null,
): PlannedList {
  const { inline, ids, bits } = stored.table;
  const patterns = stored.patterns.table === null ? null : fromBase64Url(stored.patterns.table);
  const table: BlobTable = {
    bits,
    inline: inline === null ? null : fromBase64Url(inline),
    ids: fromHex(ids),
  };
  const plan: DomainPlan = {
    domain: stored.domain,
    key,
    partition: stored.partition,
    packed: { table, shards, counts: stored.counts, patterns },
    patternChanges: stored.patterns.changes,
    covered: stored.covered && new Set(stored.covered),
    hidden: stored.hidden,
    policy: stored.policy,
    ...(stored.mode === null ? {} : { mode: stored.mode }),
    canaries: [],
    base,
    expect: stored.expect,
    resultingPolicy: stored.resulting_policy as unknown as DomainPlan["resultingPolicy"],
    resultingMode: stored.resulting_mode,
    changes: stored.changes as DomainPlan["changes"],
    difference: stored.difference,
    leaving: new Map(stored.leaving),
    coming: new Set(),
    changing: new Map(),
    unchanged: stored.unchanged,
    refusal: stored.refusal,
    shrunk: stored.shrunk,
    sources: stored.sources === null ? undefined : { counts: stored.sources.map(asMet), last: null },
    listed: null,
    patched: stored.patched && { ...stored.patched, kept: stored.patched.kept.map(fromHex) },
    guardNames: null,
    missingCanaries: [],
    unmet: [],
    warnings: stored.warnings,
  };
  return { plan, ...stored.shown };
}

/** A plan that did not meet what rollcall.toml expects is in no file. */
const asMet = (count: Omit<SourceCount, "unmet">): SourceCount => ({ ...count, unmet: [] });

/** What a line of JSON says, or null if it does not fit the schema. */
function parsed<S extends v.GenericSchema>(schema: S, line: Uint8Array): v.InferOutput<S> | null {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(line));
  } catch {
    return null;
  }
  const result = v.safeParse(schema, value);
  return result.success ? result.output : null;
}

/** Hint for a plan that cannot be published. */
export const PLAN_AGAIN =
  "make a new one with `rollcall plan --out FILE`, and look at it; nothing was changed";

const damaged = (shown: string, why: string): PublishError =>
  new PublishError("input", `${shown} is damaged: ${why}`, PLAN_AGAIN);
