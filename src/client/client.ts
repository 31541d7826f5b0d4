import {
  ANSWERS,
  type AnswerOf,
  type AuditList,
  type AuditRecord,
  type CheckRequest,
  type CommitRequest,
  type CommitResult,
  type DomainDescription,
  type DomainKeyBody,
  type DomainList,
  type DomainSummary,
  type EdgeStatus,
  type GenerationRecord,
  type HeadResult,
  type Health,
  MAX_MANIFEST,
  MAX_RECIPIENTS,
  MAX_SHARD_BODY,
  MAX_SMALL_BODY,
  type MailboxesRequest,
  type ModeRequest,
  type PatchResult,
  type PlanRequest,
  type PlanResult,
  type RegistryStatus,
  type RestoredRequest,
  type RestoredResult,
  type RollbackPlan,
  type RollbackRequest,
  type RouteName,
  read,
  type Schema,
  type TokenCreated,
  type TokenRecord,
  type TokenRequest,
  type VerifyRequest,
  type VerifyResult,
} from "../api/index.ts";
import { toALabel } from "../directory/index.ts";
import { askRecipients, type CheckContext, type Outcome } from "./ask-recipients.ts";
import { type After, callOf, everyLine, pageOf } from "./calls.ts";
import { CHANGES_LIMIT, type Changes, type ChangesQuestion, collectChanges } from "./changes.ts";
import { ClientError } from "./errors.ts";
import type { HttpReply } from "./http.ts";
import { type Call, type ClientOptions, failureOf, jsonOf, notAnEdge, Transport } from "./transport.ts";

/** A page of the list of domains; `next` asks for the page after it, null on the last one. */
export type DomainPage = DomainList;

/** Which lines of the audit trail are wanted: about a domain, by or about a token, or of an action. */
export interface AuditFilter {
  readonly domain?: string;
  readonly token?: string;
  readonly action?: string;
}

/**
 * Typed client of the edge's HTTP API, with a method for each route. Every failure is a {@link ClientError}. A request
 * that changes something is sent once; others are tried again while the failure is transient.
 */
