import type { Position } from "../../api/index.ts";
import type { Answer } from "../../directory/index.ts";
import type { Heard } from "../answers/min-generations.ts";
import { EdgeAnswers, isBefore } from "./edge-answers.ts";
import { KeptLists } from "./kept-lists.ts";
import type { ReaderHost } from "./reader-host.ts";
import type { StoredLog } from "./store.ts";

export interface OutageParts {
  /** Milliseconds. */
  readonly acceptGrace: number;
  /** Milliseconds that are certain to have passed since a moment on the replica's clock. */
  silence(since: number): number;
  /** A reader over the same store that knows of no log. */
  readerOfNoLog(host: ReaderHost): ReaderHost;
  /** A fault of the bridge, in work that nobody waits for. */
  failed(error: unknown): void;
}

const asHeard = ({ incarnation, number }: Position): Heard => ({ incarnation, generation: number });

/**
 * Whom a replica accepts without the edge although it has heard of something newer: from the newest list of a domain that
 * is here whole, for a limited time, and nobody of whom the edge has said otherwise.
 */
export class Outage {
  readonly lists: KeptLists;
  readonly answers = new EdgeAnswers();
  readonly #readerOfNoLog: OutageParts["readerOfNoLog"];
  readonly #failed: OutageParts["failed"];
  /** Reads lists of earlier logs, which count for nothing in the present one. Made when it is first needed. */
  #reader: { readonly of: ReaderHost; readonly reader: ReaderHost } | null = null;

  constructor({ acceptGrace, silence, readerOfNoLog, failed }: OutageParts) {
    this.lists = new KeptLists(acceptGrace, silence);
    this.#readerOfNoLog = readerOfNoLog;
    this.#failed = failed;
  }

  /** What an earlier run stored of a partition's log. @param contact the last one with it, on the replica's clock */
  startFrom({ incarnation, heads, behind = [], earlier = [] }: StoredLog, contact: number): void {
    for (const [domain, number] of heads) this.lists.startFrom(domain, { incarnation, number }, contact);
    for (const [domain, log, number, at] of behind)
      this.lists.startFrom(domain, { incarnation: log, number }, at);
    for (const [domain, at] of earlier) this.lists.noteEarlier(domain, at);
  }

  /** What belongs to a partition's log in the store. @param toRegistry the Registry's time at a moment */
  stored(
    host: ReaderHost,
    partition: number,
    toRegistry: (at: number) => number,
  ): Pick<StoredLog, "behind" | "earlier"> {
    const isOf = (domain: string): boolean => host.partitionOf(domain) === partition;
    return {
      behind: this.lists.behind((domain) => host.head(domain), isOf, toRegistry),
      earlier: this.lists.earlier(isOf, toRegistry),
    };
  }

  /**
   * An answer of the log was applied.
   * @param before the log before it, with the domains that it listed and the last contact with it; null if there was none
   * @returns the domains of an earlier log that a new one does not list
   */
  applied(
    host: ReaderHost,
    partition: number,
    before: {
      readonly incarnation: number;
      readonly domains: readonly string[];
      readonly contact: number;
    } | null,
    askedAt: number,
  ): string[] {
    const isNewLog = before !== null && before.incarnation < (host.position(partition)?.incarnation ?? 0);
    for (const domain of before?.domains ?? []) {
      if (isNewLog) this.lists.noteEarlier(domain, before?.contact as number);
      else if (host.head(domain) === null) this.#remove(domain);
    }
    for (const domain of host.domains(partition)) {
      const head = host.head(domain) as Position;
      this.lists.noteNewest(domain, head, askedAt);
    }
    return isNewLog ? (before?.domains ?? []).filter((domain) => host.head(domain) === null) : [];
  }

  /** Another set of partitions begins: what the earlier ones listed is as if their logs were replaced. */
  replaced(host: ReaderHost): void {
    for (let partition = 0; partition < host.settings.partitions; partition++)
      for (const domain of host.domains(partition))
        this.lists.noteEarlier(domain, host.lastContact(partition));
  }

