import type {
  CommitRequest,
  CommitResult,
  Counted,
  GenerationRecord,
  HeadResult,
  ModeRequest,
  PatchResult,
  PlanRequest,
  PlanResult,
  Position,
  Question,
  QuestionAnswer,
  RegistryError,
  RestoredResult,
  Result,
  RollbackPlan,
  RollbackRequest,
  VerifyResult,
} from "../../api/index.ts";
import {
  deriveDomainKey,
  encodePatched,
  encodePrints,
  inSteps,
  type Mac,
  rosterMac,
} from "../../directory/index.ts";
import type { KvStore } from "../../runtime/ports.ts";
import { largeUsage, noteUpload } from "../blobs/room.ts";
import { PatchQueue } from "../changes/patch-queue.ts";
import { MOST_COUNTED, openRows } from "../changes/patched-names.ts";
import { release } from "../commits/brake.ts";
import { type CommitContext, commitOf, remove } from "../commits/commit.ts";
import { type CommitHost, commitInSteps, type StepwiseCommit } from "../commits/commit-in-steps.ts";
import { FairQueue } from "../commits/fair-queue.ts";
import { changeMode } from "../commits/mode.ts";
import { isOvertaken, type Planned } from "../commits/overtaken.ts";
import { patchTogether } from "../commits/patch.ts";
import { octetsOf, PLANNED_IN_A_ROW, plan } from "../commits/plan.ts";
import { planRollback, rollbackOf } from "../commits/rollback.ts";
import { type KeyFor, requireShard } from "../commits/validate-commit.ts";
import { Damage, failure, ok, RegistryFailure } from "../failure.ts";
import { damageOf, noteDamage } from "../generations/damages.ts";
import { Records } from "../generations/records.ts";
import { noteLostHeads, verifyAndNote } from "../generations/verify-heads.ts";
import { changeAndCopy, pendingKeys, scheduleCopy } from "../kv/kv-pauses.ts";
import { noteMissing, noteMissingBlob } from "../kv/missed-in-kv.ts";
import { auditPage } from "../log/audit.ts";
import { changesSince, positionIn } from "../log/changes-since.ts";
import type { Counters } from "../log/counters.ts";
import { grantKey } from "../log/key-grants.ts";
import { changesForReplica } from "../log/replica-changes.ts";
import {
  isRevoked,
  listRevocations,
  listTokens,
  recordOlderRevocations,
  recordToken,
  revokeToken,
} from "../log/tokens.ts";
import { brakeOf } from "../names/held-names.ts";
import type { AskedLeavers } from "../names/leaver-counts.ts";
import { pauseEvery } from "../pause.ts";
import type { RegistryPorts, RegistrySettings, RegistryStorage } from "../ports.ts";
import type {
  Actor,
  AuditLines,
  AuditPage,
  Changed,
  HeadSummary,
  MailboxChanges,
  Page,
  PartitionStatus,
  PatchedNames,
  Place,
  Reach,
  RegistryApi,
  Revocation,
  StoredToken,
  TokenPage,
} from "../protocol.ts";
import { getMeta } from "../storage/meta.ts";
import { schemaFault } from "../storage/schema.ts";
import { runAlarm } from "./alarm.ts";
import { continueRestored, readRoster } from "./continue-restored.ts";
import { addCounts, brake, withRefused } from "./counting.ts";
import { type AskRevocations, answerFault, initialise, updateRevocations } from "./initialise.ts";
import { domainsNamed, listDomains, listGenerations } from "./listings.ts";

/** What a Registry works with. */
export interface RegistryOptions {
  readonly storage: RegistryStorage;
  readonly kv: KvStore;
  readonly ports: RegistryPorts;
  readonly settings: RegistrySettings;
  /** The place that the caller believes this Registry to have. */
  readonly place: Place;
  /** The first partition, as this one reaches it. */
  readonly revocations: AskRevocations;
  /** Adds up the counts of isolates; left out, they are dropped. */
  readonly counters?: Counters;
  /** The object's queue of single changes; left out, this instance has its own. */
  readonly patches?: PatchQueue;
  /** The object's queue of plans and large commits; left out, this instance has its own. */
  readonly judgements?: FairQueue;
}

