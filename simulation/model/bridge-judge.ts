/** Holds what bridges say against the model: law 2 and law 3 at the end of the way. */
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import type { Answer } from "../../src/directory/index.ts";
import { BRIDGE_BUDGET, LONGEST_COMPUTING, NONSENSE, SKEW } from "../../testing/limits.ts";
import type { WindowKind } from "../basics/windows.ts";
import type { JudgedBridge, Sign, State } from "./answerer.ts";
import type { JudgeContext } from "./context.ts";
import { type Named, written } from "./names.ts";
import { ageOf, agrees, pairsOf, seconds, supersededFor, words } from "./pairs.ts";

/** For how long an accept goes on once something newer of its domain was seen. */
const DAY = 86_400_000;

export interface BridgeJudgeParts extends JudgeContext {
  /** How long tombstones are kept. */
  readonly history: number;
}

/** What one bridge said about somebody. */
interface Said extends Named {
  readonly bridge: JudgedBridge;
  readonly resolution: Resolution;
  /** Window of the isolate whose answer it uses. */
  readonly window: number;
  say(): string;
}

export class BridgeJudge {
  readonly #parts: BridgeJudgeParts;

  constructor(parts: BridgeJudgeParts) {
    this.#parts = parts;
  }

  /** @param askedAt when the MTA asked */
  judge(bridge: JudgedBridge, named: Named, resolution: Resolution, askedAt: number): void {
    const { tally, now, violation } = this.#parts;
    const { answer, source } = resolution;
    const say = (): string => `${bridge.name} says ${words(answer)}, from its ${source}`;
    const text = written(named);
    const window = bridge.windows.get(text)?.[source === "edge" ? "last" : "kept"] ?? 0;
    const said = { ...named, bridge, resolution, say, window };
    tally.overBridge++;
    tally.event(`bridge answers from ${source}: ${answer.action}`);
    if (now() - askedAt > BRIDGE_BUDGET + 10)
      violation("a bridge answers in time", `${say()} after ${seconds(now() - askedAt)}`);
    if (isNoAnswer(resolution)) this.#requireMemory(said, text, askedAt);
    if (answer.action === "defer") return;
    if (answer.reply.includes(NONSENSE)) violation("no verdict is no refusal", say());
    // What a replica says is judged as what an isolate says.
    if (source === "local" || source === "replica") return;
    if (answer.action === "reject" && (source === "grace" || source === "none"))
      violation("refusals are fresh", say());
    if (source === "grace") this.#requireVoucher(said, text);
    if (answer.action === "reject") this.#requireHeard(said);
    if (answer.generation === null) this.#notServed(said);
    else {
      this.#requireProgress(said);
      this.#listed(said, answer.generation);
    }
  }

  /** An accept goes on for accept-grace, or for a day if something newer of its domain was seen. */
  #requireVoucher({ bridge, domain, resolution: { answer }, say }: Said, text: string): void {
    const sign = bridge.vouched.get(text);
    // What the same response says of others may be used before or after it.
    const isOld = isSuperseded(bridge, domain, answer, sign, this.#parts.now());
    const { since, bound } = holdOf(bridge, sign, isOld);
    const silence = this.#parts.now() - since;
    if (silence <= bound + BRIDGE_BUDGET) return;
    this.#parts.violation("accepts end with accept-grace", `${say()}, vouched for ${seconds(silence)} ago`);
  }

