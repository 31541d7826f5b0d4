import {
  type AuditList,
  type AuditRecord,
  type CheckRequest,
  type CheckResults,
  type CommitRequest,
  type CommitResult,
  type DomainDescription,
  type DomainKeyBody,
  type DomainSummary,
  type EdgeStatus,
  type GenerationRecord,
  type HeadResult,
  type Health,
  MAX_PAGE,
  MAX_RECIPIENTS,
  MAX_SHARD_BODY,
  type PlanRequest,
  type PlanResult,
  type RegistryStatus,
  type RollbackRequest,
  type TokenCreated,
  type TokenRecord,
  type TokenRequest,
} from "../api/contract.ts";
import { type Answer, toALabel } from "../directory/index.ts";
import { readAnswer } from "./answers.ts";
import { ClientError } from "./errors.ts";
import type { HttpReply } from "./http.ts";
import { type Call, type ClientOptions, failureOf, jsonOf, Transport } from "./transport.ts";

/** What came of asking about one recipient: an answer, or no verdict and why. */
export type Outcome =
  | { readonly kind: "answer"; readonly recipient: string; readonly answer: Answer }
  | { readonly kind: "none"; readonly recipient: string; readonly why: ClientError };

/** A part of the list of domains, and what the next one is asked by; null after the last. */
export interface DomainPage {
  readonly domains: readonly DomainSummary[];
  readonly next: string | null;
}

/** Octets that an answer about one recipient may have, beside the recipient: in JSON, six a character at most. */
const ANSWER_LIMIT = 16_384;

/** Context that goes along with a check. */
export type CheckContext = Pick<CheckRequest, "floor" | "client" | "sender">;

/**
 * Typed client of the edge's HTTP API; a method a route. Every failure is a {@link ClientError}. What changes
 * something is sent once; all else is tried again while the failure is transient.
 */
