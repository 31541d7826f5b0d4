/** What a replica must do beside telling the truth: answer by itself if it can, and never more than it may. */
import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import type { Answer } from "../../src/directory/index.ts";
import { BRIDGE_BUDGET, LINGERING } from "../../testing/limits.ts";
import {
  type Answerer,
  type Denial,
  isEarlier,
  type JudgedBridge,
  type SeenState,
  type State,
} from "./answerer.ts";
import { BOUNDS } from "./bounds.ts";
import type { JudgeContext } from "./context.ts";
import { evaluate, type Generation } from "./generation.ts";
import { type Named, written } from "./names.ts";
import { pairsOf, seconds, words } from "./pairs.ts";

/** A replica, as far as it can be seen from outside. */
export interface JudgedReplica extends Answerer {
  /** When a fault last met it, or now while one does. */
  readonly hurtAt: number;
  readonly disk: { readonly isBad: boolean };
  /** Of its host: whether it was right since the last contact with a partition, and when it was last set wrong or right. */
  readonly clock: { isSound(partition: number): boolean; readonly changedAt: number };
  /** Milliseconds that it cannot know to have passed. */
  readonly unnoticed: number;
  /** Generations of the complete lists that it has, by domain. */
  readonly held: ReadonlyMap<string, number>;
  covers(domain: string): boolean;
  /** Whether the last poll of a partition failed. */
  isFailing(partition: number): boolean;
}

/** A bridge with a replica. */
export interface JudgedHost extends JudgedBridge {
  /** When it last asked the edge, and when that last failed. */
  readonly edgeAskedAt: number;
  readonly edgeFailedAt: number;
  /** Requests under way: more wait for them. */
  readonly edgeRequests: number;
}

/** When a question was first asked that got this answer, and what the replica could say then: it is not asked again. */
export interface Asked {
  readonly askedAt: number;
  /** As the replica's own, but empty while its disk or its clock was not in order. */
  readonly held: ReadonlyMap<string, number>;
  /** Its last contact with the Registry of the domain. */
  readonly contact: number;
}

/** For how long an accept goes on once something newer of its domain is known. */
const DAY = 86_400_000;
/** For so long the bridge asks nothing after failures, at most. */
const BREAKER = 60_000;

export interface ReplicaJudgeParts extends JudgeContext {
  partitionOf(domain: string): number;
}

export class ReplicaJudge {
  readonly #parts: ReplicaJudgeParts;

  constructor(parts: ReplicaJudgeParts) {
    this.#parts = parts;
  }

  judge(
    bridge: JudgedHost,
    replica: JudgedReplica,
    named: Named,
    { answer, source }: Resolution,
    asked: Asked,
  ): void {
    const { violation, now, partitionOf } = this.#parts;
    const say = (): string => `${bridge.name} says ${words(answer)} of ${named.domain}, from its ${source}`;
    if (source === "replica") {
      if (answer.verdict === "not-served") violation("only the edge says not-served", say());
      const isAway = replica.isFailing(partitionOf(named.domain)) || now() - bridge.edgeFailedAt < BREAKER;
      if (
        answer.confirmed_age === null &&
        !isAway &&
        bridge.edgeRequests === 0 &&
        bridge.edgeAskedAt < asked.askedAt
      )
        violation("accepts follow what is known", `${say()}, without asking the edge`);
      // Its own log may have confirmed it lately, and the edge shown something newer.
      if (
        answer.action === "accept" &&
        (answer.confirmed_age === null || hadSeenNewer(bridge, named, answer, asked))
      )
        this.#requireLeave(bridge, replica, named, answer, asked, say);
      else if (hadSeenNewer(bridge, named, answer, asked))
        violation(
          "nobody goes back",
          `${say()}, and had seen ${bridge.seen.get(named.domain)?.generation} before`,
        );
      return;
    }
    const isNoVerdict = answer.verdict === "unavailable" || answer.verdict === "throttled";
    if (source === "none" || (source === "edge" && isNoVerdict))
      this.#requireAccept(bridge, replica, asked, named, say);
    if (source === "edge") this.#requireOwnAnswer(bridge, replica, named, say);
    if (source === "edge" && answer.verdict === "not-served" && answer.generation === null)
      this.#requireEnd(replica, asked, named, say);
  }