const PAUSED = "ROLLCALL_PAUSED is set: nothing is confirmed until it is removed and the Worker is deployed";
const NOT_PAUSED = {
  code: "conflict",
  message:
    'the Registry is not paused: set ROLLCALL_PAUSED = "true" under [vars] in wrangler.toml, deploy, and try again after five minutes',
} as const;

/**
 * The system of record of one partition: it orders and numbers commits, guards them (law 4), answers "what changed
 * since N?", and copies to KV. Every answer reads storage and never a field: an object that was replaced may still be
 * asked.
 */
export class RegistryCore implements RegistryApi {
  readonly #options: RegistryOptions;
  readonly #storage: RegistryStorage;
  readonly #records: Records;
  readonly #patches: PatchQueue;
  readonly #judgements: FairQueue;
  readonly #keyFor: KeyFor;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#storage = options.storage;
    const { hashing } = options.ports;
    this.#keyFor = (domain, epoch) => deriveDomainKey(hashing, options.settings.masterKey, domain, epoch);
    this.#records = new Records(options.storage, { hashing, keyFor: this.#keyFor });
    this.#patches = options.patches ?? new PatchQueue(options.ports);
    this.#judgements = options.judgements ?? new FairQueue();
  }

  // Questions

  async question(question: Question): Promise<Result<QuestionAnswer>> {
    // A Registry that is not initialised counts too. What a replica counted waits for a look at its token.
    if (question.replica === undefined) addCounts(this.#options.counters, question);
    return this.#answer(() => this.#question(question));
  }

  async blob(domain: string, id: string, isMissed: boolean): Promise<Result<Uint8Array | null>> {
    return this.#answer(() => {
      const now = this.#now();
      if (isMissed && noteMissingBlob(this.#storage, domain, id, now)) scheduleCopy(this.#storage, now);
      return this.#records.blobBytes(domain, id);
    });
  }

  async head(domain: string): Promise<Result<Uint8Array | null>> {
    return this.#answer(() => this.#records.head(domain)?.manifest.bytes ?? null);
  }

  async patched(domain: string): Promise<Result<PatchedNames | null>> {
    return this.#answer(() => {
      const head = this.#records.head(domain);
      if (head === null) return null;
      const rows = openRows(this.#storage, domain);
      const names = encodePatched(rows);
      const atOnce = encodePrints(rows.filter((row) => row.atOnce !== null));
      const { mode, bytes } = head.manifest;
      const [refused] = withRefused(this.#options.counters, [{ domain, mode }]);
      return {
        generation: head.number,
        manifest: bytes,
        names,
        atOnce,
        open_changes: Math.min(rows.length, MOST_COUNTED),
        fault: damageOf(this.#storage, domain),
        brake: brakeOf(this.#storage, domain),
        would_refuse: refused?.would_refuse ?? null,
      };
    });
  }

  async domains(page: Page<string>): Promise<Result<readonly HeadSummary[]>> {
    return this.#answer(() => withRefused(this.#options.counters, listDomains(this.#storage, page)));
  }

  async domainsNamed(names: readonly string[]): Promise<Result<readonly HeadSummary[]>> {
    return this.#answer(() => withRefused(this.#options.counters, domainsNamed(this.#storage, names)));
  }

  async generations(domain: string, page: Page<number>): Promise<Result<readonly GenerationRecord[] | null>> {
    return this.#answer(() => listGenerations(this.#storage, domain, page));
  }

  async tokens(page?: TokenPage): Promise<Result<readonly StoredToken[]>> {
    return this.#answer(() => listTokens(this.#storage, page));
  }

  async isRevoked(id: string): Promise<Result<boolean>> {
    return this.#answer(() => isRevoked(this.#storage, id));
  }

  async revocations(): Promise<Result<readonly Revocation[]>> {
    return this.#answer(() => listRevocations(this.#storage));
  }

  async auditPage(page: AuditPage): Promise<Result<AuditLines>> {
    return this.#answer(() => auditPage(this.#storage, page));
  }

  async counted(): Promise<Result<readonly Counted[]>> {
    return this.#answer(() => this.#options.counters?.read() ?? []);
  }

  async status(): Promise<Result<PartitionStatus>> {
    const incarnation = getMeta(this.#storage, "incarnation") ?? null;
    const status = (): PartitionStatus => ({
      partition: this.#options.place.partition,
      incarnation,
      as_of: getMeta(this.#storage, "number") ?? 0,
      kv_pending: incarnation === null ? 0 : pendingKeys(this.#storage),
      kv_error: getMeta(this.#storage, "kv_error") || null,
      paused: this.#options.settings.paused,
      bytes: this.#storage.size?.() ?? null,
      usage: incarnation === null ? [] : largeUsage(this.#storage, this.#now()),
    });
    const isNew = incarnation === null && schemaFault(this.#storage) === null;
    return isNew ? ok(status()) : this.#answer(status);
  }

  async verify(after: string | null): Promise<Result<Omit<VerifyResult, "partition">>> {
    return this.#answer(() => {
      const { heads, damages, next } = verifyAndNote(this.#options, this.#records, after);
      return {
        heads,
        damaged: damages.map(({ domain, kind, message: detail }) => ({ domain, kind, detail })),
        next,
      };
    });
  }

  async plan(request: PlanRequest, reach: Reach, by: Actor = "unknown"): Promise<Result<PlanResult>> {
    const pause = pauseEvery(this.#options.ports.timers, PLANNED_IN_A_ROW);
    return this.#answerJudged(request.domains, () =>
      this.#judgements.add("plans", by, octetsOf(request), () =>
        inSteps(plan(this.#context(reach), request), pause),
      ),
    );
  }

  // Changes

  async putShard(
    domain: string,
    id: string,
    bytes: Uint8Array,
    by: Actor = "publisher",
  ): Promise<Result<null>> {
    return this.#answerInitialised(by, () => {
      requireShard(this.#options.ports.hashing, domain, id, bytes);
      return this.#change(() => {
        noteUpload(this.#storage, { domain, id, by, size: bytes.length }, this.#now());
        this.#records.blobs.putShard(domain, id, bytes, this.#now());
        return null;
      });
    });
  }

  async commit(request: CommitRequest, by: Actor, reach: Reach): Promise<Result<Changed<CommitResult>>> {
    const { domains } = request;
    const fault = await this.#initialise(by);
    if (fault !== null) return { ok: false, error: fault };
    return this.#commitInSteps(domains, commitOf(request, by), by, reach);
  }

  async patch(changes: MailboxChanges, by: Actor, reach: Reach): Promise<Result<Changed<PatchResult>>> {
    const fault = answerFault(this.#storage, this.#options.place);
    if (fault !== null) return { ok: false, error: fault };
    const host = {
      timers: this.#options.ports.timers,
      // Changes of one actor are made together: a token's domains never change.
      context: () => this.#context(reach),
      changed: <T>(work: () => T) => this.#changed(work),
      failed: (failed: RegistryFailure) => this.#note(failed),
    };
    return this.#patches.add(changes, by, (patches) => patchTogether(host, patches, by));
  }

  async rollback(
    domain: string,
    request: RollbackRequest,
    by: Actor,
    reach: Reach,
  ): Promise<Result<Changed<HeadResult>>> {
    const planned = [{ domain, expect: request.expect }];
    return this.#commitInSteps(planned, rollbackOf(domain, request, by), by, reach);
  }

  async planRollback(domain: string, to: number, reach: Reach): Promise<Result<RollbackPlan>> {
    return this.#answer(() => planRollback(this.#context(reach), domain, to));
  }

  async setMode(
    domain: string,
    request: ModeRequest,
    by: Actor,
    reach: Reach,
  ): Promise<Result<Changed<HeadResult>>> {
    return this.#answer(() => this.#changed(() => changeMode(this.#context(reach), domain, request, by)));
  }

  async release(
    domain: string,
    expect: number,
    by: Actor,
    reach: Reach,
  ): Promise<Result<Changed<HeadResult>>> {
    return this.#answer(() => this.#changed(() => release(this.#context(reach), domain, expect, by)));
  }

  async remove(domain: string, expect: number, by: Actor): Promise<Result<Changed<HeadResult>>> {
    return this.#answer(() => this.#changed(() => remove(this.#context(), domain, expect, by)));
  }

  async grantKey(domain: string, by: Actor): Promise<Result<number>> {
    return this.#answer(() =>
      this.#change(() => grantKey(this.#storage, this.#records, domain, by, this.#now())),
    );
  }

  async keepToken(token: StoredToken, by: Actor): Promise<Result<null>> {
    return this.#answerInitialised(by, () =>
      this.#change(() => {
        recordToken(this.#storage, token, by, this.#now());
        return null;
      }),
    );
  }

  async revokeToken(
    id: string,
    expires: number | null,
    by: Actor,
  ): Promise<Result<Changed<StoredToken | null>>> {
    const storage = this.#storage;
    // A Registry that is just being initialised may have asked for revocations before this one.
    if (schemaFault(storage) === null && getMeta(storage, "incarnation") === undefined) {
      recordOlderRevocations(storage, [{ id, expires }], this.#now());
    }
    return this.#answer(() => this.#changed(() => revokeToken(storage, id, expires, by, this.#now())));
  }

  // Lifecycle

  async initialise(by: Actor): Promise<Result<PartitionStatus>> {
    const initialised = await this.#answerInitialised(by, () => null);
    if (!initialised.ok) return initialised;
    const updated = await updateRevocations({ ...this.#options, ...this.#options.ports }, by);
    return updated.ok ? this.status() : updated;
  }

  async restored(expect: number, by: Actor): Promise<Result<Changed<RestoredResult>>> {
    const { kv, ports, settings, place } = this.#options;
    if (!settings.paused) return { ok: false, error: NOT_PAUSED };
    const mac = rosterMac(ports.hashing, settings.masterKey);
    try {
      const roster = await readRoster(kv, mac, place.partition);
      return this.#answer(() => this.#changed(() => continueRestored(this.#context(), expect, roster, by)));
    } catch (error) {
      if (error instanceof RegistryFailure) return { ok: false, error: error.error };
      throw error;
    }
  }

  /** Holds names that left if they are asked for too often. Throws nothing. */
  brake(domain: string, asked: AskedLeavers): void {
    const { ports, settings } = this.#options;
    const context = { ...this.#context(), log: ports.log, paused: settings.paused };
    brake({ ...context, failed: (error) => this.#note(error) }, domain, asked);
  }

  /** What the platform's alarm runs. */
  alarm(): Promise<void> {
    return runAlarm(this.#options);
  }

  #now(): number {
    return this.#options.ports.clock.now();
  }

  /** @param reach all domains, where no token asks */
  #context(reach: Reach = null): CommitContext {
    return {
      storage: this.#storage,
      records: this.#records,
      hashing: this.#options.ports.hashing,
      keyFor: this.#keyFor,
      now: this.#now(),
      reach,
    };
  }

  #question(question: Question): QuestionAnswer {
    const { since, want, most, replica } = question;
    if (this.#options.settings.paused) throw failure("unavailable", PAUSED);
    if (replica !== undefined) {
      const page = this.#listed(since, replica.after, () =>
        changesForReplica(this.#storage, since, replica, this.#now()),
      );
      if (!page.replica.isRevoked) addCounts(this.#options.counters, question);
      return page;
    }
    const answer = this.#listed(since, null, () => changesSince(this.#storage, since, most));
    return { ...answer, wanted: want === null ? null : this.#wanted(want) };
  }

  /** What `list` reads; if a head is lost that belongs there, it is noted first, and the list is read again. */
  #listed<Answer extends { readonly full: boolean }>(
    since: Position | null,
    after: number | null,
    list: () => Answer,
  ): Answer {
    const answer = list();
    const { isAll, from, asOf } = positionIn(this.#storage, since);
    const start = Math.max(from, after ?? -1);
    // A list that would be too long is empty: its reader takes the roster, in which no head is lost.
    if (start >= asOf || (isAll && !answer.full)) return answer;
    // Without it, the reader would go on with the list before it, or take the domain for one that is not served.
    return noteLostHeads(this.#options, start) ? list() : answer;
  }

  #wanted(domain: string): QuestionAnswer["wanted"] {
    noteMissing(this.#storage, domain, this.#now());
    if (pendingKeys(this.#storage) > 0) scheduleCopy(this.#storage, this.#now());
    return { domain, manifest: this.#records.headBytes(domain)?.manifest ?? null };
  }

  /** Runs `work` if this Registry may answer the caller, and turns a failure into a value. */
  #answer<T>(work: () => T): Result<T> {
    const fault = answerFault(this.#storage, this.#options.place);
    if (fault !== null) return { ok: false, error: fault };
    try {
      return ok(work());
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** An error of the contract as a value. @throws anything else */
  #failed(error: unknown): Result<never> {
    if (!(error instanceof RegistryFailure)) throw error;
    this.#note(error);
    return { ok: false, error: error.error };
  }

  #note(error: unknown): void {
    if (!(error instanceof Damage)) return;
    noteDamage(this.#options, error);
    if (error.kind === "lost_head") noteLostHeads(this.#options);
  }

  /** The same for what initialises a Registry that is new. */
  async #answerInitialised<T>(by: Actor, work: () => T): Promise<Result<T>> {
    const fault = await this.#initialise(by);
    return fault === null ? this.#answer(work) : { ok: false, error: fault };
  }

  #initialise(by: Actor): Promise<RegistryError | null> {
    const { ports, settings } = this.#options;
    const mac = (): Mac => rosterMac(ports.hashing, settings.masterKey);
    return initialise({ ...this.#options, ...ports, rosterMac: mac }, by);
  }

  /** The same for what is judged against heads, which others may move meanwhile. */
  async #answerJudged<T>(planned: readonly Planned[], work: () => Promise<T>): Promise<Result<T>> {
    const fault = answerFault(this.#storage, this.#options.place);
    if (fault !== null) return { ok: false, error: fault };
    try {
      return ok(await work());
    } catch (error) {
      this.#noteOvertaken(planned, error);
      return this.#failed(error);
    }
  }

  /** Makes a change that is judged step by step if it is large. */
  #commitInSteps<Judged, T>(
    planned: readonly Planned[],
    change: StepwiseCommit<CommitContext, Judged, T>,
    by: Actor,
    reach: Reach,
  ): Promise<Result<Changed<T>>> {
    const host: CommitHost<CommitContext> = {
      timers: this.#options.ports.timers,
      judgements: this.#judgements,
      patches: this.#patches,
      context: () => this.#context(reach),
      changed: (work) => this.#changed(work),
    };
    return this.#answerJudged(planned, async () => {
      const made = await commitInSteps(host, change, by);
      this.#patches.endTurn(change.domains);
      return made;
    });
  }

  /** If single changes made a publish come too late, it has the next turn. */
  #noteOvertaken(planned: readonly Planned[], error: unknown): void {
    if (isOvertaken(this.#storage, planned, error)) {
      this.#patches.giveTurn(planned.map(({ domain }) => domain));
    }
  }

  #change<T>(work: () => T): T {
    return changeAndCopy(this.#storage, this.#now(), work);
  }

  /** A change under a number of the log. */
  #changed<T>(work: () => T): Changed<T> {
    return this.#change(() => {
      const result = work();
      return {
        result,
        incarnation: getMeta(this.#storage, "incarnation") as number,
        number: getMeta(this.#storage, "number") ?? 0,
      };
    });
  }
}
