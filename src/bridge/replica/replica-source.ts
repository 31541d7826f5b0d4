import type { Answer } from "../../directory/index.ts";
import { firstOf } from "../../runtime/first-of.ts";
import type { AnswerSource, Query, SourceOutcome } from "../answers/answer-source.ts";
import { type Heard, isOlderThanHeard } from "../answers/min-generations.ts";
import type { BridgePorts } from "../ports.ts";
import type { Replica } from "./replica.ts";

/** What the source asks of a replica. */
export type LocalLists = Pick<
  Replica,
  "accept" | "check" | "heard" | "isAway" | "isHere" | "learn" | "noteUsed"
>;

/**
 * Answers from the replica where it has a definite answer, and asks the edge for everything else. If the edge does not
 * answer either, an accept of the replica holds: the reader has checked accept-grace.
 */
export class ReplicaSource implements AnswerSource {
  readonly #replica: LocalLists;
  readonly #edge: AnswerSource;
  readonly #ports: BridgePorts;

  constructor(replica: LocalLists, edge: AnswerSource, ports: BridgePorts) {
    this.#replica = replica;
    this.#edge = edge;
    this.#ports = ports;
  }

  get isAvailable(): boolean {
    return this.#edge.isAvailable;
  }

  answerNow(recipient: string, domain: string, minGeneration: number): Answer | null {
    const answer = this.#replica.check(recipient, domain, minGeneration);
    // If it has to read from disk, `ask` waits for the same read.
    if (answer === null || answer instanceof Promise) return null;
    if (!this.#isDefinite(answer, domain)) return null;
    this.#replica.noteUsed(answer, domain);
    return answer;
  }

  heard(domain: string): Heard | null {
    return this.#replica.heard(domain);
  }

  learn(recipient: string, domain: string, answer: Answer): void {
    this.#replica.learn(recipient, domain, answer);
  }

  async ask(query: Query): Promise<SourceOutcome> {
    const { recipient, domain, deadline } = query;
    const { clock, timers } = this.#ports;
    const answer = await this.#replica.check(recipient, domain, query.seenGeneration());
    if (answer !== null && this.#isDefinite(answer, domain)) return this.#local(answer, domain);
    const isNewest = answer?.action === "accept" && this.#isNewest(answer, domain);
    if (!isNewest && (await this.#replica.accept(recipient, domain)) === null) return this.#askEdge(query);
    // The accept must still be given in time if the edge hangs.
    const patience = (deadline - clock.now()) / 2;
    const later = this.#askEdge(query);
    const outcome = await firstOf(timers, patience, () => later);
    if (outcome?.kind === "answer" && this.#isOfUse(outcome.answer, domain)) return outcome;
    // It may name a newer log.
    if (outcome?.kind === "answer" && isNoVerdict(outcome.answer))
      this.learn(recipient, domain, outcome.answer);
    // Another answer may have said otherwise meanwhile.
    const kept =
      isNewest && this.#isNewest(answer, domain) ? answer : await this.#replica.accept(recipient, domain);
    if (kept === null) return outcome ?? later;
    const local = this.#local(kept, domain);
    const superseded = this.#isNewest(kept, domain) ? {} : { isSuperseded: true as const };
    return outcome === null ? { ...local, ...superseded, later } : { ...local, ...superseded };
  }

  /**
   * Whether an answer may be given without asking the edge: its list was confirmed as the newest within the window, or it
   * accepts while the Registry does not answer, and nothing newer was heard. Only the edge knows all domains, so only it says
   * not-served.
   */
  #isDefinite(answer: Answer, domain: string): boolean {
    if (isNoVerdict(answer) || answer.verdict === "not-served") return false;
    if (answer.confirmed_age !== null) return true;
    return answer.action === "accept" && this.#replica.isAway(domain) && this.#isNewest(answer, domain);
  }

  /** Whether nothing newer was heard of a domain. */
  #isNewest(answer: Answer, domain: string): boolean {
    return !isOlderThanHeard(answer, this.heard(domain));
  }

  /** Whether what the edge says counts more than an accept of the replica. */
  #isOfUse(answer: Answer, domain: string): boolean {
    return !isNoVerdict(answer) && this.#isNewest(answer, domain);
  }

  /**
   * Whether an answer says that a domain is not served, and has no list that says so, though one is here: the Registry is
   * new, or another one.
   */
  #isLost({ verdict, generation }: Answer, domain: string): boolean {
    return verdict === "not-served" && generation === null && this.#replica.isHere(domain);
  }

  /** What the edge says, also after the replica has answered, unless it refuses a domain whose list no other one has ended. */
  async #askEdge(query: Query): Promise<SourceOutcome> {
    const { domain } = query;
    const outcome = await this.#edge.ask(query);
    if (outcome.kind === "none" || !this.#isLost(outcome.answer, domain)) return outcome;
    const why = `the Registry has no list of ${domain}, and this host has one: publish it again`;
    return { kind: "none", why, reason: "stale" };
  }

  #local(answer: Answer, domain: string): Extract<SourceOutcome, { kind: "answer" }> {
    this.#replica.noteUsed(answer, domain);
    return { kind: "answer", answer, askedAt: this.#ports.clock.now(), isLocal: true };
  }
}

const isNoVerdict = ({ verdict }: Answer): boolean => verdict === "unavailable" || verdict === "throttled";
