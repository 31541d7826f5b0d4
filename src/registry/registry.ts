import type {
  AuditRecord,
  CommitRequest,
  CommitResult,
  GenerationRecord,
  HeadResult,
  PlanRequest,
  PlanResult,
  RollbackRequest,
} from "../api/contract.ts";
import type { Counted, Question, QuestionAnswer, RegistryError, Result } from "../api/log.ts";
import {
  DirectoryError,
  type DomainKey,
  decodeShard,
  deriveDomainKey,
  equalBytes,
  fromHex,
  isContentId,
  rosterMac,
} from "../directory/index.ts";
import type { KvStore } from "../runtime/ports.ts";
import { type CommitContext, commit, remove, rollback } from "./commit.ts";
import { copyToKv, noteMissing, noteMissingBlob } from "./copy-to-kv.ts";
import type { Counters } from "./counters.ts";
import { failure, ok, RegistryFailure } from "./failure.ts";
import { prune } from "./history.ts";
import { type AskRevocations, begin, placeFault, revocationsFor } from "./initialise.ts";
import { HEARTBEAT, nextRun, pendingKeys } from "./kv-pauses.ts";
import { domainsNamed, listDomains, listGenerations, requireWhole, WHOLE } from "./listings.ts";
import { plan } from "./plan.ts";
import type { RegistryPorts as Ports, RegistrySettings, RegistryStorage } from "./ports.ts";
import type {
  Actor,
  Changed,
  HeadSummary,
  KeptToken,
  Page,
  PartitionStatus,
  Place,
  RegistryApi,
  Revocation,
} from "./protocol.ts";
import { Records } from "./records.ts";
import { getMeta, setAlarmBy, setMeta } from "./schema.ts";
import { fillSummaries } from "./summaries.ts";
import {
  beginWith,
  isRevoked,
  keepToken,
  listRevocations,
  listTokens,
  revokeToken,
  takeOver,
} from "./tokens.ts";

/** Lines of the audit trail in one answer. */
const AUDIT_LINES = 500;
/** Between two runs of pruning that has more to let go of than one takes. */
const PRUNING_PAUSE = 1_000;

/** Ends the transaction of a plan, which keeps nothing. */
class PlanIsDone extends Error {}

/** What a Registry is made of. */
export interface RegistryParts {
  readonly storage: RegistryStorage;
  readonly kv: KvStore;
  readonly ports: Ports;
  readonly settings: RegistrySettings;
  /** Place that the caller believes this Registry to have. */
  readonly place: Place;
  /** The first partition, as this one reaches it. */
  readonly revocations: AskRevocations;
  /** What adds up the counts of isolates; left out, they are dropped. */
  readonly counters?: Counters;
}

/**
 * The system of record of one partition: it serialises commits and numbers them, guards them (law 4), answers
 * "what changed since N?", and copies to KV. Every answer reads storage, never a field: an object that was
 * replaced may still be asked.
 */
