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
      }),
    ),
    /** Whether KV could be read just now. */
    kv_readable: flag,
    /** Shortest cacheTtl that KV takes, seconds. */
    kv_cache_ttl: whole,
  }),
);
export type RegistryStatus = Infer<typeof registryStatus>;

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

export const auditList = named("AuditList", open({ audit: listOf(auditRecord) }));
export type AuditList = Infer<typeof auditList>;
