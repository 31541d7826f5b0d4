/** How a deployment stands: its health, its Registries, what it answered, and its audit trail. */
import { VERDICTS, type Verdict } from "../../directory/index.ts";
import { FAULT_KINDS } from "../errors.ts";
import { flag, type Infer, knownWord, listOf, named, open, orNull, text, texts, whole } from "../schema.ts";
import { mode } from "./policy.ts";

/** `GET /healthz`. */
export const health = named(
  "Health",
  open({
    status: knownWord("ok", "unconfigured"),
    version: text,
    /** Names of secrets and bindings that are missing or cannot be used, each with what is wrong. */
    faults: texts,
  }),
);
export type Health = Infer<typeof health>;

/** `POST /v1/registry` and `GET /v1/registry`: how the Registries of this deployment stand. */
export const registryStatus = named(
  "RegistryStatus",
  open({
    partitions: listOf(
      open({
        partition: whole,
        /** Null if it was never initialised. */
        incarnation: orNull(whole),
        /** The newest number. */
        as_of: whole,
        /** Keys that KV still lacks. */
        kv_pending: whole,
        /** Why the last copy to KV failed, null if it did not. */
        kv_error: orNull(text),
        /** Whether ROLLCALL_PAUSED is set, so that nothing is confirmed; null by an edge that has no such setting. */
        paused: orNull(flag),
        /** Octets of its storage, of 10 GB; null by an edge that does not know. */
        bytes: orNull(whole),
        /** Domains that use more than half of what they may store; null by an edge that has no such bound. Octets. */
        usage: orNull(
          listOf(
            open({
              domain: text,
              /** Lists and their history. */
              kept: whole,
              kept_most: whole,
              /** Uploaded shards that no commit names. */
              uploads: whole,
              uploads_most: whole,
            }),
          ),
        ),
      }),
    ),
    /** Whether KV could be read just now. */
    kv_readable: flag,
    /** Shortest cacheTtl that KV takes, seconds. */
    kv_cache_ttl: whole,
  }),
);
export type RegistryStatus = Infer<typeof registryStatus>;

/** `POST /v1/registry/restored`. */
export const restoredResult = named(
  "RestoredResult",
  open({
    partition: whole,
    /** The one that the log has now. */
    incarnation: whole,
    as_of: whole,
    /** Heads that have a number in it. */
    continued: whole,
    /** Tokens that were revoked again, since KV's roster says that they were. */
    revoked: whole,
    /** Domains that KV's roster lists and the restored Registry does not know: published or deleted since. */
    lost: texts,
    /** Domains whose list was made under another master key or canonicaliser: publish them again. */
    unusable: texts,
  }),
);
export type RestoredResult = Infer<typeof restoredResult>;

/** `POST /v1/registry/verify`. */
export const verifyResult = named(
  "VerifyResult",
  open({
    partition: whole,
    /** Heads that this step looked at. */
    heads: whole,
    /** What is damaged or lost; nothing is made from it. */
    damaged: listOf(open({ domain: text, kind: knownWord(...FAULT_KINDS), detail: text })),
    /** What the next step comes after, null after the last one. */
    next: orNull(text),
  }),
);
export type VerifyResult = Infer<typeof verifyResult>;

/** Answers of one domain, mode and verdict in the last hour and the last day. */
const answerCount = open({
  /** Null: domains that are not served here, and what too many domains were counted together as. */
  domain: orNull(text),
  mode: orNull(mode),
  verdict: knownWord(...(Object.keys(VERDICTS) as Verdict[])),
  hour: whole,
  day: whole,
});
export type AnswerCount = Infer<typeof answerCount>;

/** Faults of one kind in the last hour and the last day. */
const faultCount = open({
  domain: orNull(text),
  kind: knownWord(...FAULT_KINDS),
  hour: whole,
  day: whole,
});
export type FaultCount = Infer<typeof faultCount>;

/** `GET /v1/status`: what was answered and what went wrong, as far as it was counted. */
export const edgeStatus = named(
  "EdgeStatus",
  open({ answers: listOf(answerCount), faults: listOf(faultCount) }),
);
export type EdgeStatus = Infer<typeof edgeStatus>;

/** One line of the audit trail. */
const auditRecord = open({
  time: whole,
  action: text,
  by: text,
  subject: text,
  detail: orNull(text),
});
export type AuditRecord = Infer<typeof auditRecord>;

export const auditList = named(
  "AuditList",
  open({
    audit: listOf(auditRecord),
    /** What the next page comes after, null on the last one. A page may have few lines and be followed by others. */
    next: orNull(text),
  }),
);
export type AuditList = Infer<typeof auditList>;