export class RollcallClient {
  readonly #transport: Transport;
  readonly #base: string;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.#base = options.url.replace(/\/+$/, "");
  }

  /**
   * Asks about one recipient. Never throws on what the edge or the network does: whatever is not an explicit
   * answer about this recipient is "no verdict" (law 1), and a front end defers.
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

  /** `GET /healthz`. A deployment without its secrets answers too, with status `unconfigured`. */
  async health(): Promise<Health> {
    const reply = await this.#transport.exchange(get("/healthz"));
    const body = jsonOf(reply);
    if (isRecord(body) && (body.status === "ok" || body.status === "unconfigured")) {
      return body as unknown as Health;
    }
    if (reply.status >= 200 && reply.status < 300) throw this.#notAnEdge("GET /healthz");
    throw failureOf(reply, this.#base);
  }

  /** Every served domain that the token covers. Asked for page by page. */
  async domains(): Promise<readonly DomainSummary[]> {
    return this.#pages<DomainSummary>("/v1/domains", "domains");
  }

  /**
   * One page of the domains that the token covers, in one try. An edge that knows no pages gives all of them.
   * @param after `next` of the page before, null for the first
   * @throws ClientError
   */
  async domainPage(after: string | null): Promise<DomainPage> {
    const from = after === null ? "" : `&after=${encodeURIComponent(after)}`;
    const reply = await this.#transport.exchange(get(`/v1/domains?limit=${MAX_PAGE}${from}`));
    if (reply.status !== 200) throw failureOf(reply, this.#base);
    const body = jsonOf(reply);
    if (!isRecord(body) || !Array.isArray(body.domains)) throw this.#notAnEdge("GET /v1/domains");
    const next = typeof body.next === "string" && body.next !== "" ? body.next : null;
    return { domains: body.domains as readonly DomainSummary[], next };
  }

  /** How a domain's head stands. @returns null where it has none, on a deployment without any list included */
  async domain(domain: string): Promise<DomainDescription | null> {
    try {
      return await this.#json<DomainDescription>(
        get(`/v1/domains/${encodeURIComponent(domain)}`),
        "generation",
      );
    } catch (error) {
      const { code } = error instanceof ClientError ? error : { code: null };
      if (code === "not_found" || code === "uninitialised") return null;
      throw error;
    }
  }

  /** The key under which a domain's list is made; the domain need not exist yet. */
  key(domain: string): Promise<DomainKeyBody> {
    return this.#json<DomainKeyBody>(get(`/v1/domains/${encodeURIComponent(domain)}/key`), "key_id");
  }

  /** Bytes of a shard, or of a blob of departures. */
  async shard(domain: string, id: string): Promise<Uint8Array> {
    const path = `/v1/domains/${encodeURIComponent(domain)}/shards/${id}`;
    return (await this.#transport.send({ ...get(path), limit: MAX_SHARD_BODY })).bytes;
  }

  /** Puts a shard's bytes under their id, for a commit to name. */
  async putShard(domain: string, id: string, bytes: Uint8Array): Promise<void> {
    const path = `/v1/domains/${encodeURIComponent(domain)}/shards/${id}`;
    await this.#transport.send({ method: "PUT", path, bytes, idempotent: true });
  }

  /** Bytes of the head's manifest. */
  async manifest(domain: string): Promise<Uint8Array> {
    return (await this.#transport.send(get(`/v1/domains/${encodeURIComponent(domain)}/manifest`))).bytes;
  }

  /** A domain's whole history, newest first. Asked for page by page. */
  async generations(domain: string): Promise<readonly GenerationRecord[]> {
    return this.#pages<GenerationRecord>(
      `/v1/domains/${encodeURIComponent(domain)}/generations`,
      "generations",
    );
  }

  /**
   * Makes new heads. Sent once: where the answer was lost, the head tells whether it went in.
   * @throws ClientError of code `conflict`, `missing_shards` or `guard`, with the particulars in its body
   */
  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#json<CommitResult>(post("/v1/commits", request), "generations");
  }

  /**
   * What the guard would say of commits. Changes nothing.
   * @throws ClientError of code `conflict` where a head has moved; `not_found` or `method_not_allowed` of an older edge
   */
  plan(request: PlanRequest): Promise<PlanResult> {
    return this.#json<PlanResult>({ ...post("/v1/plans", request), idempotent: true }, "refusals");
  }

  /** Publishes an old generation's content under a new number. Overrides the guard. */
  rollback(domain: string, request: RollbackRequest): Promise<HeadResult> {
    const path = `/v1/domains/${encodeURIComponent(domain)}/rollback`;
    return this.#newHead(domain, post(path, request));
  }

  /** Deletes a domain: deferred for a day, then not served. @param expect the generation that is the head */
  deleteDomain(domain: string, expect: number): Promise<HeadResult> {
    const path = `/v1/domains/${encodeURIComponent(domain)}?expect=${expect}`;
    return this.#newHead(domain, { method: "DELETE", path, idempotent: false });
  }

  createToken(request: TokenRequest): Promise<TokenCreated> {
    return this.#json<TokenCreated>(post("/v1/tokens", request), "token");
  }

  /** Every token that was issued, revoked ones included. */
  async tokens(): Promise<readonly TokenRecord[]> {
    return this.#list<TokenRecord>("/v1/tokens", "tokens");
  }

  /** Revokes a token; doing it again changes nothing. */
  async revokeToken(id: string): Promise<void> {
    const path = `/v1/tokens/${encodeURIComponent(id)}`;
    await this.#transport.send({ method: "DELETE", path, idempotent: true });
  }

  /** How the Registries of this deployment stand. */
  registry(): Promise<RegistryStatus> {
    return this.#json<RegistryStatus>(get("/v1/registry"), "partitions");
  }

  /** Initialises the Registries; those that are initialised stay as they are. */
  initialiseRegistry(): Promise<RegistryStatus> {
    return this.#json<RegistryStatus>({ ...post("/v1/registry", {}), idempotent: true }, "partitions");
  }

  /** What was answered and what went wrong, as far as the edge counted it; for admin. */
  status(): Promise<EdgeStatus> {
    return this.#json<EdgeStatus>(get("/v1/status"), "faults");
  }

  async audit(): Promise<readonly AuditRecord[]> {
    return (await this.#json<AuditList>(get("/v1/audit"), "audit")).audit;
  }

  async #ask(request: CheckRequest, asked: readonly string[]): Promise<Outcome[]> {
    const none = (why: ClientError): Outcome[] =>
      asked.map((recipient) => ({ kind: "none", recipient, why }));
    let reply: HttpReply;
    try {
      const limit = asked.reduce((sum, { length }) => sum + ANSWER_LIMIT + 6 * length, 0);
      // Not tried again here; but on a connection that the edge had closed meanwhile, it was not asked at all.
      const call: Call = { method: "POST", path: "/v1/rcpt", json: request, idempotent: true, limit };
      reply = await this.#transport.exchange(call);
    } catch (error) {
      if (error instanceof ClientError) return none(error);
      throw error;
    }
    const body = jsonOf(reply);
    if (reply.status === 200) {
      const several: { [F in keyof CheckResults]?: unknown } = isRecord(body) ? body : {};
      const items = "recipient" in request ? [body] : several.results;
      if (!Array.isArray(items) || items.length !== asked.length) {
        return none(this.#notAnEdge("POST /v1/rcpt"));
      }
      return asked.map((recipient, i) => this.#outcome(items[i], recipient));
    }
    // With another status only a deferral is believed: it is what a front end would do anyway.
    if ("recipient" in request) {
      const outcome = this.#outcome(body, asked[0] as string);
      if (outcome.kind === "answer" && outcome.answer.action === "defer") return [outcome];
    }
    if (reply.status > 200 && reply.status < 300) return none(this.#notAnEdge("POST /v1/rcpt"));
    return none(failureOf(reply, this.#base));
  }

  #outcome(value: unknown, recipient: string): Outcome {
    const answer = readAnswer(value, recipient);
    if (typeof answer !== "string") return { kind: "answer", recipient, answer };
    const why = new ClientError("protocol", `${this.#base} gave no answer that can be used: ${answer}`);
    return { kind: "none", recipient, why };
  }

  /** A 2xx body that is JSON and has `field`, so that a stranger's page is not taken for an answer. */
  async #json<T>(call: Call, field: keyof T & string): Promise<T> {
    const body = jsonOf(await this.#transport.send(call));
    if (!isRecord(body) || !Object.hasOwn(body, field)) throw this.#notAnEdge(`${call.method} ${call.path}`);
    return body as T;
  }

  /** What changed a domain's head, and was sent once: whatever is not the whole result leaves open what happened. */
  async #newHead(domain: string, call: Call): Promise<HeadResult> {
    const body = jsonOf(await this.#transport.send(call));
    const result: { [F in keyof HeadResult]?: unknown } = isRecord(body) ? body : {};
    if (result.domain === (toALabel(domain) ?? domain) && isNumber(result.generation)) {
      return { domain: result.domain, generation: result.generation };
    }
    throw new ClientError(
      "protocol",
      `${this.#base} does not answer ${call.method} ${call.path} with ${domain} and the number of its new head; the change may have been made: look at the domain's head`,
    );
  }

  async #list<T>(path: string, field: string): Promise<readonly T[]> {
    const body = await this.#json<Record<string, unknown>>(get(path), field);
    if (!Array.isArray(body[field])) throw this.#notAnEdge(`GET ${path}`);
    return body[field] as readonly T[];
  }

  /** All pages of a listing. An edge that knows of no pages answers with everything, and names no next one. */
  async #pages<T>(path: string, field: string): Promise<readonly T[]> {
    const all: T[] = [];
    for (let after: string | number | null = null; ; ) {
      const from = after === null ? "" : `&after=${encodeURIComponent(after)}`;
      const body: Record<string, unknown> = await this.#json(get(`${path}?limit=${MAX_PAGE}${from}`), field);
      const lines = body[field];
      const next = body.next ?? null;
      if (!Array.isArray(lines)) throw this.#notAnEdge(`GET ${path}`);
      for (const line of lines as T[]) all.push(line);
      if (next === null) return all;
      // A page that leads nowhere would be asked for without end.
      const isNext = typeof next === "string" || typeof next === "number";
      if (!isNext || next === after || lines.length === 0) throw this.#notAnEdge(`GET ${path}`);
      after = next;
    }
  }

  #notAnEdge(what: string): ClientError {
    return new ClientError("protocol", `${this.#base} does not answer ${what} as a Rollcall edge`);
  }
}

/** @returns a client; nothing is sent before its first call */
export const createClient = (options: ClientOptions): RollcallClient => new RollcallClient(options);

const get = (path: string): Call => ({ method: "GET", path, idempotent: true });
const post = (path: string, json: unknown): Call => ({ method: "POST", path, json, idempotent: false });

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value);
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
