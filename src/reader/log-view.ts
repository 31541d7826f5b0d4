import { listsNothing, type Position, type QuestionAnswer } from "../api/index.ts";
import type { Roster } from "../directory/index.ts";

/**
 * What is known of one partition's log, and since when: the state behind law 2. docs/architecture.md says for each
 * rule which wrong answer it prevents.
 */
export class LogView {
  readonly partition: number;
  readonly #window: number;
  #incarnation = 0;
  /** The number up to which `#heads` is complete; null before anything is known. */
  #asOf: number | null = null;
  /** When the newest answer was asked for: the window starts before the question. */
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Number of the newest change that passed through here: older answers do not include it. */
  #minNumber = 0;
  /** Survives what invalidates a confirmation. */
  #lastContact = Number.NEGATIVE_INFINITY;
  #applied = 0;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #heads = new Map<string, number>();
  #revoked = new Set<string>();

  /** @param window milliseconds for which an answer confirms */
  constructor(partition: number, window: number) {
    this.partition = partition;
    this.#window = window;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Whether every served domain of the partition is known. */
  get isComplete(): boolean {
    return this.#asOf !== null;
  }

  /** The newest number that is known, 0 before anything is. */
  get asOf(): number {
    return this.#asOf ?? 0;
  }

  /** What the next question asks from. */
  get position(): Position | null {
    return this.#asOf === null ? null : { incarnation: this.#incarnation, number: this.#asOf };
  }

  /** Unix milliseconds of the question behind the newest answer. */
  get askedAt(): number {
    return this.#askedAt;
  }

  /** Number of answers that were applied: it shows whether another one arrived. */
  get applied(): number {
    return this.#applied;
  }

  /** Last contact with the Registry, directly or through its roster; Unix milliseconds. */
  get lastContact(): number {
    return this.#lastContact;
  }

  /** When the Registry was last asked, successfully or not; Unix milliseconds. */
  get refreshedAt(): number {
    return this.#refreshedAt;
  }

  noteRefresh(now: number): void {
    this.#refreshedAt = now;
  }

  /** Number of a domain's head, undefined where none is known. */
  head(domain: string): number | undefined {
    return this.#heads.get(domain);
  }

  isRevoked(tokenId: string): boolean {
    return this.#revoked.has(tokenId);
  }

  /**
   * Whether the newest answer was asked for less than a window ago; if so, the view is complete. A clock that went back
   * confirms nothing.
   */
  isFresh(now: number): boolean {
    return now >= this.#askedAt && now < this.#askedAt + this.#window;
  }

  /** Whether half of the window has passed. */
  isDue(now: number): boolean {
    return now < this.#askedAt || now >= this.#askedAt + this.#window / 2;
  }

  /** Milliseconds of the window that are left. */
  remaining(now: number): number {
    return this.isFresh(now) ? this.#askedAt + this.#window - now : 0;
  }

  /** Uses KV's roster as a starting point, unless more is known already, and as contact. */
  startFrom(roster: Roster): void {
    if (roster.incarnation === this.#incarnation) this.#noteContact(roster.heartbeat);
    if (this.#asOf !== null || roster.incarnation < this.#incarnation || roster.asOf < this.#minNumber)
      return;
    if (roster.incarnation > this.#incarnation) this.#startLog(roster.incarnation);
    this.#asOf = roster.asOf;
    this.#noteContact(roster.heartbeat);
    this.#learn(Object.entries(roster.heads), roster.revoked);
  }

  /**
   * Applies an answer. Heads merge by maximum, so late, lost and repeated answers do no harm.
   * @param askedAt when the question was sent, Unix milliseconds
   * @param since what the question asked from
   */
  apply(answer: QuestionAnswer, askedAt: number, since: Position | null): void {
    if (answer.incarnation < this.#incarnation) return;
    if (listsNothing(since, answer)) {
      // It omits the changes since a roster that was read meanwhile, so it confirms nothing. It counts as contact.
      if (answer.asOf >= this.#minNumber) this.#noteContact(askedAt);
      return;
    }
    if (answer.incarnation > this.#incarnation) {
      if (!answer.full) return;
      this.#startLog(answer.incarnation);
    }
    // Numbers only grow and revocations are final, so even a late answer tells something.
    this.#learn(answer.heads, answer.revoked);
    // But one that is older than what is known confirms nothing.
    if (answer.asOf < Math.max(this.asOf, this.#minNumber)) return;
    if (this.#asOf === null && !answer.full) return;
    if (answer.full) this.#dropUnlisted(answer);
    // The Registry has pruned the domain's tombstone.
    const { wanted } = answer;
    if (wanted !== null && wanted.manifest === null) this.#heads.delete(wanted.domain);
    this.#asOf = answer.asOf;
    this.#askedAt = Math.max(this.#askedAt, askedAt);
    this.#noteContact(askedAt);
    this.#applied++;
  }

  /**
   * A change passed through here: nothing is confirmed until the Registry has been asked again, and no answer older
   * than the change counts.
   * @param heads number of the head of each domain in the change; older than the change where it changed nothing
   */
  noteChange(
    position: Position,
    heads: Readonly<Record<string, number>>,
    revoked: readonly string[] = [],
  ): void {
    this.#askedAt = Number.NEGATIVE_INFINITY;
    if (position.incarnation < this.#incarnation) return;
    if (position.incarnation > this.#incarnation) this.#startLog(position.incarnation);
    this.#minNumber = Math.max(this.#minNumber, position.number);
    this.#learn(Object.entries(heads), revoked);
  }

  /** Another log: its numbers have nothing to do with what was known. */
  #startLog(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#asOf = null;
    this.#askedAt = Number.NEGATIVE_INFINITY;
    this.#minNumber = 0;
    this.#heads = new Map();
    this.#revoked = new Set();
  }

  #learn(heads: Iterable<readonly [domain: string, number: number]>, revoked: readonly string[]): void {
    for (const [domain, number] of heads) {
      this.#heads.set(domain, Math.max(number, this.#heads.get(domain) ?? 0));
    }
    for (const id of revoked) this.#revoked.add(id);
  }

  #noteContact(time: number): void {
    this.#lastContact = Math.max(this.#lastContact, time);
  }

  /** A full answer omits domains whose tombstone was pruned. It says nothing of later changes. */
  #dropUnlisted({ heads, asOf }: QuestionAnswer): void {
    const listed = new Set(heads.map(([domain]) => domain));
    for (const [domain, number] of this.#heads)
      if (number <= asOf && !listed.has(domain)) this.#heads.delete(domain);
  }
}
