/** `POST /v1/changes`: a replica asks a Registry what changed since N. */
import * as v from "valibot";
import { fromBase64Url, isPackedSketch, MODES, toALabel, VERDICTS } from "../directory/index.ts";
import { FAULT_KINDS } from "./errors.ts";
import { MAX_ASKED, MAX_COUNTS } from "./limits.ts";
import type { Asked, Count } from "./log.ts";
import { closed, type Infer, kind, listOf, named, type Schema, whole } from "./schema.ts";

/** More than a replica can answer between two questions. */
const MAX_COUNT = 1_000_000_000;
const COUNTED_MODES: readonly unknown[] = [...MODES, ""];

const isCount = (value: unknown): boolean => {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [domain, mode, word, count] = value as unknown[];
  if (typeof domain !== "string" || (domain !== "" && toALabel(domain) !== domain)) return false;
  if (!Number.isInteger(count) || (count as number) < 1 || (count as number) > MAX_COUNT) return false;
  if (mode === "fault") return FAULT_KINDS.some((each) => each === word);
  return COUNTED_MODES.includes(mode) && typeof word === "string" && Object.hasOwn(VERDICTS, word);
};

/** One line of what a replica counted, checked strictly: it comes from outside. */
const count: Schema<Count> = kind(
  isCount,
  `must be [domain, mode, verdict, count] or [domain, "fault", kind, count], with a domain in A-labels or empty, and a count from 1 to ${MAX_COUNT}`,
  {
    type: "array",
    prefixItems: [
      { type: "string" },
      { enum: [...COUNTED_MODES, "fault"] },
      { enum: [...Object.keys(VERDICTS), ...FAULT_KINDS] },
      { type: "integer", minimum: 1, maximum: MAX_COUNT },
    ],
    minItems: 4,
    maxItems: 4,
  },
);

const MAX_GROUP = 0xffff_ffff;
/** Characters of a whole sketch: 256 registers of two bytes. */
const MAX_SKETCH = 683;

const isAsked = (value: unknown): boolean => {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [domain, group, sketch] = value as unknown[];
  if (typeof domain !== "string" || toALabel(domain) !== domain) return false;
  if (!Number.isInteger(group) || (group as number) < 0 || (group as number) > MAX_GROUP) return false;
  if (typeof sketch !== "string" || sketch.length > MAX_SKETCH || !/^[\w-]+$/.test(sketch)) return false;
  try {
    return isPackedSketch(fromBase64Url(sketch));
  } catch {
    return false;
  }
};

/** Distinct names that a replica was asked for. */
const asked: Schema<Asked> = kind(
  isAsked,
  "must be [domain, group, sketch], with a domain in A-labels, the number of a group or 0, and a sketch in base64url",
  {
    type: "array",
    prefixItems: [
      { type: "string" },
      { type: "integer", minimum: 0, maximum: MAX_GROUP },
      { type: "string", maxLength: MAX_SKETCH },
    ],
    minItems: 3,
    maxItems: 3,
  },
);

/** Text of a client that its answer repeats, so that the answer to another request is not taken for this one. */
export const nonce = kind<string>(
  (value) => typeof value === "string" && /^[\x21-\x7e]{1,64}$/.test(value),
  "must be 1 to 64 printable ASCII characters without spaces",
  { type: "string", pattern: "^[\\x21-\\x7e]{1,64}$" },
);

export const changesRequest = named(
  "ChangesRequest",
  closed({
    partition: whole,
    /** The position up to which the replica knows the log; null: nothing. */
    since: v.nullable(closed({ incarnation: whole, number: whole })),
    /** Continues a list that was too long for one answer: `next` of the answer before. */
    after: v.exactOptional(v.nullable(whole)),
    nonce,
    /** What the replica counted since its last question. Never sent twice. */
    counts: v.exactOptional(listOf(count, MAX_COUNTS)),
    /** Distinct names that it was asked for since, of those that left and of those that enforce mode would refuse. */
    asked: v.exactOptional(listOf(asked, MAX_ASKED)),
  }),
);
export type ChangesRequest = Infer<typeof changesRequest>;
