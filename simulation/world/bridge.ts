/** One bridge: the real resolver, cache and edge source, and the real client, asking through the network. */
import { AnswerCache } from "../../src/bridge/answers/cache.ts";
import { MinGenerations } from "../../src/bridge/answers/min-generations.ts";
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import { Resolver } from "../../src/bridge/answers/resolver.ts";
import { askEdgeWith } from "../../src/bridge/edge-source/ask-edge.ts";
import { EdgeSource } from "../../src/bridge/edge-source/edge-source.ts";
import type { BridgePorts } from "../../src/bridge/ports.ts";
import { createClient, type Outcome, type RollcallClient } from "../../src/client/index.ts";
import type { Answer } from "../../src/directory/index.ts";
import type { Nap } from "../../src/runtime/ports.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import { BRIDGE_BUDGET } from "../basics/limits.ts";
import type { JudgedBridge, Sign } from "../model/answerer.ts";
import type { SimulatedIsolate } from "./isolate.ts";
import type { Fetch } from "./network.ts";

export interface BridgeParts {
  readonly name: string;
  readonly time: VirtualTime;
  /** `fetch` as the bridge has it, which tells of the isolate that takes the request. */
  fetch(via: (host: SimulatedIsolate) => void): Fetch;
  readonly token: string;
  /** Steps that it is kept for, null where it is for all. */
  readonly focus: number | null;
  readonly acceptGrace: number;
  readonly cacheBytes: number;
  /** Counts something rare that happened. */
  met(what: string): void;
}

/** Requests at the same time: few, so that questions wait for others and go along with them. */
const REQUESTS = 2;

/** A client under virtual time. */
export const clientOf = (time: VirtualTime, fetch: Fetch, token: string, timeoutMs: number): RollcallClient =>
  createClient({
    url: "https://rollcall.test",
    token,
    timeoutMs,
    fetch,
    now: () => time.now(),
    sleep: (ms, signal) => sleep(time, ms, signal),
  });

/** A sleep that ends early where its signal is aborted. */
function sleep(time: VirtualTime, ms: number, signal?: AbortSignal): Promise<void> {
  const nap: Nap = {};
  const slept = time.sleep(ms, nap);
  if (signal === undefined) return slept;
  return new Promise((resolve) => {
    void slept.then(resolve);
    signal.addEventListener(
      "abort",
      () => {
        nap.cancel?.();
        resolve();
      },
      { once: true },
    );
  });
}

/** For how long what was seen of the Registry counts more than an export. */
const EXPORTS_GIVE_WAY = 3_600_000;
/** Memory in which a bridge of any world has room for all whom it is asked about. */
const ROOM = 1_000_000;

export class SimulatedBridge implements JudgedBridge {
  readonly name: string;
  readonly acceptGrace: number;
  readonly focus: number | null;
  readonly bornAt: number;
  readonly #time: VirtualTime;
  readonly #resolver: Resolver;
  readonly seen = new Map<
    string,
    { readonly incarnation: number; readonly generation: number; readonly at: number }
  >();
  readonly vouched = new Map<string, Sign>();
  readonly hasRoom: boolean;
  readonly windows = new Map<string, number>();
  /** What it was asked lately: MTAs ask for the same people again and again. */
  readonly regulars: string[] = [];
  readonly faults: unknown[] = [];

