/** One bridge of a world, with what was shown to it. */

import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import type { Outcome } from "../../src/client/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import { BridgeHost, type BridgeHostParts } from "../../testing/bridge-host.ts";
import type { Fetch } from "../../testing/network.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import {
  type Denial,
  type HeardHeads,
  isEarlier,
  type Moment,
  type SeenState,
  type Sign,
} from "../model/answerer.ts";
import type { Asked, JudgedHost } from "../model/replica-judge.ts";
import type { SimulatedIsolate } from "./isolate.ts";
import type { SimulatedReplica } from "./replica.ts";

export interface BridgeParts extends Omit<BridgeHostParts<SimulatedIsolate>, "answered" | "replica"> {
  readonly name: string;
  readonly location: string;
  /** The replica on its host, null without one. */
  readonly replica: SimulatedReplica | null;
  /** Steps that it is kept for, null if it is for all. */
  readonly focus: number | null;
}

/** A question under way, and what was known of the replica when it was first asked. */
export interface Flight extends Asked {
  readonly moments: readonly Moment[];
}

const domainIn = (recipient: string): string => recipient.slice(recipient.lastIndexOf("@") + 1);

/** Memory in which a bridge of any world has room for all whom it is asked about. */
const ROOM = 1_000_000;

export class SimulatedBridge implements JudgedHost {
  readonly name: string;
  readonly acceptGrace: number;
  readonly focus: number | null;
  readonly replica: SimulatedReplica | null;
  readonly location: string;
  readonly #parts: BridgeParts;
  #run = 0;
  edgeAskedAt = Number.NEGATIVE_INFINITY;
  edgeRequests = 0;
  /** Questions under way, by recipient. */
  readonly flights = new Map<string, Flight>();
  edgeFailedAt = Number.NEGATIVE_INFINITY;
  readonly #time: VirtualTime;
  #host: BridgeHost<SimulatedIsolate>;
  readonly seen = new Map<string, SeenState>();
  get heard(): HeardHeads {
    return this.replica?.heard ?? new Map();
  }

  readonly vouched = new Map<string, Sign>();
  readonly denied = new Map<string, Denial>();
  readonly deniedBefore = new Map<string, Denial>();
  readonly hasRoom: boolean;
  readonly windows = new Map<string, { readonly last: number; readonly kept: number }>();
  /** Recipients that it was asked about lately: MTAs ask for the same ones again and again. */
  readonly regulars: string[] = [];

  constructor(parts: BridgeParts) {
    this.#parts = parts;
    this.#time = parts.time;
    this.replica = parts.replica;
    this.location = parts.location;
    this.name = parts.name;
    this.acceptGrace = parts.acceptGrace;
    this.hasRoom = parts.cacheBytes >= ROOM;
    this.focus = parts.focus;
    this.#host = this.#newHost();
  }

  #newHost(): BridgeHost<SimulatedIsolate> {
    const { replica, ...parts } = this.#parts;
    const run = ++this.#run;
    return new BridgeHost({
      ...parts,
      ...(replica === null ? {} : { replica: replica.lists }),
      fetch: (via) => this.#watched(parts.fetch(via)),
      answered: (outcome, domain, askedAt, host) => {
        if (run === this.#run) this.#note(outcome, domain, askedAt, host?.settings.window ?? 0);
      },
    });
  }

