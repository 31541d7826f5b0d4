import type {
  CommitRequest,
  DomainCommit,
  DomainDescription,
  ErrorBody,
  PlanRequest,
} from "../../src/api/index.ts";
import { createClient, type RollcallClient } from "../../src/client/index.ts";
import {
  acceptedCount,
  CANONICALISER_VERSION,
  type Counts,
  DEFAULT_POLICY,
  type DomainKey,
  decodeShard,
  decodeTails,
  deriveDomainKey,
  fromBase64Url,
  guardRefusal,
  patternCount,
  toBase64Url,
  utf8,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";

export const MASTER = utf8("a master key of exactly 32 bytes");
export const keyOf = (domain: string, epoch = 1): DomainKey =>
  deriveDomainKey(stablelibHashing, MASTER, domain, epoch);

/** Replaces a response, for any fault that a test needs. */
export type Intercept = (method: string, path: string) => Response | "lose the answer" | undefined;

/**
 * The publishing side of an edge in memory, behind `fetch`: heads, shards, commits, and plans, whose guard knows the head alone.
 * test/cli tests the rest against the real edge.
 */
export class MemoryEdge {
  readonly heads = new Map<string, DomainDescription>();
  readonly shards = new Map<string, Uint8Array>();
  readonly requests: string[] = [];
  readonly commits: CommitRequest[] = [];
  intercept: Intercept = () => undefined;
  /** Requests that are in progress, and the most that ever were. */
  #open = 0;
  mostOpen = 0;
  #number = 0;
  /** Newest first. */
  readonly #numbersOf = new Map<string, readonly number[]>();

  client(): RollcallClient {
    return createClient({
      url: "https://edge.example",
      token: "t",
      fetch: (url, init) => this.#fetch(url, init),
      now: () => 0,
      // Timeouts never fire, and pauses take no time.
      sleep: (_, signal) =>
        signal === undefined
          ? Promise.resolve()
          : new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
    });
  }

  async #fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const path = new URL(url).pathname;
    const method = init.method ?? "GET";
    this.requests.push(`${method} ${path}`);
    this.mostOpen = Math.max(this.mostOpen, ++this.#open);
    await Promise.resolve();
    try {
      const instead = this.intercept(method, path);
      if (instead instanceof Response) return instead;
      const response = this.#answer(method, path, init.body);
      if (instead !== undefined) throw new TypeError("fetch failed");
      return response;
    } finally {
      this.#open--;
    }
  }

  #answer(method: string, path: string, body: unknown): Response {
    const [, domain = "", what, id = ""] =
      /^\/v1\/domains\/([^/]+)(?:\/(key|shards|generations)(?:\/(.+))?)?$/.exec(path) ?? [];
    if (path === "/v1/plans") return this.#plan(JSON.parse(body as string) as PlanRequest);
    if (path === "/v1/commits") return this.#commit(JSON.parse(body as string) as CommitRequest);
    if (what === "key") return this.#key(domain);
    if (what === "generations") return this.#history(domain);
    if (what === "shards" && method === "PUT") {
      this.shards.set(id, Uint8Array.from(body as Uint8Array));
      return Response.json({ done: true });
    }
    if (what === "shards") return new Response(this.shards.get(id) as Uint8Array<ArrayBuffer>);
    const head = this.heads.get(domain);
    return head === undefined ? failed(404, { code: "not_found", message: "no head" }) : Response.json(head);
  }

  /** All generations of a domain, which are commits. */
  #history(domain: string): Response {
    const head = this.heads.get(domain);
    const numbers = this.#numbersOf.get(domain) ?? [];
    const generations = numbers.map((generation) => ({
      generation,
      time: 0,
      action: "commit",
      by: "t",
      forced: false,
      note: null,
      mode: head?.mode,
      counts: head?.counts,
      departures: 0,
    }));
    return Response.json({ domain, generations, next: null });
  }

  #key(domain: string): Response {
    const { epoch, id, secret } = keyOf(domain);
    const key = toBase64Url(secret);
    return Response.json({
      domain,
      epoch,
      key,
      key_id: id,
      canonicaliser: CANONICALISER_VERSION,
      partition: 0,
    });
  }

  #plan({ domains }: PlanRequest): Response {
    const refusals: Record<string, string> = {};
    for (const { domain, expect, key_id, names, accepted: remaining } of domains) {
      const head = this.heads.get(domain);
      if (head === undefined || head.generation !== expect)
        return failed(409, { code: "conflict", message: "moved", domain, head: head?.generation ?? null });
      const accepted = acceptedCount(head.counts);
      const lost = "gone" in names ? decodeTails(fromBase64Url(names.gone)).length : accepted;
      const refusal = guardRefusal({
        lists: key_id === head.key_id ? [{ generation: expect, accepted, lost, lostBefore: 0 }] : null,
        accepted,
        remaining,
        uncountable: [],
        mayBeEmpty: head.policy.catchall,
        hasPatterns: false,
        share: head.policy.guard,
      });
      if (refusal !== null) refusals[domain] = refusal;
    }
    return Response.json({ refusals });
  }

  #commit(request: CommitRequest): Response {
    this.commits.push(request);
    const missing: Record<string, string[]> = {};
    for (const { domain, expect, shards } of request.domains) {
      const head = this.heads.get(domain)?.generation ?? null;
      if (head !== expect) return failed(409, { code: "conflict", message: "moved", domain, head });
      const lacking = "ids" in shards ? [...new Set(shards.ids)].filter((id) => !this.shards.has(id)) : [];
      if (lacking.length > 0) missing[domain] = lacking;
    }
    if (Object.keys(missing).length > 0) {
      return failed(409, { code: "missing_shards", message: "put them", missing });
    }
    const number = ++this.#number;
    for (const each of request.domains) {
      this.heads.set(each.domain, this.#headOf(each, number));
      this.#numbersOf.set(each.domain, [number, ...(this.#numbersOf.get(each.domain) ?? [])]);
    }
    const generations = Object.fromEntries(request.domains.map(({ domain }) => [domain, number]));
    return Response.json({ generations, unchanged: [] });
  }

  #headOf(commit: DomainCommit, generation: number): DomainDescription {
    const { domain, shards, epoch, key_id, canonicaliser, patterns = null } = commit;
    const before = this.heads.get(domain);
    return {
      domain,
      generation,
      time: 0,
      age: 0,
      key_fits: true,
      brake: null,
      refuses_from: null,
      would_refuse: null,
      open_changes: 0,
      names_per_shard: null,
      fault: null,
      mode: commit.mode ?? before?.mode ?? "enforce",
      counts: this.#count(commit),
      alias: null,
      deleted_until: null,
      partition: 0,
      policy: { ...(before?.policy ?? DEFAULT_POLICY), ...commit.policy },
      epoch,
      key_id,
      canonicaliser,
      shards,
      departures: 0,
      patterns: patternCount(patterns === null ? null : fromBase64Url(patterns)),
      pattern_table: patterns,
      patched: { generation, names: "", at_once: "" },
      kv: { state: "equal", generation },
    };
  }

  #count({ shards }: DomainCommit): Counts {
    const all =
      "inline" in shards ? [fromBase64Url(shards.inline)] : shards.ids.map((id) => this.shards.get(id));
    const counts = { active: 0, disabled: 0, full: 0, moved: 0 };
    for (const bytes of all) {
      const { count, states } = decodeShard(bytes as Uint8Array);
      counts.active += count - states.length;
      for (const state of states) counts[(["active", "disabled", "full", "moved"] as const)[state as 1]]++;
    }
    return counts;
  }
}

export const failed = (status: number, error: ErrorBody["error"]): Response =>
  Response.json({ error }, { status });