  constructor(parts: BridgeParts) {
    const { time } = parts;
    this.#time = time;
    this.name = parts.name;
    this.acceptGrace = parts.acceptGrace;
    this.hasRoom = parts.cacheBytes >= ROOM;
    this.focus = parts.focus;
    const started = time.now();
    this.bornAt = started;
    const ports: BridgePorts = {
      clock: { now: () => time.now() - started },
      timers: { sleep: (ms, signal) => sleep(time, ms, signal) },
    };
    const minGenerations = new MinGenerations();
    const source = new EdgeSource({
      ports,
      ask: async (recipients, domain, minGeneration) => {
        const askedAt = time.now();
        let window = 0;
        // A client of its own, which tells who answered this one request.
        const fetch = parts.fetch((host) => {
          window = host.settings.window;
        });
        const client = clientOf(time, fetch, parts.token, BRIDGE_BUDGET);
        if (recipients.length > 1) parts.met("bridge asks about several at once");
        const outcomes = await askEdgeWith(client)(recipients, domain, minGeneration);
        for (const outcome of outcomes) this.#note(outcome, domain, askedAt, window);
        return outcomes;
      },
      timeout: BRIDGE_BUDGET,
      maxQuestions: 64,
      maxRequests: REQUESTS,
      failures: 5,
      observer: { requested: () => undefined, asked: () => undefined, breakerChanged: () => undefined },
    });
    this.#resolver = new Resolver({
      ports,
      source,
      cache: new AnswerCache(parts.cacheBytes, minGenerations),
      minGenerations,
      timeout: BRIDGE_BUDGET,
      acceptGrace: parts.acceptGrace,
      newLog: () => parts.met("bridge starts over under a new log"),
      fault: (error) => this.faults.push(error),
    });
  }

  #note(outcome: Outcome, domain: string, askedAt: number, window: number): void {
    if (outcome.kind === "none") return;
    const { recipient, answer } = outcome;
    this.windows.set(recipient, window);
    if (answer.origin !== "kv") this.#noteState(answer, domain);
    if (answer.action === "accept") this.#noteSign(recipient, domain, answer, askedAt);
    else if (answer.verdict !== "unavailable" && answer.verdict !== "throttled")
      if (!this.#isOld(answer, domain, askedAt)) this.vouched.delete(recipient);
  }

  /** Whether an answer is older than what was seen: it changes nothing of what is known. */
  #isOld(answer: Answer, domain: string, askedAt: number): boolean {
    const { incarnation, generation, confirmed_age: age, origin } = answer;
    const seen = this.seen.get(domain);
    if (seen === undefined) return false;
    if (incarnation !== null && incarnation < seen.incarnation) return true;
    if (origin === "kv") return askedAt < seen.at + EXPORTS_GIVE_WAY;
    if (generation !== null) return generation < seen.generation;
    return seen.generation > 0 && (age === null || askedAt - 1000 * age < seen.at);
  }

  /** The newest state that it was told of: the numbers of another log begin again. */
  #noteState({ incarnation, generation }: Answer, domain: string): void {
    const before = this.seen.get(domain);
    if (before === undefined && generation === null) return;
    const log = incarnation ?? before?.incarnation ?? 0;
    const isNewLog = log > (before?.incarnation ?? 0);
    const isNewer = log === before?.incarnation && (generation ?? 0) > before.generation;
    if (before === undefined || isNewLog || isNewer)
      this.seen.set(domain, { incarnation: log, generation: generation ?? 0, at: this.#time.now() });
  }

  /** When the Registry gave the last sign that an accept of this generation rests on. */
  #noteSign(recipient: string, domain: string, answer: Answer, askedAt: number): void {
    const { contact_age: age, origin, generation, incarnation } = answer;
    const seen = this.seen.get(domain);
    // An older one than was seen is passed on, and not kept.
    const isOld = seen?.incarnation !== incarnation || (generation ?? 0) < seen.generation;
    const at = origin === "kv" ? askedAt : age === null ? null : askedAt - 1000 * age;
    if (at === null) return;
    const before = this.vouched.get(recipient);
    const same = before?.generation === generation ? before.at : Number.NEGATIVE_INFINITY;
    const notedAt = isOld ? Number.POSITIVE_INFINITY : this.#time.now();
    this.vouched.set(recipient, { generation, at: Math.max(at, same), notedAt });
  }

  resolve(recipient: string): Resolution | Promise<Resolution> {
    return this.#resolver.resolve(recipient);
  }
}