  /** The list of a domain is here. @param at when it was last known to be the newest, on the replica's clock */
  synced(domain: string, head: Position, at: number): void {
    const isOther = this.lists.synced(domain, head, at);
    this.lists.settle(domain);
    if (isOther) this.answers.settle(domain, asHeard(head));
  }

  #remove(domain: string): void {
    this.lists.remove(domain);
    this.answers.remove(domain);
  }

  /** Whether a list of a domain is here, or should be: of the present log, or of an earlier one that may still accept. */
  isHere(host: ReaderHost, domain: string): boolean {
    return host.head(domain) !== null || this.lists.isHeld(domain);
  }

  /** What was heard of a domain: in its log, or from the edge. */
  heard(host: ReaderHost, domain: string): Heard | null {
    const log = host.heard(domain);
    const seen = this.answers.state(domain);
    if (log === null || seen === null) return seen ?? (log === null ? null : asHeard(log));
    return isBefore(asHeard(log), seen) ? seen : asHeard(log);
  }

  /** The edge gave an answer that counts, or one that names its log without a verdict. */
  learn(host: ReaderHost, recipient: string, domain: string, answer: Answer): void {
    const { incarnation, generation, verdict, action } = answer;
    if (incarnation === null) return;
    const state = { incarnation, generation: generation ?? 0 };
    const list = this.lists.head(domain);
    if (!this.hear(host, domain, state)) return;
    if (verdict === "unavailable" || verdict === "throttled") return;
    if (action === "accept") {
      this.answers.include(domain, recipient);
      return;
    }
    this.answers.exclude(domain, recipient, state);
    // Room is first for those whom the list would accept. Who is not known to be none of them keeps it.
    this.#listed(host, recipient, domain)
      .then((listed) => {
        if (listed === null && this.lists.head(domain) === list) this.answers.setAside(domain, recipient);
      })
      .catch(this.#failed);
  }

  /**
   * A state of a domain was heard of, also by another process of this host.
   * @param excludes whether the edge did not accept somebody in it
   * @returns whether it is newer than the list here
   */
  hear(host: ReaderHost, domain: string, state: Heard, excludes = false): boolean {
    const list = this.lists.head(domain);
    if (!this.isHere(host, domain) || (list !== null && !isBefore(asHeard(list), state))) return false;
    this.answers.noteState(domain, state);
    if (excludes) this.answers.excludeAll(domain);
    return true;
  }

  /**
   * The accept that goes on while the edge does not answer, although something newer is known.
   * @returns null if there is none
   */
  async accept(host: ReaderHost, recipient: string, domain: string): Promise<Answer | null> {
    const answer = await this.#listed(host, recipient, domain);
    if (answer === null || this.answers.isExcluded(domain, recipient)) return null;
    const lists = this.#listsOf(host, domain);
    // What the reader holds may be older than what is stored, if that cannot be read.
    const reader = this.#readerOf(host, domain);
    const isReplaced = (each: string): boolean => {
      const list = reader.list(each);
      return list !== null && this.lists.isReplaced(each, list);
    };
    if (lists.some(isReplaced)) return null;
    const goesOn = host.head(domain) === null ? this.lists.isHeld(domain) : this.lists.goesOn(lists);
    return goesOn ? answer : null;
  }

  /** What the newest list that is here whole says of a recipient, if it accepts; whatever its log says since. */
  async #listed(host: ReaderHost, recipient: string, domain: string): Promise<Answer | null> {
    if (!this.lists.isEarlier(domain) && host.head(domain) === null) return null;
    const answer = await this.#readerOf(host, domain).check(recipient, 0);
    return answer.action === "accept" ? answer : null;
  }

  #listsOf(host: ReaderHost, domain: string): string[] {
    const alias =
      host.aliasOf(domain) ?? (this.#reader?.of === host ? this.#reader.reader.aliasOf(domain) : null);
    return alias === null ? [domain] : [domain, alias];
  }

  #readerOf(host: ReaderHost, domain: string): ReaderHost {
    if (!this.lists.isEarlier(domain)) return host;
    if (this.#reader?.of !== host) this.#reader = { of: host, reader: this.#readerOfNoLog(host) };
    const { reader } = this.#reader;
    reader.suppose(domain);
    return reader;
  }
}
