/** Holds each answer against the model. */
import { type Answer, refuses } from "../../src/directory/index.ts";
import type { Tally, WindowKind } from "../tally.ts";
import { LONGEST_COMPUTING, type SimulatedIsolate } from "../world/isolate.ts";
import { BOUNDS } from "./bounds.ts";
import type { ModelDirectory } from "./directory.ts";
import { evaluate, type Generation, type Said } from "./generation.ts";
import type { Name } from "./names.ts";

export interface JudgeParts {
  readonly model: ModelDirectory;
  readonly tally: Tally;
  now(): number;
  partitionOf(domain: string): number;
  /** Since when KV has had something newer than a generation; infinity where it has not. */
  newerInKvSince(domain: string, number: number): number;
  violation(assertion: string, words: string): void;
}

/** A generation with the list that answered for it: its own, or that of the domain it is an alias of. */
export interface Pair {
  readonly own: Generation;
  readonly list: Generation;
}

/** Which generations an answer may have come from. Nothing else can have given its number. */
export function pairsOf(model: ModelDirectory, domain: string, number: number): Pair[] {
  const history = model.history(domain);
  const own = history.at(number);
  const pairs: Pair[] = [];
  if (own !== undefined) {
    const alias = own.deletedUntil === null ? own.policy.alias : null;
    if (alias === null) pairs.push({ own, list: own });
    else for (const list of model.history(alias).generations) pairs.push({ own, list });
  }
  for (const target of history.targets) {
    const { generations } = model.history(target);
    // The number may be the target's where that was the head; what answered may be newer.
    const named = model.history(target).at(number);
    if (named === undefined) continue;
    const owns = history.generations.filter(
      (it) =>
        it.number < number &&
        it.deletedUntil === null &&
        it.policy.alias === target &&
        // Both were heads at one time: a number stands for a state.
        Math.max(it.since, named.since) < Math.min(it.until, named.until),
    );
    for (const list of generations) {
      if (list.number >= number) for (const it of owns) pairs.push({ own: it, list });
    }
  }
  return pairs;
}

export function saidBy({ list }: Pair, name: Name, now: number): Said {
  return evaluate(list, name, now);
}

/** Whether an answer says what a pair says, word for word. */
export function agrees(answer: Answer, pair: Pair, name: Name, now: number): boolean {
  const said = saidBy(pair, name, now);
  if (answer.verdict !== said.verdict || answer.matched !== said.matched) return false;
  const isObserved = pair.own.mode === "observe" || pair.list.mode === "observe";
  if (answer.mode !== (isObserved ? "observe" : "enforce")) return false;
  if (isObserved && OBSERVED.has(said.verdict)) return answer.action === "accept";
  return answer.action === ACTION_OF[said.verdict];
}

const OBSERVED: ReadonlySet<string> = new Set(["unknown", "disabled", "moved", "full", "departed"]);
const ACTION_OF: Readonly<Record<string, string>> = {
  deliverable: "accept",
  unknown: "reject",
  disabled: "reject",
  moved: "reject",
  "not-served": "reject",
  malformed: "reject",
  departed: "defer",
  full: "defer",
};

/** How long ago the last moment was at which both were heads; null where there was none. */
export function ageOf({ own, list }: Pair, now: number): number | null {
  const from = Math.max(own.since, list.since);
  const to = Math.min(own.until, list.until);
  return from < to ? Math.max(0, now - to) : null;
}

/** How long one of them has not been the head. */
const oldest = ({ own, list }: Pair, now: number): number => Math.max(0, now - own.until, now - list.until);

