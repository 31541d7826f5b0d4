/** Holds one answer of an isolate, taken for given at one moment, against the model. */

import { needsFreshness } from "../../src/directory/index.ts";
import { LONGEST_COMPUTING, SKEW } from "../../testing/limits.ts";
import type { WindowKind } from "../basics/windows.ts";
import type { Exchange, Moment } from "./answerer.ts";
import { BOUNDS } from "./bounds.ts";
import type { ModelDirectory } from "./directory.ts";
import type { Generation } from "./generation.ts";
import type { Checked } from "./liveness-judge.ts";
import type { Named } from "./names.ts";
import { ageOf, agrees, type Pair, pairsOf, saidBy, seconds, supersededFor, words } from "./pairs.ts";

export interface TrialParts {
  readonly model: ModelDirectory;
  partitionOf(domain: string): number;
  /** Since when KV has had something newer than a generation; infinity if it has not. */
  newerInKvSince(generation: Generation): number;
}

/** Who was asked about whom, and what was said. */
export interface Testimony extends Named, Checked {}

export interface Complaint {
  readonly assertion: string;
  readonly words: string;
}

export class Trial {
  readonly #parts: TrialParts;
  readonly #it: Testimony;
  readonly #at: Moment;
  readonly #exchange: Exchange | undefined;
  readonly complaints: Complaint[] = [];
  /** Ages that were seen, each with the bound that it had to keep, milliseconds. */
  readonly ages: [kind: WindowKind, age: number, bound: number | null][] = [];
  /** Place in the log of what it was answered from, if answers compare. */
  place: number | null = null;

  constructor(parts: TrialParts, testimony: Testimony, at: Moment) {
    this.#parts = parts;
    this.#it = testimony;
    this.#at = at;
    this.#exchange = at.exchanges.get(parts.partitionOf(testimony.domain));
    this.#judge();
  }