  /**
   * An accept may go on although something newer is known: if the edge was asked first and has not said otherwise, and for
   * a day, or for accept-grace if no log lists the domain any more.
   */
  #requireLeave(
    bridge: JudgedHost,
    replica: JudgedReplica,
    named: Named,
    answer: Answer,
    asked: Asked,
    say: () => string,
  ): void {
    const { now, violation, model } = this.#parts;
    const { domain } = named;
    const state = { incarnation: answer.incarnation ?? 0, generation: answer.generation ?? 0 };
    const isBefore = (it: State | undefined): boolean => it !== undefined && isEarlier(state, it);
    const denied = bridge.denied.get(written(named));
    if (denied !== undefined && isBefore(denied) && this.#isKnown(denied, bridge.seen.get(domain)))
      violation("nobody goes back", `${say()}, and the edge has said otherwise since`);
    const { acceptGrace } = replica.settings;
    const lost = model.history(domain).lostFor(now());
    if (lost > acceptGrace + BRIDGE_BUDGET + replica.unnoticed)
      violation("accepts end with accept-grace", `${say()}, whose log was lost ${seconds(lost)} ago`);
    const [seen, heard] = [bridge.seen.get(domain), bridge.heard.get(domain)];
    const known = [seen, heard].filter((it) => it !== undefined && it.at < asked.askedAt);
    if (!known.some(isBefore)) return;
    if (
      bridge.edgeRequests === 0 &&
      bridge.edgeAskedAt < asked.askedAt &&
      now() - bridge.edgeFailedAt >= BREAKER
    )
      violation("accepts follow what is known", `${say()}, an older state, without asking the edge`);
    const pairs = pairsOf(model, domain, state.generation);
    // The loss of a log is no newer state of the domain.
    const age = Math.min(
      ...pairs.map(({ own, list }) =>
        Math.max(...[own, list].map((it) => model.history(it.domain).succeededFor(it, now()))),
      ),
    );
    if (age > Math.min(acceptGrace, DAY) + BRIDGE_BUDGET + replica.unnoticed)
      violation("accepts end with accept-grace", `${say()}, superseded ${seconds(age)} ago`);
  }

  /** Whether a denial counts: what arrives at one moment may be taken in any order, and this one not yet or as too old. */
  #isKnown(denied: Denial, seen: SeenState | undefined): boolean {
    if (denied.at >= this.#parts.now()) return false;
    return seen === undefined || seen.at !== denied.at || !isEarlier(denied, seen);
  }

  /** A log that does not list a domain ends nothing: its list is here, and accept-grace is longer than any silence of a world. */
  #requireEnd(replica: JudgedReplica, asked: Asked, { domain }: Named, say: () => string): void {
    const { now, model, violation, partitionOf } = this.#parts;
    const held = this.#heldBy(replica, asked.held, domain);
    if (held === null || replica.disk.isBad || !replica.clock.isSound(partitionOf(domain))) return;
    const history = model.history(domain);
    if (history.head !== undefined || held.log === history.log || held.deletedUntil !== null) return;
    if (mayHaveEnded(replica, history.lostFor(now()))) return;
    violation(
      "accepts go on",
      `${say()}, and its replica has generation ${held.number} of a log that was lost`,
    );
  }

  /** The whole list is accepted while the edge is away. */
  #requireAccept(
    bridge: JudgedBridge,
    replica: JudgedReplica,
    asked: Asked,
    named: Named,
    say: () => string,
  ): void {
    const { domain, name } = named;
    const { now, model, violation, partitionOf } = this.#parts;
    const held = this.#heldBy(replica, asked.held, domain);
    if (held === null || replica.disk.isBad || !replica.clock.isSound(partitionOf(domain))) return;
    // Whom the edge has not accepted in a newer state; after a start nobody knows any more who that was.
    if (bridge.denied.has(written(named)) || bridge.deniedBefore.has(domain)) return;
    const history = model.history(domain);
    const { head, log } = history;
    if (history.lostFor(now()) > 0 && mayHaveEnded(replica, history.lostFor(now()))) return;
    if (!this.#isPlain(domain, held)) return;
    // A newer list may have come while the edge was asked.
    const present = this.#heldBy(replica, replica.held, domain);
    if ([held, present].some((it) => it === null || evaluate(it, name, now()).verdict !== "deliverable"))
      return;
    // It was confirmed when it was fetched.
    const isNewest = head === held && log === held.log;
    if (!isNewest && now() - held.since >= Math.min(replica.settings.acceptGrace, DAY) - BRIDGE_BUDGET)
      return;
    // When its list was last known to be the newest it takes from its own clock.
    if (!isNewest && replica.clock.changedAt > held.since) return;
    const silence = now() - asked.contact;
    if (silence >= replica.settings.acceptGrace - BRIDGE_BUDGET) return;
    violation("accepts go on", `${say()}, and its replica has generation ${held.number}`);
  }

  /** The list of a domain that a replica had when it was asked, and has one still; null if that is not sure. */
  #heldBy(replica: JudgedReplica, then: Asked["held"], domain: string): Generation | null {
    const number = then.get(domain);
    if (number === undefined || !replica.held.has(domain) || !replica.covers(domain)) return null;
    const named = this.#parts.model.history(domain).named(number);
    return named.length === 1 ? (named[0] as Generation) : null;
  }

  /** Whether a domain has been no alias, and not deleted, since a generation. */
  #isPlain(domain: string, held: Generation): boolean {
    const { generations } = this.#parts.model.history(domain);
    return generations
      .slice(generations.indexOf(held))
      .every((it) => it.deletedUntil === null && it.policy.alias === null);
  }

  /** If nothing is wrong, a check sends no request. */
  #requireOwnAnswer(
    bridge: JudgedBridge,
    replica: JudgedReplica,
    { domain }: Named,
    say: () => string,
  ): void {
    const { now, model, violation } = this.#parts;
    const heads = model.headsBehind(domain);
    const since = now() - Math.max(replica.hurtAt, ...heads.map((it) => it.since));
    const { head } = model.history(domain);
    const settled = Math.max(LINGERING, replica.settings.window / 2 + BOUNDS.catchingUp);
    if (head === undefined || since <= settled || !this.#isCovered(replica, domain)) return;
    // A tombstone that is over is the edge's to tell.
    if (head.deletedUntil !== null && now() >= head.deletedUntil - BRIDGE_BUDGET) return;
    const seen = bridge.seen.get(domain);
    if (seen !== undefined && seen.generation > Math.max(...heads.map(({ number }) => number))) return;
    violation("a replica answers by itself", `${say()}, and nothing was wrong for ${seconds(since)}`);
  }

  #isCovered(replica: JudgedReplica, domain: string): boolean {
    const alias = this.#parts.model.history(domain).head?.policy.alias ?? null;
    return replica.covers(domain) && (alias === null || replica.covers(alias));
  }
}

/** Whether accepts of a log that was lost may be over: nobody knows how long before that the replica heard of it. */
const mayHaveEnded = ({ settings }: JudgedReplica, lost: number): boolean =>
  settings.acceptGrace < 7 * DAY || lost >= 3 * DAY;

/** Law 3: whether the edge had said something newer before the question was asked. */
function hadSeenNewer(
  bridge: JudgedBridge,
  { domain }: Named,
  { incarnation, generation }: Answer,
  { askedAt }: Asked,
): boolean {
  const seen = bridge.seen.get(domain);
  if (seen === undefined || seen.at >= askedAt || generation === null || incarnation === null) return false;
  return isEarlier({ incarnation, generation }, seen);
}