export class RegistryCore implements RegistryApi {
  readonly #parts: RegistryParts;
  readonly #records: Records;
  readonly #keyFor: (domain: string, epoch: number) => DomainKey;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    const { hashing } = parts.ports;
    this.#keyFor = (domain, epoch) => deriveDomainKey(hashing, parts.settings.masterKey, domain, epoch);
    this.#records = new Records(parts.storage);
  }

  async question(question: Question): Promise<Result<QuestionAnswer>> {
    if (question.counts !== undefined) this.#parts.counters?.add(question.counts);
    return this.#answer(() => this.#question(question));
  }

  async counted(): Promise<Result<readonly Counted[]>> {
    return this.#answer(() => this.#parts.counters?.read() ?? []);
  }

  async blob(domain: string, id: string, isMissed: boolean): Promise<Result<Uint8Array | null>> {
    return this.#answer(() => {
      const { storage } = this.#parts;
      if (isMissed && noteMissingBlob(storage, domain, id, this.#now())) this.#askForAlarm();
      return this.#records.blob(domain, id);
    });
  }

  async putShard(domain: string, id: string, bytes: Uint8Array): Promise<Result<null>> {
    const begun = await this.#initialiseOnce("publisher");
    if (!begun.ok) return begun;
    return this.#answer(() => {
      if (!isContentId(id) || !equalBytes(this.#parts.ports.hashing.sha256(bytes), fromHex(id))) {
        throw failure("bad_request", `the bytes are not those of shard ${id}: it is named by its SHA-256`, {
          domain,
        });
      }
      try {
        decodeShard(bytes);
      } catch (error) {
        throw error instanceof DirectoryError ? failure("bad_request", error.message, { domain }) : error;
      }
      return this.#change(() => {
        this.#records.putShard(domain, id, bytes, this.#now());
        return null;
      });
    });
  }

  async commit(request: CommitRequest, by: Actor): Promise<Result<Changed<CommitResult>>> {
    const begun = await this.#initialiseOnce(by);
    if (!begun.ok) return begun;
    return this.#answer(() => this.#changed(() => commit(this.#context(), request, by)));
  }

  async plan(request: PlanRequest): Promise<Result<PlanResult>> {
    return this.#answer(() => {
      let result: PlanResult | null = null;
      try {
        this.#parts.storage.transaction(() => {
          result = plan(this.#context(), request);
          // The guard takes a commit into its ledger while it judges: nothing of that may stay.
          throw new PlanIsDone();
        });
      } catch (error) {
        if (!(error instanceof PlanIsDone)) throw error;
      }
      return result as unknown as PlanResult;
    });
  }

  async rollback(domain: string, request: RollbackRequest, by: Actor): Promise<Result<Changed<HeadResult>>> {
    return this.#answer(() => this.#changed(() => rollback(this.#context(), domain, request, by)));
  }

  async remove(domain: string, expect: number, by: Actor): Promise<Result<Changed<HeadResult>>> {
    return this.#answer(() => this.#changed(() => remove(this.#context(), domain, expect, by)));
  }

  async head(domain: string): Promise<Result<Uint8Array | null>> {
    return this.#answer(() => this.#records.headBytes(domain)?.manifest ?? null);
  }

  async domains(page: Page<string> = WHOLE): Promise<Result<readonly HeadSummary[]>> {
    return this.#answer(() => requireWhole(listDomains(this.#parts.storage, page), page));
  }

  async domainsNamed(names: readonly string[]): Promise<Result<readonly HeadSummary[]>> {
    return this.#answer(() => domainsNamed(this.#parts.storage, names));
  }

  async generations(
    domain: string,
    page: Page<number> = WHOLE,
  ): Promise<Result<readonly GenerationRecord[] | null>> {
    return this.#answer(() => {
      const lines = listGenerations(this.#parts.storage, domain, page);
      return lines === null ? null : requireWhole(lines, page);
    });
  }

  async keepToken(token: KeptToken, by: Actor): Promise<Result<null>> {
    const begun = await this.#initialiseOnce(by);
    if (!begun.ok) return begun;
    return this.#answer(() =>
      this.#change(() => {
        keepToken(this.#parts.storage, token, by, this.#now());
        return null;
      }),
    );
  }

  async tokens(): Promise<Result<readonly KeptToken[]>> {
    return this.#answer(() => listTokens(this.#parts.storage));
  }

  async revokeToken(
    id: string,
    expires: number | null,
    by: Actor,
  ): Promise<Result<Changed<KeptToken | null>>> {
    const { storage } = this.#parts;
    // Where it is only about to begin, it may have asked what is revoked already.
    if (getMeta(storage, "incarnation") === undefined) beginWith(storage, [{ id, expires }], this.#now());
    return this.#answer(() =>
      this.#changed(() => revokeToken(this.#parts.storage, id, expires, by, this.#now())),
    );
  }

  async isRevoked(id: string): Promise<Result<boolean>> {
    return this.#answer(() => isRevoked(this.#parts.storage, id));
  }

  async revocations(): Promise<Result<readonly Revocation[]>> {
    return this.#answer(() => listRevocations(this.#parts.storage));
  }

  async initialise(by: Actor): Promise<Result<PartitionStatus>> {
    const begun = await this.#initialiseOnce(by);
    if (!begun.ok) return begun;
    const taken = await this.#takeRevocations(by);
    return taken.ok ? this.status() : taken;
  }

  async status(): Promise<Result<PartitionStatus>> {
    const { storage, place } = this.#parts;
    const incarnation = getMeta(storage, "incarnation") ?? null;
    const status = {
      partition: place.partition,
      incarnation,
      as_of: getMeta(storage, "number") ?? 0,
      kv_pending: incarnation === null ? 0 : pendingKeys(storage),
      kv_error: getMeta(storage, "kv_error") || null,
    };
    return incarnation === null ? ok(status) : this.#answer(() => status);
  }

  async audit(): Promise<Result<readonly AuditRecord[]>> {
    return this.#answer(() =>
      this.#parts.storage
        .sql(
          "SELECT time, action, made_by, subject, detail FROM audit ORDER BY seq DESC LIMIT ?",
          AUDIT_LINES,
        )
        .map((row) => ({
          time: row.time as number,
          action: row.action as string,
          by: row.made_by as string,
          subject: row.subject as string,
          detail: row.detail as string | null,
        })),
    );
  }

  /** The alarm: prunes, copies, and asks for the next one, whatever happens. */
  async alarm(): Promise<void> {
    const { storage, kv, ports, settings } = this.#parts;
    if (getMeta(storage, "incarnation") === undefined) return;
    setMeta(storage, "alarm", 0);
    // What was revoked while this partition could not be reached is taken over within an hour.
    if (this.#now() - (getMeta(storage, "revocations_taken") ?? 0) >= HEARTBEAT) {
      await this.#takeRevocations("registry");
    }
    let isMore = false;
    try {
      isMore = storage.transaction(() => prune(storage, this.#now(), settings.history));
      isMore = storage.transaction(() => fillSummaries(storage)) || isMore;
    } catch {
      // What could not be let go of is tried again with the next alarm; copying must not wait for it.
    }
    try {
      await copyToKv({
        storage,
        kv,
        records: this.#records,
        clock: ports.clock,
        timers: ports.timers,
        rosterMac: rosterMac(ports.hashing, settings.masterKey),
      });
    } finally {
      this.#askForAlarm();
      if (isMore) setAlarmBy(storage, this.#now() + PRUNING_PAUSE, this.#now());
    }
  }

  #now(): number {
    return this.#parts.ports.clock.now();
  }

  #context(): CommitContext {
    const { storage, ports, settings } = this.#parts;
    return {
      storage,
      records: this.#records,
      hashing: ports.hashing,
      keyFor: this.#keyFor,
      history: settings.history,
      now: this.#now(),
    };
  }

  #question({ since, want, most }: Question): QuestionAnswer {
    const { storage } = this.#parts;
    const incarnation = getMeta(storage, "incarnation") as number;
    const asOf = getMeta(storage, "number") ?? 0;
    const from = since?.incarnation === incarnation ? since.number : -1;
    const isAll = from < (getMeta(storage, "purged") ?? 0) || from > asOf;
    const after = isAll ? -1 : from;
    const limit = since === null && most !== undefined ? most : null;
    // One more than the limit tells that there are too many, without reading them all.
    const rows = limit === null ? -1 : limit + 1;
    const heads = storage.sql("SELECT domain, number FROM heads WHERE number > ? LIMIT ?", after, rows);
    const revoked = storage.sql("SELECT id FROM revocations WHERE number > ? LIMIT ?", after, rows);
    const isTooMuch = limit !== null && (heads.length > limit || revoked.length > limit);
    return {
      incarnation,
      asOf,
      full: isAll && !isTooMuch,
      heads: isTooMuch ? [] : heads.map((row) => [row.domain as string, row.number as number] as const),
      revoked: isTooMuch ? [] : revoked.map((row) => row.id as string),
      wanted: want === null ? null : this.#wanted(want),
    };
  }

  #wanted(domain: string): QuestionAnswer["wanted"] {
    const { storage } = this.#parts;
    noteMissing(storage, domain, this.#now());
    if (pendingKeys(storage) > 0) this.#askForAlarm();
    return { domain, manifest: this.#records.headBytes(domain)?.manifest ?? null };
  }

  /** Runs `work` where this Registry is what the caller takes it for, and turns a failure into a value. */
  #answer<T>(work: () => T): Result<T> {
    const fault = this.#placeFault();
    if (fault !== null) return { ok: false, error: fault };
    try {
      return ok(work());
    } catch (error) {
      if (error instanceof RegistryFailure) return { ok: false, error: error.error };
      throw error;
    }
  }

  /** A write: all of it or nothing, with the alarm that copies it to KV. */
  #change<T>(work: () => T): T {
    const { storage } = this.#parts;
    return storage.transaction(() => {
      const result = work();
      if (pendingKeys(storage) > 0) this.#askForAlarm();
      return result;
    });
  }

  #askForAlarm(): void {
    const { storage } = this.#parts;
    setAlarmBy(storage, nextRun(storage, this.#now()), this.#now());
  }

  #changed<T>(work: () => T): Changed<T> {
    return this.#change(() => {
      const result = work();
      const { storage } = this.#parts;
      return {
        result,
        incarnation: getMeta(storage, "incarnation") as number,
        number: getMeta(storage, "number") ?? 0,
      };
    });
  }

  #placeFault(): RegistryError | null {
    return placeFault(this.#parts.storage, this.#parts.place);
  }

  /** A Registry begins with the first change that is asked of it. */
  async #initialiseOnce(by: Actor): Promise<Result<null>> {
    const { ports, settings } = this.#parts;
    const context = { ...this.#parts, rosterMac: rosterMac(ports.hashing, settings.masterKey) };
    const fault = (await begin(context, by)) ?? this.#placeFault();
    return fault === null ? ok(null) : { ok: false, error: fault };
  }

  /** Takes over from the first partition what is not revoked here yet. */
  async #takeRevocations(by: Actor): Promise<Result<null>> {
    const { storage } = this.#parts;
    const partition = getMeta(storage, "partition") as number;
    const partitions = getMeta(storage, "partitions") as number;
    const revoked = await revocationsFor(this.#parts, { partition, partitions });
    if (!revoked.ok) return revoked;
    this.#change(() => {
      const now = this.#now();
      takeOver(storage, revoked.value, by, now);
      setMeta(storage, "revocations_taken", now);
    });
    return ok(null);
  }
}