  #judge(): void {
    const { answer, floor } = this.#it;
    if (answer.verdict === "unavailable" || answer.verdict === "throttled") return;
    const mayRefuse = needsFreshness(answer.verdict, answer.mode);
    if (mayRefuse) this.#requireQuestion();
    this.#requirePublished();
    if (answer.generation === null) {
      this.#notServed();
      return;
    }
    if (answer.generation < floor) this.#complain("floor", `, and was asked for ${floor} or newer`);
    const agreeing = this.#agreeing(answer.generation);
    if (agreeing.length === 0) return;
    this.#requireProgress(agreeing);
    if (mayRefuse || answer.confirmed_age !== null) this.#requireNewest(agreeing);
    if (mayRefuse) this.#refusal(agreeing);
    else if (answer.action === "accept") this.#accept(agreeing);
  }

  #say(): string {
    return `${this.#it.host.name} says ${words(this.#it.answer)}`;
  }

  #complain(assertion: string, why: string): void {
    this.complaints.push({ assertion, words: `${this.#say()}${why}` });
  }

  /** States that say, word for word, what was said. */
  #agreeing(number: number): Pair[] {
    const { answer, name, domain } = this.#it;
    const { clock } = this.#at;
    const pairs = pairsOf(this.#parts.model, domain, number);
    const agreeing = pairs.filter((pair) => agrees(answer, pair, name, clock));
    if (agreeing.length > 0) return agreeing;
    const pair = pairs.at(-1);
    const said = pair === undefined ? null : saidBy(pair, name, clock);
    const meant = said === null ? "no such generation was ever made" : JSON.stringify(said);
    const assertion = said?.verdict === "departed" ? "grace of law 4" : "an answer is whole";
    this.#complain(assertion, `; the model: ${meant}`);
    return [];
  }

  /** Law 2, seen from outside: no refusal without a question sent within the window, and answered. */
  #requireQuestion(): void {
    const age = this.#at.time - (this.#exchange?.sentAt ?? Number.NEGATIVE_INFINITY);
    if (age <= this.#it.host.settings.window + LONGEST_COMPUTING) return;
    this.#complain("refusals are fresh", `; its last answered question was sent ${seconds(age)} ago`);
  }

  /** An isolate does not show an older state to the client that published through it. */
  #requirePublished(): void {
    const { host, domain, answer } = this.#it;
    const published = host.published.get(domain);
    if (published === undefined || published.at > this.#at.time || answer.action !== "reject") return;
    if ((answer.generation ?? 0) >= published.number) return;
    if (answer.verdict === "not-served" && answer.generation === null) return;
    this.#complain("a publisher sees its change", `, and took ${published.number} itself`);
  }

  /** Law 3: what an isolate has answered from never goes back. */
  #requireProgress(pairs: readonly Pair[]): void {
    const { answer, domain } = this.#it;
    // The numbers of an alias stand for two lists: only confirmed ones compare.
    if (answer.confirmed_age === null && this.#parts.model.history(domain).targets.size > 0) return;
    const logs = pairs.map(({ own, list }) => Math.max(own.log, list.log));
    const placeIn = (log: number): number => log * LOG + (answer.generation as number);
    const last = this.#at.answered.get(domain) ?? 0;
    // If it may be of either of two logs, nothing is held against it, and no more than the older one is sure.
    if (placeIn(Math.max(...logs)) < last)
      this.#complain("nobody goes back", `, and answered from ${last % LOG} before`);
    this.place = placeIn(Math.min(...logs));
  }

  /** An isolate that knows of a newer state confirms none that ended before its question. */
  #requireNewest(pairs: readonly Pair[]): void {
    if (this.#exchange === undefined || this.#exchange.arrivedAt >= this.#at.time) return;
    const end = Math.max(...pairs.map(({ own, list }) => Math.min(own.until, list.until)));
    if (end >= this.#exchange.sentAt) return;
    const ago = seconds(this.#at.time - this.#exchange.arrivedAt);
    this.#complain("nobody goes back", `; it was told ${ago} ago of what came after`);
  }

  #refusal(pairs: readonly Pair[]): void {
    const ages = pairs.map((pair) => ageOf(pair, this.#at.time)).filter((age) => age !== null);
    const age = Math.min(...ages, Number.POSITIVE_INFINITY);
    const bound = this.#it.host.settings.window + LONGEST_COMPUTING;
    if (age <= bound) {
      this.ages.push(["refusal", age, bound]);
      return;
    }
    const since = ages.length === 0 ? "a state that never was" : `what has not been so for ${seconds(age)}`;
    this.#complain("refusals are fresh", `, from ${since}`);
  }

  #accept(pairs: readonly Pair[]): void {
    const { host, domain, answer } = this.#it;
    const { time } = this.#at;
    const { window, acceptGrace } = host.settings;
    const pair = pairs.reduce((a, b) => (supersededFor(a, time) <= supersededFor(b, time) ? a : b));
    const age = supersededFor(pair, time);
    if (answer.confirmed_age !== null) {
      this.#bounded("accept, confirmed", age, window + LONGEST_COMPUTING);
      return;
    }
    const partition = this.#parts.partitionOf(domain);
    // The Registry lived when it made the list, whatever else was heard of it.
    const signs = pairs.map(({ own, list }) => Math.max(own.since, list.since));
    const heard = this.#at.evidence.get(partition) ?? Number.NEGATIVE_INFINITY;
    const silence = time - Math.max(heard, ...signs) - (this.#at.unnoticed ?? 0);
    const isSettled = time - (host.firstAsked.get(partition) ?? time) > BOUNDS.firstRefresh;
    if (isSettled && silence > acceptGrace + LONGEST_COMPUTING + SKEW)
      this.#complain("accepts end with accept-grace", `; no sign of the Registry for ${seconds(silence)}`);
    const { contact_age: contact } = answer;
    if (contact !== null && 1000 * contact < silence - LONGEST_COMPUTING - SKEW)
      this.#complain(
        "accepts end with accept-grace",
        `; its last contact is ${seconds(silence)} old, not ${contact} s`,
      );
    if (age === 0) return;
    if (this.#isHurt) {
      this.ages.push(["accept, Registry away", age, null]);
      return;
    }
    this.#requireCatchingUp(pair);
    const ageInKv =
      time - Math.max(this.#newerSince(pair.own), pair.list === pair.own ? -1 : this.#newerSince(pair.list));
    if (ageInKv > 0) this.#bounded("accept, unconfirmed, after the copy to KV", ageInKv, BOUNDS.kv(window));
  }

  #requireCatchingUp({ own, list }: Pair): void {
    if (this.#exchange === undefined || this.#exchange.sentAt <= Math.min(own.until, list.until)) return;
    const { time } = this.#at;
    const histories = [own, list].map((it) => this.#parts.model.history(it.domain));
    // No log lists it any more: its last list accepts for accept-grace.
    if (this.#it.host.kind === "replica" && histories.some((it) => it.lostFor(time) > 0)) return;
    // Only KV has the newer list, and shows it later.
    if (histories.some((it) => it.isDamageFelt(time))) return;
    const known = time - this.#exchange.arrivedAt;
    if (known <= BOUNDS.catchingUp) return;
    this.#complain("accepts follow what is known", `; it knew of a newer one ${seconds(known)} ago`);
  }

  #newerSince(generation: Generation): number {
    return generation.until === Number.POSITIVE_INFINITY ? -1 : this.#parts.newerInKvSince(generation);
  }

  #bounded(kind: WindowKind, age: number, bound: number): void {
    this.ages.push([kind, age, bound]);
    if (age > bound) this.#complain(`${kind}: bound`, `, superseded ${seconds(age)} ago`);
  }

  /** Not served: the Registry had no list of it at some moment within the window. */
  #notServed(): void {
    const { domain, answer, host } = this.#it;
    const { time } = this.#at;
    if (answer.verdict !== "not-served") {
      if (answer.verdict !== "malformed" && answer.matched !== "postmaster")
        this.#complain("an answer is whole", "");
      return;
    }
    const history = this.#parts.model.history(domain);
    const bound = host.settings.window + LONGEST_COMPUTING;
    if (history.mayBeForgotten(time, host.settings.history, bound)) return;
    const age = history.servedFor(time);
    if (age > bound) this.#complain("refusals are fresh", `, and it has been served for ${seconds(age)}`);
    else this.ages.push(["not-served", age, bound]);
  }

  /** Whether a fault met the isolate of which something may linger. */
  get #isHurt(): boolean {
    return this.#at.time - this.#at.hurtAt < BOUNDS.recovery;
  }
}

/** More than any number of one log. */
const LOG = 1e12;