export class Judge {
  readonly #parts: JudgeParts;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
  }

  /** An answer as an isolate gives it, at the moment at which it decides. */
  edge(host: SimulatedIsolate, domain: string, name: Name, answer: Answer, floor: number): void {
    const { tally, now, violation, model } = this.#parts;
    tally.checks++;
    tally.verdict(answer.verdict);
    const partition = this.#parts.partitionOf(domain);
    if (!host.firstAsked.has(partition)) host.firstAsked.set(partition, now());
    if (answer.verdict === "unavailable" || answer.verdict === "throttled") return;
    const say = (): string => `${host.name} says ${words(answer)}`;
    const mayRefuse = refuses(answer.verdict, answer.mode);
    if (mayRefuse) this.#requireQuestion(host, domain, say);
    if (answer.generation === null) {
      this.#notServed(host, domain, answer, say);
      return;
    }
    if (answer.generation < floor) violation("floor", `${say()}, and was asked for ${floor} or newer`);
    this.#requireProgress(host, domain, answer, say);
    if (answer.origin === "kv") {
      this.#exported(host, domain, name, answer, say);
      return;
    }
    const pairs = pairsOf(model, domain, answer.generation);
    const agreeing = pairs.filter((pair) => agrees(answer, pair, name, host.now()));
    if (agreeing.length === 0) {
      const [pair] = pairs;
      const meant =
        pair === undefined
          ? "no such generation was ever made"
          : JSON.stringify(saidBy(pair, name, host.now()));
      const isGrace = pair !== undefined && saidBy(pair, name, host.now()).verdict === "departed";
      violation(isGrace ? "grace of law 4" : "an answer is whole", `${say()}; the model: ${meant}`);
      return;
    }
    if (mayRefuse || answer.confirmed_age !== null) this.#requireNewest(host, domain, agreeing, say);
    if (mayRefuse) this.#refusal(agreeing, host.settings.window, now(), say);
    else if (answer.action === "accept") this.#accept(host, domain, agreeing, answer, say);
  }

  /** Law 2, seen from outside: no refusal without a question sent within the window, and answered. */
  #requireQuestion(host: SimulatedIsolate, domain: string, say: () => string): void {
    const exchange = host.exchanges.get(this.#parts.partitionOf(domain));
    const age = this.#parts.now() - (exchange?.sentAt ?? Number.NEGATIVE_INFINITY);
    if (age <= host.settings.window + LONGEST_COMPUTING) return;
    this.#parts.violation(
      "refusals are fresh",
      `${say()}; its last answered question was sent ${seconds(age)} ago`,
    );
  }

  /** Law 3: what an isolate has answered from never goes back. */
  #requireProgress(host: SimulatedIsolate, domain: string, answer: Answer, say: () => string): void {
    // The numbers of exports order nothing. Those of an alias stand for two lists: only confirmed ones compare.
    if (answer.origin === "kv") return;
    if (answer.confirmed_age === null && this.#parts.model.history(domain).targets.size > 0) return;
    const last = host.answered.get(domain) ?? 0;
    const number = answer.generation as number;
    if (number < last)
      this.#parts.violation("nobody goes back", `${say()}, and answered from ${last} before`);
    else host.answered.set(domain, number);
  }

  /** Whoever was told of a newer state confirms none that ended before it asked. */
  #requireNewest(host: SimulatedIsolate, domain: string, pairs: readonly Pair[], say: () => string): void {
    const { now, violation, partitionOf } = this.#parts;
    const exchange = host.exchanges.get(partitionOf(domain));
    if (exchange === undefined || exchange.arrivedAt >= now()) return;
    const end = Math.max(...pairs.map(({ own, list }) => Math.min(own.until, list.until)));
    if (end >= exchange.sentAt) return;
    violation(
      "nobody goes back",
      `${say()}; it was told ${seconds(now() - exchange.arrivedAt)} ago of what came after`,
    );
  }

  #refusal(pairs: readonly Pair[], window: number, now: number, say: () => string): void {
    const ages = pairs.map((pair) => ageOf(pair, now)).filter((age) => age !== null);
    const age = Math.min(...ages, Number.POSITIVE_INFINITY);
    if (age <= window + LONGEST_COMPUTING) {
      this.#parts.tally.window("refusal", age);
      return;
    }
    const since = ages.length === 0 ? "a state that never was" : `what has not been so for ${seconds(age)}`;
    this.#parts.violation("refusals are fresh", `${say()}, from ${since}`);
  }

  #accept(
    host: SimulatedIsolate,
    domain: string,
    pairs: readonly Pair[],
    answer: Answer,
    say: () => string,
  ): void {
    const { now, tally, violation } = this.#parts;
    const time = now();
    const pair = pairs.reduce((a, b) => (oldest(a, time) <= oldest(b, time) ? a : b));
    const age = oldest(pair, time);
    const { window, acceptGrace } = host.settings;
    if (answer.confirmed_age !== null) {
      this.#bounded("accept, confirmed", age, window + LONGEST_COMPUTING, say);
      return;
    }
    const partition = this.#parts.partitionOf(domain);
    const silence = time - (host.evidence.get(partition) ?? Number.NEGATIVE_INFINITY);
    const isSettled = time - (host.firstAsked.get(partition) as number) > BOUNDS.firstRefresh;
    if (isSettled && silence > acceptGrace + LONGEST_COMPUTING + BOUNDS.skew) {
      violation("accepts end with accept-grace", `${say()}; no sign of the Registry for ${seconds(silence)}`);
    }
    if (age === 0) return;
    if (time - host.hurtAt < BOUNDS.recovery) {
      tally.window("accept, Registry away", age);
      return;
    }
    const exchange = host.exchanges.get(this.#parts.partitionOf(domain));
    const successor = Math.min(pair.own.until, pair.list.until);
    if (
      exchange !== undefined &&
      exchange.sentAt > successor &&
      time - exchange.arrivedAt > BOUNDS.catchingUp
    ) {
      violation(
        "accepts follow what is known",
        `${say()}; it was told of a newer one ${seconds(time - exchange.arrivedAt)} ago`,
      );
    }
    const ageInKv =
      time -
      Math.max(
        this.#newerSince(pair.own),
        pair.list === pair.own ? Number.NEGATIVE_INFINITY : this.#newerSince(pair.list),
      );
    if (ageInKv > 0)
      this.#bounded("accept, unconfirmed, after the copy to KV", ageInKv, BOUNDS.kv(window), say);
  }

  #newerSince({ domain, number, until }: Generation): number {
    return until === Number.POSITIVE_INFINITY
      ? Number.NEGATIVE_INFINITY
      : this.#parts.newerInKvSince(domain, number);
  }

  #bounded(kind: WindowKind, age: number, bound: number, say: () => string): void {
    this.#parts.tally.window(kind, age);
    if (age > bound) this.#parts.violation(`${kind}: bound`, `${say()}, superseded ${seconds(age)} ago`);
  }

  /** Not served: the Registry had no list of it at some moment within the window, and no export is long there. */
  #notServed(host: SimulatedIsolate, domain: string, answer: Answer, say: () => string): void {
    const { model, now, tally, violation } = this.#parts;
    const time = now();
    if (answer.verdict !== "not-served") {
      if (answer.verdict !== "malformed" && answer.matched !== "postmaster")
        violation("an answer is whole", say());
      return;
    }
    const [first] = model.history(domain).generations;
    const age = first === undefined ? 0 : Math.max(0, time - first.since);
    const isGone = this.#isPruned(domain, time, host.settings.history);
    if (!isGone && age > host.settings.window + LONGEST_COMPUTING) {
      violation("refusals are fresh", `${say()}, and it has been served for ${seconds(age)}`);
    } else if (!isGone) tally.window("not-served", age);
    const exported = model.exports.get(domain)?.generations[0];
    if (exported !== undefined && !isGone && time - exported.since > BOUNDS.exportRoster) {
      violation("export: bound", `${say()}, and it has been exported for ${seconds(time - exported.since)}`);
    }
  }

  /** Whether a tombstone may have been let go of. */
  #isPruned(domain: string, time: number, history: number): boolean {
    return this.#parts.model
      .history(domain)
      .generations.some(
        (it) => it.deletedUntil !== null && it.deletedUntil + history <= Math.min(time, it.until),
      );
  }

  #exported(host: SimulatedIsolate, domain: string, name: Name, answer: Answer, say: () => string): void {
    const { model, now, violation } = this.#parts;
    const generation = model.exports.get(domain)?.at(answer.generation as number);
    if (
      generation === undefined ||
      !agrees(answer, { own: generation, list: generation }, name, host.now())
    ) {
      violation("an answer is whole", `${say()}; the export says otherwise`);
      return;
    }
    if (answer.confirmed_age !== null) violation("an export is not confirmed", say());
    const time = now();
    const [first] = model.history(domain).generations;
    if (
      first !== undefined &&
      answer.action === "reject" &&
      time - first.since > host.settings.window + LONGEST_COMPUTING
    ) {
      violation(
        "the Registry's head wins",
        `${say()}, and the Registry has had a head for ${seconds(time - first.since)}`,
      );
    }
    if (answer.action !== "reject" && time - host.hurtAt < BOUNDS.recovery) return;
    const age = Math.max(0, time - generation.until);
    this.#bounded("export, refusal and accept", age, BOUNDS.kv(host.settings.window), say);
  }
}

export const seconds = (ms: number): string => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : "ever");

export function words(answer: Answer): string {
  const from = answer.generation === null ? "" : ` from generation ${answer.generation}`;
  const age = answer.confirmed_age === null ? "" : `, confirmed ${answer.confirmed_age} s ago`;
  return `"${answer.reply.slice(0, 90)}" (${answer.verdict}${from}${answer.mode === "observe" ? ", observe" : ""}${age})`;
}
