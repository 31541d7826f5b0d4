import type { Answer } from "../../directory/index.ts";
import { firstOf } from "../../runtime/first-of.ts";
import type { AnswerSource, Query, SourceOutcome } from "../answers/answer-source.ts";
import { type Heard, isOlderThanHeard } from "../answers/min-generations.ts";
import type { BridgePorts } from "../ports.ts";
import type { Replica } from "./replica.ts";

/** What the source asks of a replica. */
export type LocalLists = Pick<Replica, "check" | "heard" | "isAway" | "noteUsed">;

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

  async ask(query: Query): Promise<SourceOutcome> {
    const { recipient, domain, deadline } = query;
    const { clock, timers } = this.#ports;
    const answer = await this.#replica.check(recipient, domain, query.seenGeneration());
    if (answer !== null && this.#isDefinite(answer, domain)) return this.#local(answer, domain);
    if (answer?.action !== "accept" || isNoVerdict(answer)) return this.#edge.ask(query);
    // The accept must still be given in time if the edge hangs.
    const patience = (deadline - clock.now()) / 2;
    const later = this.#edge.ask(query);
    const outcome = await firstOf(timers, patience, () => later);
    if (outcome === null) return { ...this.#local(answer, domain), later };
    return outcome.kind === "answer" && this.#isOfUse(outcome.answer, domain)
      ? outcome
      : this.#local(answer, domain);
  }

  /**
   * Whether an answer may be given without asking the edge: its list was confirmed as the newest within the window, or it
   * accepts while the Registry does not answer. Only the edge knows all domains, so only it says not-served.
   */
  #isDefinite(answer: Answer, domain: string): boolean {
    if (isNoVerdict(answer) || answer.verdict === "not-served") return false;
    return answer.confirmed_age !== null || (answer.action === "accept" && this.#replica.isAway(domain));
  }

  /** Whether what the edge says counts more than an accept of the replica. */
  #isOfUse(answer: Answer, domain: string): boolean {
    return !isNoVerdict(answer) && !isOlderThanHeard(answer, this.heard(domain));
  }

  #local(answer: Answer, domain: string): Extract<SourceOutcome, { kind: "answer" }> {
    this.#replica.noteUsed(answer, domain);
    return { kind: "answer", answer, askedAt: this.#ports.clock.now(), isLocal: true };
  }
}

const isNoVerdict = ({ verdict }: Answer): boolean => verdict === "unavailable" || verdict === "throttled";