export class RollcallClient {
  readonly #transport: Transport;
  readonly #base: string;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.#base = options.url.replace(/\/+$/, "");
  }

  /**
   * Asks about one recipient. Never throws because of the edge or the network: anything but an explicit answer about
   * this recipient is "no verdict" (law 1), and a front end defers.
   */
  async check(recipient: string, context: CheckContext = {}): Promise<Outcome> {
    return (await this.#ask({ ...context, recipient }, [recipient]))[0] as Outcome;
  }

  /**
   * Asks about several recipients at once, at most {@link MAX_RECIPIENTS}; see {@link check}.
   * @returns an outcome for each, in order
   * @throws RangeError for more
   */
  async checkMany(recipients: readonly string[], context: CheckContext = {}): Promise<Outcome[]> {
    if (recipients.length > MAX_RECIPIENTS) throw new RangeError(`more than ${MAX_RECIPIENTS} recipients`);
    if (recipients.length === 0) return [];
    if (recipients.length === 1) return [await this.check(recipients[0] as string, context)];
    return this.#ask({ ...context, recipients }, recipients);
  }

  /** A deployment without its secrets answers too, with status `unconfigured`. */
  async health(): Promise<Health> {
    const call = callOf("showHealth");
    const reply = await this.#transport.exchange(call);
    const { value } = read(ANSWERS.showHealth.answer, jsonOf(reply));
    if (value?.status === "ok" || value?.status === "unconfigured") return value;
    if (reply.status >= 200 && reply.status < 300) throw this.#notAnEdge(call);
    throw failureOf(reply, this.#base);
  }

  /** Every served domain that the token covers, requested page by page. */
  domains(): Promise<readonly DomainSummary[]> {
    const page = (after: After) => this.#call("listDomains", pageOf("listDomains", after));
    return everyLine(page, ({ domains }) => domains);
  }

  /**
   * One page of the domains that the token covers, in one try. An edge that knows no pages gives all of them.
   * @param after `next` of the page before, null for the first
   * @throws ClientError
   */
  async domainPage(after: string | null): Promise<DomainPage> {
    const call = pageOf("listDomains", after);
    const reply = await this.#transport.exchange(call);
    if (reply.status !== 200) throw failureOf(reply, this.#base);
    return this.#answerIn(reply, "listDomains", call);
  }

  /** The state of a domain's head. @returns null if it has none, also in a deployment without any list */
  async domain(domain: string): Promise<DomainDescription | null> {
    try {
      return await this.#call("showDomain", callOf("showDomain", { domain }));
    } catch (error) {
      const { code } = error instanceof ClientError ? error : { code: null };
      if (code === "not_found" || code === "uninitialised") return null;
      throw error;
    }
  }

  /** The key under which a domain's list is made; the domain need not exist yet. */
  key(domain: string): Promise<DomainKeyBody> {
    return this.#call("domainKey", callOf("domainKey", { domain }));
  }

  /** A key that no other token is given, to publish the list of a domain under it. */
  nextKey(domain: string): Promise<DomainKeyBody> {
    return this.#call("nextKey", { ...callOf("nextKey", { domain }), idempotent: true });
  }

  /**
   * The key of an epoch, for a replica.
   * @throws ClientError of code `not_found` if the domain has not come to that epoch
   */
  async domainKey(domain: string, epoch: number): Promise<DomainKeyBody> {
    const call = callOf("domainKey", { domain });
    const path = `${call.path}?epoch=${epoch}`;
    const body = await this.#call("domainKey", { ...call, path, limit: MAX_SMALL_BODY });
    if (body.domain === (toALabel(domain) ?? domain) && body.epoch === epoch) return body;
    throw this.#notAnEdge(call, "it gives the key of another domain or epoch");
  }

  /**
   * Asks the Registry of a partition what changed, for a replica. One try, and never from a cache.
   * @throws ClientError also if the answer is not one to this question
   */
  changes(question: ChangesQuestion): Promise<Changes> {
    return collectChanges(question, async (request) => {
      const call = { ...callOf("postChanges"), json: request, idempotent: true, limit: CHANGES_LIMIT };
      const reply = await this.#transport.exchange(call);
      if (reply.status !== 200) throw failureOf(reply, this.#base);
      return this.#answerIn(reply, "postChanges", call);
    });
  }

  /** Bytes of a shard, or of departures. The caller checks them by the id. */
  async blob(domain: string, id: string): Promise<Uint8Array> {
    const call = { ...callOf("getShard", { domain, id }), limit: MAX_SHARD_BODY };
    return (await this.#transport.send(call)).bytes;
  }

  /** Uploads a shard's bytes under their id, for a commit to name. */
  async putShard(domain: string, id: string, bytes: Uint8Array): Promise<void> {
    await this.#transport.send({ ...callOf("putShard", { domain, id }), bytes, idempotent: true });
  }

  /** Bytes of the head's manifest. The caller verifies them under the domain's key. */
  async manifest(domain: string): Promise<Uint8Array> {
    const call = { ...callOf("domainManifest", { domain }), limit: MAX_MANIFEST };
    return (await this.#transport.send(call)).bytes;
  }

  /**
   * A domain's history, newest first, requested page by page.
   * @param since only generations after this one
   */
  async generations(domain: string, since = 0): Promise<readonly GenerationRecord[]> {
    const page = (after: After) =>
      this.#call("listGenerations", pageOf("listGenerations", after, { domain }));
    const isOlder = ({ generation }: GenerationRecord): boolean => generation <= since;
    const lines = await everyLine(page, ({ generations }) => generations, isOlder);
    return lines.filter((line) => !isOlder(line));
  }

  /**
   * Makes new heads. Sent once: if the answer is lost, the head shows whether the commit was made.
   * @throws ClientError of code `conflict`, `missing_shards` or `guard`, with the particulars in its body
   */
  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#call("postCommit", { ...callOf("postCommit"), json: request });
  }

  /**
   * What the guard would say to a commit. Changes nothing.
   * @throws ClientError of code `conflict` if a head has moved; `not_found` or `method_not_allowed` of an older edge
   */
  plan(request: PlanRequest): Promise<PlanResult> {
    return this.#call("postPlan", { ...callOf("postPlan"), json: request, idempotent: true });
  }

  /**
   * Adds, removes, disables or enables single mailboxes.
   * @param key identifies the request: one that is sent again with the same key changes nothing more
   * @throws ClientError of code `guard`, `repack_needed` or `not_found`
   */
  patchMailboxes(domain: string, request: MailboxesRequest, key: string): Promise<PatchResult> {
    const headers = { "Idempotency-Key": key };
    const call = { ...callOf("patchMailboxes", { domain }), json: request, headers, idempotent: true };
    return this.#call("patchMailboxes", call);
  }

  /** Publishes an old generation's content under a new number. Overrides the guard. */
  rollback(domain: string, request: RollbackRequest): Promise<HeadResult> {
    return this.#newHead(domain, { ...callOf("rollbackDomain", { domain }), json: request });
  }

  /** What a rollback would make of single changes. Changes nothing. */
  planRollback(domain: string, to: number): Promise<RollbackPlan> {
    const call = callOf("planRollback", { domain });
    return this.#call("planRollback", { ...call, path: `${call.path}?to=${to}`, idempotent: true });
  }

  /** Changes the mode of a list, and nothing else. The mode that it has already makes no generation. */
  changeMode(domain: string, request: ModeRequest): Promise<HeadResult> {
    return this.#newHead(domain, { ...callOf("changeMode", { domain }), json: request });
  }

  /** Refuses the names that the brake holds, since they left. @param expect the generation that is the head */
  releaseBrake(domain: string, expect: number): Promise<HeadResult> {
    const call = callOf("releaseBrake", { domain });
    return this.#newHead(domain, { ...call, path: `${call.path}?expect=${expect}` });
  }

  /** Deletes a domain: deferred for a day, then not served. @param expect the generation that is the head */
  deleteDomain(domain: string, expect: number): Promise<HeadResult> {
    const call = callOf("deleteDomain", { domain });
    return this.#newHead(domain, { ...call, path: `${call.path}?expect=${expect}` });
  }

  createToken(request: TokenRequest): Promise<TokenCreated> {
    return this.#call("createToken", { ...callOf("createToken"), json: request });
  }

  /** Every token that was issued, revoked ones included. @param filter those that cover a domain */
  tokens(filter: { readonly domain?: string } = {}): Promise<readonly TokenRecord[]> {
    const page = (after: After) => this.#call("listTokens", pageOf("listTokens", after, {}, filter));
    return everyLine(page, ({ tokens }) => tokens);
  }

  /** Revokes a token; doing it again changes nothing. */
  async revokeToken(id: string): Promise<void> {
    await this.#transport.send({ ...callOf("revokeToken", { id }), idempotent: true });
  }

  /** The state of the deployment's Registries. */
  registry(): Promise<RegistryStatus> {
    return this.#call("showRegistry", callOf("showRegistry"));
  }

  /** Initialises the Registries; those that are initialised stay as they are. */
  initialiseRegistry(): Promise<RegistryStatus> {
    const call = { ...callOf("initialiseRegistry"), json: {}, idempotent: true };
    return this.#call("initialiseRegistry", call);
  }

  /**
   * Continues the log of a paused partition after its storage was restored. Sent once: if the answer is lost, the
   * incarnation shows whether it was done.
   * @throws ClientError of code `conflict` if it is not paused or has another incarnation
   */
  continueRegistry(request: RestoredRequest): Promise<RestoredResult> {
    return this.#call("continueRegistry", { ...callOf("continueRegistry"), json: request });
  }

  /** Verifies the next heads of a partition; `next` of the answer is `after` of the next request. */
  verifyRegistry(request: VerifyRequest): Promise<VerifyResult> {
    const call = { ...callOf("verifyRegistry"), json: request, idempotent: true };
    return this.#call("verifyRegistry", call);
  }

  /** What was answered and what went wrong, as far as the edge counted it; for admin. */
  status(): Promise<EdgeStatus> {
    return this.#call("showStatus", callOf("showStatus"));
  }

  /** The audit trail, newest lines first, requested page by page as they are read. */
  async *audit(filter: AuditFilter = {}): AsyncGenerator<AuditRecord> {
    for (let after: After = null; ; ) {
      const { audit, next }: AuditList = await this.#call(
        "showAudit",
        pageOf("showAudit", after, {}, { ...filter }),
      );
      yield* audit;
      if (next === null || next === after) return;
      after = next;
    }
  }

  async #call<N extends RouteName>(name: N, call: Call): Promise<AnswerOf<N>> {
    return this.#answerIn(await this.#transport.send(call), name, call);
  }

  /** The body of a 2xx by the route's schema, so that a stranger's page is not taken for an answer. */
  #answerIn<N extends RouteName>(reply: HttpReply, name: N, call: Call): AnswerOf<N> {
    const reading = read(ANSWERS[name].answer as Schema, jsonOf(reply));
    if (reading.fault !== undefined) throw this.#notAnEdge(call, reading.fault);
    return reading.value as AnswerOf<N>;
  }

  /** A change of a domain's head is sent once: without the whole result nobody knows whether it was made. */
  async #newHead(domain: string, call: Call): Promise<HeadResult> {
    const { value } = read(ANSWERS.rollbackDomain.answer, jsonOf(await this.#transport.send(call)));
    if (value?.domain === (toALabel(domain) ?? domain)) return value;
    throw new ClientError(
      "protocol",
      `${this.#base} does not answer ${call.method} ${call.path} with ${domain} and the number of its new head; the change may have been made: look at the domain's head`,
    );
  }

  #ask(request: CheckRequest, asked: readonly string[]): Promise<Outcome[]> {
    return askRecipients(this.#transport, this.#base, request, asked);
  }

  #notAnEdge(call: Call, why?: string): ClientError {
    return notAnEdge(this.#base, call, why);
  }
}

/** @returns a client; nothing is sent before its first call */
export const createClient = (options: ClientOptions): RollcallClient => new RollcallClient(options);