  /** Whom the edge accepted, and what it rested on was younger than the grace, is accepted while it is away. */
  #requireMemory({ bridge, domain, say }: Said, text: string, askedAt: number): void {
    const sign = bridge.vouched.get(text);
    if (sign === undefined || !bridge.hasRoom || sign.notedAt >= askedAt) return;
    const { targets } = this.#parts.model.history(domain);
    const isOld =
      isSuperseded(bridge, domain, sign, sign) ||
      // The number of an alias is the later one of two: its replica may have heard of the other list.
      [...targets].some((target) => isHeardLater(bridge.heard.get(target), sign));
    const { since, bound } = holdOf(bridge, sign, isOld);
    const silence = this.#parts.now() - since;
    if (silence >= bound) return;
    this.#parts.violation(
      "accepts go on",
      `${say()}, and its accept rests on a sign ${seconds(silence)} ago`,
    );
  }

  /** Law 3: an older accept may be passed on once, from the edge, and goes on without it; an older refusal never. */
  #requireProgress({ bridge, domain, resolution: { answer, source }, say }: Said): void {
    const seen = bridge.seen.get(domain);
    if (seen === undefined || seen.at >= this.#parts.now()) return;
    const log = answer.incarnation ?? seen.incarnation;
    if (
      log > seen.incarnation ||
      (log === seen.incarnation && (answer.generation as number) >= seen.generation)
    )
      return;
    if (answer.action === "accept" && (source === "edge" || source === "grace")) return;
    this.#parts.violation("nobody goes back", `${say()}, and had seen ${seen.generation} before`);
  }

  /** What a host has heard of the log, it knows also after a restart: nothing older refuses. */
  #requireHeard({ bridge, domain, resolution: { answer }, say }: Said): void {
    const heard = bridge.heard.get(domain);
    if (heard === undefined || heard.at >= this.#parts.now() || answer.incarnation === null) return;
    const { incarnation, generation } = answer;
    if (incarnation > heard.incarnation) return;
    if (incarnation === heard.incarnation && (generation ?? 0) >= heard.generation) return;
    this.#parts.violation("nobody goes back", `${say()}, and its replica knew ${heard.generation} before`);
  }

  #listed(said: Said, generation: number): void {
    const { domain, name, resolution, bridge, window, say } = said;
    const { answer, source } = resolution;
    const time = this.#parts.now();
    const pairs = pairsOf(this.#parts.model, domain, generation);
    const agreeing = pairs.filter((pair) => this.#moments(said).some((at) => agrees(answer, pair, name, at)));
    if (agreeing.length === 0) {
      if (source !== "grace") this.#parts.violation("an answer is whole", say());
      return;
    }
    const ageOfOne = answer.action === "reject" ? ageOf : supersededFor;
    const ages = agreeing.map((pair) => ageOfOne(pair, time));
    const age = Math.min(...ages.map((it) => it ?? Number.POSITIVE_INFINITY));
    if (answer.action === "reject") this.#bounded("bridge: refusal", age, window + LONGEST_COMPUTING, say);
    else if (source === "grace" && answer.confirmed_age === null)
      // Its own age was judged where it was given.
      this.#parts.tally.window("bridge: accept under grace, unconfirmed", age);
    else if (source === "grace")
      this.#bounded(
        "bridge: accept under grace",
        age,
        graceOf(bridge, isSuperseded(bridge, domain, answer, bridge.vouched.get(written(said)))) +
          BRIDGE_BUDGET,
        say,
      );
    else if (source === "cache" || answer.max_age > 0)
      this.#bounded("bridge: accept", age, window + BRIDGE_BUDGET + LONGEST_COMPUTING, say);
  }

  /** The isolate decided at some moment of the last window, by its own clock; an accept under grace, earlier. */
  #moments({ window, bridge, resolution }: Said): number[] {
    const time = this.#parts.now();
    const moments = [time, time - window - BRIDGE_BUDGET, time + SKEW];
    return resolution.source === "grace" ? [...moments, time - bridge.acceptGrace - BRIDGE_BUDGET] : moments;
  }

  #notServed({ domain, resolution, window, say }: Said): void {
    if (resolution.answer.verdict !== "not-served") return;
    const { model, violation, now, history } = this.#parts;
    const its = model.history(domain);
    const bound = window + LONGEST_COMPUTING;
    if (its.servedFor(now()) <= bound || its.mayBeForgotten(now(), history, bound)) return;
    violation("refusals are fresh", `${say()}, and it has been served for longer`);
  }

  #bounded(kind: WindowKind, age: number, bound: number, say: () => string): void {
    this.#parts.tally.window(kind, age, bound);
    if (age > bound) this.#parts.violation(`${kind}: bound`, `${say()}, superseded ${seconds(age)} ago`);
  }
}

/**
 * Whether a bridge knows of something newer of a domain, from answers or from its replica.
 *
 * @param before what it heard of at this time or later does not count
 */
function isSuperseded(
  bridge: JudgedBridge,
  domain: string,
  { incarnation, generation }: Pick<Answer, "incarnation" | "generation">,
  sign: Sign | undefined,
  before = Number.POSITIVE_INFINITY,
): boolean {
  const seen = heardBefore(bridge.seen.get(domain), before);
  const heard = heardBefore(bridge.heard.get(domain), before);
  if (seen !== undefined && seen.goneAt > (sign?.notedAt ?? 0) && seen.goneAt < before) return true;
  return [seen, heard].some((it) => isHeardLater(it, { incarnation, generation }));
}

const isHeardLater = (
  heard: State | undefined,
  { incarnation, generation }: Pick<Answer, "incarnation" | "generation">,
): boolean =>
  heard !== undefined &&
  ((incarnation !== null && incarnation < heard.incarnation) ||
    (incarnation === heard.incarnation && (generation ?? 0) < heard.generation));

const heardBefore = <State extends { readonly at: number }>(
  state: State | undefined,
  time: number,
): State | undefined => (state !== undefined && state.at < time ? state : undefined);

const graceOf = ({ acceptGrace }: JudgedBridge, isOld: boolean): number =>
  isOld ? Math.min(acceptGrace, DAY) : acceptGrace;

/** From when an accept holds without the edge, and for how long. */
function holdOf(
  bridge: JudgedBridge,
  sign: Sign | undefined,
  isOld: boolean,
): { readonly since: number; readonly bound: number } {
  const since = isOld ? sign?.confirmedAt : sign?.at;
  return { since: since ?? Number.NEGATIVE_INFINITY, bound: graceOf(bridge, isOld) };
}

/** Whether there was no answer, or none that says anything; one that is older than what was seen does. */
const isNoAnswer = ({ answer, source, reason }: Resolution): boolean =>
  source === "none" ||
  (source === "edge" &&
    reason === undefined &&
    (answer.verdict === "unavailable" || answer.verdict === "throttled"));