  #watched(fetch: Fetch): Fetch {
    return async (input, init) => {
      this.edgeAskedAt = this.#time.now();
      this.edgeRequests++;
      try {
        const response = await fetch(input, init);
        if (response.status !== 200) this.edgeFailedAt = this.#time.now();
        return response;
      } catch (error) {
        this.edgeFailedAt = this.#time.now();
        throw error;
      } finally {
        this.edgeRequests--;
      }
    };
  }

  /** Its host starts again: the bridge has seen nothing. */
  restart(): void {
    for (const [recipient, denial] of this.denied) this.#noteBefore(domainIn(recipient), denial);
    this.denied.clear();
    for (const seen of [this.seen, this.vouched, this.windows, this.flights]) seen.clear();
    this.#host = this.#newHost();
  }

  #noteBefore(domain: string, denial: Denial): void {
    const before = this.deniedBefore.get(domain);
    if (before === undefined || isEarlier(before, denial)) this.deniedBefore.set(domain, denial);
  }

  /** Its replica answered: that too was seen. */
  noteLocal(answer: Answer, domain: string): void {
    if (answer.action !== "accept" && !this.#isOld(answer, domain, this.#time.now()))
      this.vouched.delete(answer.recipient);
    this.#noteState(answer, domain);
  }

  #note(outcome: Outcome, domain: string, askedAt: number, window: number): void {
    if (outcome.kind === "none") return;
    const { recipient, answer } = outcome;
    this.windows.set(recipient, { last: window, kept: this.windows.get(recipient)?.kept ?? window });
    const isOld = this.#isOld(answer, domain, askedAt) || this.#isOlderThanHeard(answer, domain);
    this.#noteState(answer, domain);
    // An older one is passed on if it accepts, and is not kept. No verdict changes nothing.
    if (isOld || answer.verdict === "unavailable" || answer.verdict === "throttled") return;
    // Nor does a log that was lost and has no list of a domain, while the host has one.
    if (answer.generation === null && this.replica?.lists.isHere(domain)) return;
    this.windows.set(recipient, { last: window, kept: window });
    if (answer.generation === null) this.#noteGone(domain);
    const { action, incarnation, generation } = answer;
    if (action === "accept") this.#noteSign(recipient, answer, askedAt);
    else this.vouched.delete(recipient);
    if (action === "accept") this.denied.delete(recipient);
    else if (incarnation !== null && generation !== null)
      this.denied.set(recipient, { incarnation, generation, at: this.#time.now() });
  }

  /** Whether an answer is older than what was seen: it changes nothing of what is known. */
  #isOld(answer: Answer, domain: string, askedAt: number): boolean {
    const { incarnation, generation, confirmed_age: age } = answer;
    const seen = this.seen.get(domain);
    if (seen === undefined) return false;
    // Numbers of another log start again.
    if (incarnation !== null && incarnation !== seen.incarnation) return incarnation < seen.incarnation;
    if (generation !== null) return generation < seen.generation;
    return seen.generation > 0 && (age === null || askedAt - 1000 * age < seen.at);
  }

  /** Whether its replica heard of something newer while the answer was under way. */
  #isOlderThanHeard({ incarnation, generation }: Answer, domain: string): boolean {
    const heard = this.heard.get(domain);
    if (heard === undefined) return false;
    return incarnation !== null && isEarlier({ incarnation, generation: generation ?? 0 }, heard);
  }

  /** The newest state that it has heard of. Numbers of another log start again. */
  #noteState({ incarnation, generation }: Answer, domain: string): void {
    const before = this.seen.get(domain);
    if (before === undefined && generation === null) return;
    const log = incarnation ?? before?.incarnation ?? 0;
    const isNewLog = log > (before?.incarnation ?? 0);
    const isNewer = log === before?.incarnation && (generation ?? 0) > before.generation;
    if (before === undefined || isNewLog || isNewer)
      this.seen.set(domain, {
        incarnation: log,
        generation: generation ?? 0,
        at: this.#time.now(),
        goneAt: Number.NEGATIVE_INFINITY,
      });
  }

  #noteGone(domain: string): void {
    const seen = this.seen.get(domain);
    if (seen !== undefined && seen.goneAt === Number.NEGATIVE_INFINITY)
      this.seen.set(domain, { ...seen, goneAt: this.#time.now() });
  }

  /** What an accept rests on: contact with the Registry counts for its generation alone. */
  #noteSign(recipient: string, answer: Answer, askedAt: number): void {
    const { contact_age: contact, confirmed_age: confirmed, generation, incarnation } = answer;
    if (contact === null) return;
    const at = askedAt - 1000 * contact;
    const before = this.vouched.get(recipient);
    const isSame = before?.generation === generation && before.incarnation === incarnation;
    const last = (one: number, other: number | undefined): number =>
      Math.max(one, other ?? Number.NEGATIVE_INFINITY);
    this.vouched.set(recipient, {
      incarnation,
      generation,
      at: last(at, isSame ? before.at : undefined),
      confirmedAt: last(
        confirmed === null ? Number.NEGATIVE_INFINITY : askedAt - 1000 * confirmed,
        before?.confirmedAt,
      ),
      notedAt: this.#time.now(),
    });
  }

  resolve(recipient: string): Resolution | Promise<Resolution> {
    return this.#host.resolve(recipient);
  }
}
