/** Holds what bridges say against the model: law 2 and law 3 at the end of the way. */
import type { Resolution } from "../../src/bridge/resolver.ts";
import type { Tally } from "../tally.ts";
import { BRIDGE_BUDGET, type SimulatedBridge } from "../world/bridge.ts";
import { LONGEST_COMPUTING } from "../world/isolate.ts";
import { NONSENSE } from "../world/network.ts";
import { BOUNDS } from "./bounds.ts";
import type { ModelDirectory } from "./directory.ts";
import { ageOf, agrees, pairsOf, seconds, words } from "./judge.ts";
import { type Name, written } from "./names.ts";

export interface BridgeJudgeParts {
  readonly model: ModelDirectory;
  readonly tally: Tally;
  /** The longest window of any isolate. */
  readonly window: number;
  /** How long tombstones are kept. */
  readonly history: number;
  now(): number;
  violation(assertion: string, words: string): void;
}

export class BridgeJudge {
  readonly #parts: BridgeJudgeParts;

  constructor(parts: BridgeJudgeParts) {
    this.#parts = parts;
  }

  /** @param askedAt when the MTA asked */
  judge(
    bridge: SimulatedBridge,
    domain: string,
    name: Name,
    { answer, source }: Resolution,
    askedAt: number,
  ): void {
    const { tally, now, violation, model } = this.#parts;
    const time = now();
    const say = (): string => `${bridge.name} says ${words(answer)}, from its ${source}`;
    tally.overBridge++;
    tally.event(`bridge answers from ${source}: ${answer.action}`);
    if (time - askedAt > BRIDGE_BUDGET + 10)
      violation("a bridge answers in time", `${say()} after ${seconds(time - askedAt)}`);
    if (answer.action === "defer") return;
    if (answer.reply.includes(NONSENSE)) violation("no verdict is no refusal", say());
    if (source === "local") return;
    if (answer.action === "reject" && (source === "grace" || source === "none")) {
      violation("refusals are fresh", say());
    }
    if (source === "grace") {
      const vouched = bridge.vouched.get(`${written(name)}@${domain}`) ?? Number.NEGATIVE_INFINITY;
      const silence = time - vouched;
      if (silence > bridge.acceptGrace + BRIDGE_BUDGET) {
        violation("accepts end with accept-grace", `${say()}, vouched for ${seconds(silence)} ago`);
      }
    }
    this.#requireProgress(bridge, domain, answer.generation, answer.action, source, say);
    if (answer.generation === null) {
      this.#notServed(domain, answer.verdict, say);
      return;
    }
    // Exports are judged where the edge answers: a bridge adds its max_age, which is no more than a window.
    if (answer.origin === "kv") return;
    const pairs = pairsOf(model, domain, answer.generation);
    // The isolate decided at some moment of the last window, by its own clock.
    const moments = [time, time - this.#parts.window - BRIDGE_BUDGET, time + BOUNDS.skew];
    const agreeing = pairs.filter((pair) => moments.some((at) => agrees(answer, pair, name, at)));
    if (agreeing.length === 0) {
      if (source !== "grace") violation("an answer is whole", say());
      return;
    }
    const ages = agreeing.map((pair) =>
      answer.action === "reject"
        ? ageOf(pair, time)
        : Math.max(0, time - pair.own.until, time - pair.list.until),
    );
    const age = Math.min(...ages.map((it) => it ?? Number.POSITIVE_INFINITY));
    const { window } = this.#parts;
    if (answer.action === "reject") this.#bounded("bridge: refusal", age, window + LONGEST_COMPUTING, say);
    else if (source === "grace") {
      this.#bounded("bridge: accept under grace", age, bridge.acceptGrace + BRIDGE_BUDGET, say);
    } else if (source === "cache" || answer.max_age > 0) {
      this.#bounded("bridge: accept", age, window + BRIDGE_BUDGET + LONGEST_COMPUTING, say);
    }
  }

  /** Law 3: an older accept may be passed on once, from the edge; an older refusal never. */
  #requireProgress(
    bridge: SimulatedBridge,
    domain: string,
    generation: number | null,
    action: string,
    source: string,
    say: () => string,
  ): void {
    const seen = bridge.seen.get(domain);
    if (seen === undefined || generation === null || generation >= seen.generation) return;
    if (seen.at >= this.#parts.now()) return;
    if (action === "accept" && source === "edge") return;
    this.#parts.violation("nobody goes back", `${say()}, and was told of ${seen.generation} before`);
  }

  #notServed(domain: string, verdict: string, say: () => string): void {
    const { model, window, violation, now, history } = this.#parts;
    if (verdict !== "not-served") return;
    const { generations } = model.history(domain);
    const [first] = generations;
    if (first === undefined || now() - first.since <= window + LONGEST_COMPUTING) return;
    const isPruned = generations.some(
      (it) => it.deletedUntil !== null && it.deletedUntil + history <= Math.min(now(), it.until),
    );
    if (!isPruned) violation("refusals are fresh", `${say()}, and it has been served for longer`);
  }

  #bounded(
    kind: "bridge: refusal" | "bridge: accept" | "bridge: accept under grace",
    age: number,
    bound: number,
    say: () => string,
  ): void {
    this.#parts.tally.window(kind, age);
    if (age > bound) this.#parts.violation(`${kind}: bound`, `${say()}, superseded ${seconds(age)} ago`);
  }
}
