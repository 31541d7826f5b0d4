import { listsNothing, type Position, type QuestionAnswer } from "../api/log.ts";
import type { Roster } from "../directory/index.ts";

/**
 * What one isolate knows of one Registry, and since when: the state behind law 2. Each rule here has a
 * wrong answer that it prevents, told in docs/architecture.md.
 */
export class Confirmation {
  readonly #window: number;
  #incarnation = 0;
  /** The number up to which `known` is complete, or null where nothing was learnt yet. */
  #number: number | null = null;
  /** When the newest answer was asked for: the window counts from before the question. */
  #at = Number.NEGATIVE_INFINITY;
  /** Number of the newest change that went through this isolate: older answers do not know of it. */
  #floor = 0;
  #full = false;
  /** Newest sign of life of the Registry. What puts confirmations out of force does not undo it. */
  #heard = Number.NEGATIVE_INFINITY;
  #folds = 0;
  #known = new Map<string, number>();
  #revoked = new Set<string>();

  /** @param window milliseconds for which an answer confirms */
  constructor(window: number) {
    this.#window = window;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Unix milliseconds of the question behind the newest answer. */
  get at(): number {
    return this.#at;
  }

  /** Whether it is known of every domain whether it is served. */
  get full(): boolean {
    return this.#full;
  }

  /** Answers taken in so far: it tells whether another one came. */
  get folds(): number {
    return this.#folds;
  }

  /** Newest sign of life of the Registry, at first or second hand, Unix milliseconds. */
  get evidence(): number {
    return this.#heard;
  }

  /** Where the next question starts from. */
  get position(): Position | null {
    return this.#number === null ? null : { incarnation: this.#incarnation, number: this.#number };
  }

  /** Number of a domain's head, undefined where it has none as far as is known. */
  known(domain: string): number | undefined {
    return this.#known.get(domain);
  }

  isRevoked(id: string): boolean {
    return this.#revoked.has(id);
  }

  /** Whether the newest answer was asked for less than a window ago. A clock that went back confirms nothing. */
  isFresh(now: number): boolean {
    return now >= this.#at && now < this.#at + this.#window;
  }

  /** Whether half of the window is gone. */
  isDue(now: number): boolean {
    return now < this.#at || now >= this.#at + this.#window / 2;
  }

  /** Milliseconds of the window that are left. */
  left(now: number): number {
    return this.isFresh(now) ? this.#at + this.#window - now : 0;
  }

  /** Takes KV's roster as a starting point, never over anything that was learnt, and as a sign of life. */
  seed(roster: Roster): void {
    if (roster.incarnation === this.#incarnation) this.#heard = Math.max(this.#heard, roster.heartbeat);
    if (this.#number !== null || roster.incarnation < this.#incarnation || roster.asOf < this.#floor) return;
    if (roster.incarnation > this.#incarnation) this.#begin(roster.incarnation);
    this.#number = roster.asOf;
    this.#full = true;
    this.#heard = Math.max(this.#heard, roster.heartbeat);
    for (const [domain, number] of Object.entries(roster.heads)) this.#raise(domain, number);
    for (const id of roster.revoked) this.#revoked.add(id);
  }

  /**
   * Takes an answer in. Merging by maximum makes late, lost and repeated answers harmless.
   * @param askedAt when the question was sent, Unix milliseconds
   * @param since what the question was since
   */
  fold(answer: QuestionAnswer, askedAt: number, since: Position | null): void {
    if (answer.incarnation < this.#incarnation) return;
    if (listsNothing(since, answer)) {
      // It must not join what a roster told meanwhile, whose changes it leaves out. It is a sign of life, and no more.
      if (answer.asOf >= this.#floor) this.#heard = Math.max(this.#heard, askedAt);
      return;
    }
    if (answer.incarnation > this.#incarnation) {
      if (!answer.full) return;
      this.#begin(answer.incarnation);
    }
    // Numbers only grow and revocations last: what an answer tells of is worth knowing, however late it comes.
    for (const [domain, number] of answer.heads) this.#raise(domain, number);
    for (const id of answer.revoked) this.#revoked.add(id);
    // But one from before what is known confirms nothing.
    if (answer.asOf < Math.max(this.#number ?? 0, this.#floor)) return;
    if (this.#number === null && !answer.full) return;
    if (answer.full) this.#dropUnlisted(answer);
    const { wanted } = answer;
    // Of a domain whose tombstone was pruned, the Registry has nothing more to say.
    if (wanted !== null && wanted.manifest === null) this.#known.delete(wanted.domain);
    this.#number = answer.asOf;
    this.#full = this.#full || answer.full;
    this.#at = Math.max(this.#at, askedAt);
    this.#heard = Math.max(this.#heard, askedAt);
    this.#folds++;
  }

  /**
   * A change went through this isolate: nothing is confirmed until it has asked again, and it waits for no
   * number older than the change.
   * @param heads number of the head of each domain that it was about: older than the change where it changed nothing
   */
  changed(
    position: Position,
    heads: Readonly<Record<string, number>>,
    revoked: readonly string[] = [],
  ): void {
    this.#at = Number.NEGATIVE_INFINITY;
    if (position.incarnation < this.#incarnation) return;
    if (position.incarnation > this.#incarnation) this.#begin(position.incarnation);
    this.#floor = Math.max(this.#floor, position.number);
    for (const [domain, number] of Object.entries(heads)) this.#raise(domain, number);
    for (const id of revoked) this.#revoked.add(id);
  }

  /** Another log begins: its numbers say nothing about what was known before. */
  #begin(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#number = null;
    this.#at = Number.NEGATIVE_INFINITY;
    this.#floor = 0;
    this.#full = false;
    this.#known = new Map();
    this.#revoked = new Set();
  }

  /** A list of everything lacks what was deleted and pruned. Of what came after it, it says nothing. */
  #dropUnlisted({ heads, asOf }: QuestionAnswer): void {
    const listed = new Set(heads.map(([domain]) => domain));
    for (const [domain, number] of this.#known)
      if (number <= asOf && !listed.has(domain)) this.#known.delete(domain);
  }

  #raise(domain: string, number: number): void {
    this.#known.set(domain, Math.max(number, this.#known.get(domain) ?? 0));
  }
}
