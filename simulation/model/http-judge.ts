/** Judges of what isolates say over HTTP: law 1, tokens, and each answer. */

import type { Answer } from "../../src/directory/index.ts";
import { LONGEST_COMPUTING } from "../../testing/limits.ts";
import type { HttpExchange } from "../../testing/network.ts";
import type { Tally } from "../basics/tally.ts";
import type { Answerer, Moment } from "./answerer.ts";
import type { ModelDirectory } from "./directory.ts";
import type { Judge } from "./judge.ts";
import type { Named } from "./names.ts";

export interface Token {
  readonly id: string;
  readonly token: string;
  readonly role: "check" | "publish" | "replica";
  /** Null: all. */
  readonly domains: readonly string[] | null;
  /** When the revocation was acknowledged. */
  revokedAt: number;
}

export interface HttpJudgeParts {
  readonly judge: Judge;
  readonly tally: Tally;
  readonly model: ModelDirectory;
  readonly tokens: readonly Token[];
  /** Recipients that were asked about, by their text. */
  readonly asked: ReadonlyMap<string, Named>;
  partitionOf(domain: string): number;
  violation(assertion: string, words: string): void;
}

export class HttpJudge {
  readonly #parts: HttpJudgeParts;

  constructor(parts: HttpJudgeParts) {
    this.#parts = parts;
  }

  /** @param moments at which its answers may have been decided */
  judge(host: Answerer, { request, asked, status, body }: HttpExchange, moments: readonly Moment[]): void {
    const { tally, violation, judge } = this.#parts;
    const value = JSON.parse(body) as Answer | { results: Answer[] } | { error: unknown };
    const answers = "results" in value ? value.results : "verdict" in value ? [value] : [];
    const { floor = {} } = JSON.parse(asked) as { floor?: Record<string, number> };
    if (answers.length === 0) judge.liveness.judgeFailure(host, status, moments.at(-1) as Moment);
    for (const answer of answers) {
      tally.overHttp++;
      const it = this.#parts.asked.get(answer.recipient);
      if (it === undefined || this.#isNotForToken(host, request, it.domain, answer, moments)) continue;
      if (status !== 200 && answer.action !== "defer")
        violation("law 1", `${host.name} gives ${answer.verdict} with HTTP ${status}`);
      // One answer was decided last of all; those of a list one after the other.
      const possible = answers.length === 1 ? moments.slice(-1) : moments;
      judge.judge({ host, ...it, answer, floor: floor[it.domain] ?? 0 }, possible);
      this.#judgeToken(host, request, it.domain, answer, moments.at(-1) as Moment);
    }
  }

  /** The token of a request, undefined if it is the administrator's. */
  #tokenOf(request: Request): Token | undefined {
    const bearer = request.headers.get("authorization")?.slice("Bearer ".length);
    return this.#parts.tokens.find((it) => it.token === bearer);
  }

  /** Nothing is said of a domain that the token does not cover; or that it names, and that has no list. */
  #isNotForToken(
    { settings }: Answerer,
    request: Request,
    domain: string,
    { verdict }: Answer,
    moments: readonly Moment[],
  ): boolean {
    const domains = this.#tokenOf(request)?.domains ?? null;
    if (domains === null || verdict !== "unavailable") return false;
    const { time } = moments.at(-1) as Moment;
    const history = this.#parts.model.history(domain);
    const bound = settings.window + LONGEST_COMPUTING;
    const isListed =
      history.servedFor(time) > bound && !history.mayBeForgotten(time, settings.history, bound);
    return !domains.includes(domain) || !isListed;
  }

  #judgeToken(host: Answerer, request: Request, domain: string, answer: Answer, at: Moment): void {
    const { partitionOf, violation } = this.#parts;
    const token = this.#tokenOf(request);
    if (token === undefined || answer.verdict === "unavailable") return;
    const since = at.time - token.revokedAt;
    const exchange = at.exchanges.get(partitionOf(domain));
    const isTold =
      exchange !== undefined && exchange.sentAt > token.revokedAt && exchange.arrivedAt < at.time;
    if (isTold || (answer.action === "reject" && since > host.settings.window + LONGEST_COMPUTING)) {
      const ago = `${since} ms ago`;
      violation("revocation", `${host.name} answers ${answer.verdict} to a token that was revoked ${ago}`);
    }
  }
}
