/**
 * Things that have to meet within a second or two for a rule to matter. Each has an isolate, and where it needs one
 * a bridge, of its own, so that no other traffic heals what is to be seen.
 */

import type { Random } from "../../testing/random.ts";
import type { FaultKind } from "../basics/faults.ts";
import {
  type Add,
  type Change,
  LATE_EXPORT,
  MINUTE,
  PRUNED,
  SECOND,
  type Setup,
  TAKEN_BACK,
} from "./plan.ts";

/** Changes under which somebody is refused before and not after, or the other way round. */
const TELLING: readonly Change[] = ["add", "add", "swap", "remove"];

export function addMeetings(random: Random, setup: Setup, length: number, add: Add): void {
  const meeting = new Meeting(random, setup, add);
  const room = Math.max(1, length - 3 * setup.window - 20 * SECOND);
  for (let i = random.between(1, 3); i > 0; i--) meeting.lateAnswer(10 * SECOND + random.next() * room);
  for (let i = random.between(1, 3); i > 0; i--)
    meeting.slowAnswerToBridge(10 * SECOND + random.next() * room);
  for (let i = random.between(2, 5); i > 0; i--) meeting.slowPart(10 * SECOND + random.next() * room);
  if (random.chance(0.5)) meeting.lostCopy(length);
}

/** Longer than an export takes to show, and shorter than what was read of exports may be used where KV fails. */
const UNTIL_EXPORTED: readonly [least: number, most: number] = [300, 580];

/**
 * A domain is exported while an isolate idles that knows that nobody serves it. Asked again, it has to have read anew.
 */
export function addLateExport(random: Random, setup: Setup, length: number, add: Add): void {
  const start = 10 * SECOND + random.next() * Math.max(0, length - 11 * MINUTE);
  if (start + UNTIL_EXPORTED[1] * SECOND > length) return;
  const meeting = new Meeting(random, setup, add, FOCUS_OF_EXPORT);
  meeting.lateExport(start, start + random.between(...UNTIL_EXPORTED) * SECOND);
}

/** For how long an export is there, so that it shows to most; and how long it is asked about after that. */
const UNTIL_TAKEN_BACK: readonly [least: number, most: number] = [150, 270];
const AFTER_TAKEN_BACK = 400 * SECOND;

/** Exports are taken back: one that everybody asks about, and one that an isolate of its own goes by all the time. */
export function addExportsTakenBack(random: Random, setup: Setup, length: number, add: Add): void {
  const takeBack = (at: number, domain: string): void =>
    add(at, { kind: "export taken back", domain, deletes: random.chance(0.5) });
  for (const domain of setup.exported)
    for (let times = random.between(0, 2); times > 0; times--) takeBack(random.next() * length, domain);
  const lasts = random.between(...UNTIL_TAKEN_BACK) * SECOND;
  const room = length - 10 * SECOND - lasts - AFTER_TAKEN_BACK;
  if (room < 0) return;
  const start = 10 * SECOND + random.next() * room;
  takeBack(start + lasts, TAKEN_BACK);
  new Meeting(random, setup, add, FOCUS_OF_TAKEN_BACK).takenBack(start, start + lasts + AFTER_TAKEN_BACK);
}

/** From the deletion on, within which every publisher's tries are over. */
const BEFORE_PAUSE = 90 * SECOND;

/**
 * An isolate that knows a domain sleeps while the domain is deleted and let go of. It is asked about another domain
 * first: what it is told then is all that tells it.
 * @param pause when a pause begins that is long enough
 */
export function addSleeper(random: Random, setup: Setup, pause: number, add: Add): void {
  const start = pause - BEFORE_PAUSE - random.between(10, 40) * SECOND;
  if (start < 10 * SECOND) return;
  new Meeting(random, setup, add, FOCUS_OF_SLEEPER).sleeper(start, pause);
}

/** Apart from those of the other meetings. */
const FOCUS_OF_EXPORT = 1_000;
const FOCUS_OF_TAKEN_BACK = 2_000;
const FOCUS_OF_SLEEPER = 3_000;

/** Where the isolate of a focus is, and its bridge: at a place of their own, so that faults can meet them alone. */
const placeOf = (focus: number): string => `place ${focus}`;

class Meeting {
  readonly #random: Random;
  readonly #setup: Setup;
  readonly #add: Add;
  #count: number;

  /** @param count focuses that others have */
  constructor(random: Random, setup: Setup, add: Add, count = 0) {
    this.#count = count;
    this.#random = random;
    this.#setup = setup;
    this.#add = add;
  }

  /**
   * Two questions of one isolate are under way; the head changes between them, and the older answer arrives last.
   * Whoever asks about that domain then must not be told what was before.
   */
  lateAnswer(start: number): void {
    const random = this.#random;
    const focus = this.#isolate(start);
    const domain = random.pick(this.#setup.domains);
    const others = this.#setup.domains.filter((it) => it !== domain);
    this.#ask(focus, start + 200, 12, [domain]);
    this.#ask(focus, start + 400, 12, this.#setup.domains);
    // Idle for longer than a window, so that the next question has to ask.
    const at = start + this.#setup.window + random.between(1, 20) * SECOND;
    this.#fault("registry answer late", at - 1, 40, 0.55, placeOf(focus));
    this.#ask(focus, at, 4, others);
    this.#publish(domain, at + random.between(0, 2_000));
    // By now it has given the answer up, and asks anew.
    this.#ask(focus, at + 4_150, 4, others);
    this.#ask(focus, at + 4_300, 4, others);
    for (const later of [8_200, 8_500, 9_500, 12_000]) this.#ask(focus, at + later, 12, [domain]);
  }

  /**
   * An isolate decides at once, its answer takes up to three seconds to the bridge, and the head changed just after
   * the isolate had asked. At the end of the window the bridge still has it.
   */
  slowAnswerToBridge(start: number): void {
    const random = this.#random;
    const { window, domains } = this.#setup;
    const domain = random.pick(domains);
    const focus = this.#isolate(start);
    this.#add(start, { kind: "bridge", location: placeOf(focus), focus });
    this.#add(start + 200, { kind: "bridge checks", count: 10, focus, domains: [domain] });
    this.#publish(domain, start + random.between(200, 350));
    const add = (at: number, count: number, again: boolean): void =>
      this.#add(at, { kind: "bridge checks", count, focus, domains: [domain], again });
    this.#fault("edge answer late", start + 400, 800, 0.6, placeOf(focus));
    for (const later of [500, 600, 700, 850, 1_000]) add(start + later, 8, false);
    for (const later of [500, 900, 1_300, 1_700, 2_100, 2_600]) add(start + window + later, 12, true);
  }

  /**
   * The head changed just after an isolate had asked. At the end of the window it is asked about somebody in a part
   * of the list that it has not read yet, which takes so long that the window ends meanwhile.
   */
  slowPart(start: number): void {
    const random = this.#random;
    const { window, domains, shapes } = this.#setup;
    const split = domains.filter((_, i) => (shapes[i]?.bits ?? 0) > 0);
    if (split.length === 0) return;
    const domain = random.pick(split);
    const focus = this.#isolate(start);
    this.#ask(focus, start + 100, 1, [domain]);
    this.#publish(domain, start + random.between(200, 350));
    this.#fault("kv read slow", start + window - 1_000, 3_000, 0.4, placeOf(focus));
    // One alone: an answer that is at hand would have the Registry asked behind it.
    this.#ask(focus, start + window - random.between(100, 600), 1, [domain]);
    this.#ask(focus, start + window + 5_000, 4, [domain]);
  }

  lateExport(start: number, again: number): void {
    const focus = this.#isolate(start);
    this.#ask(focus, start + 200, 2, [LATE_EXPORT]);
    this.#add(start + this.#random.between(4_000, 20_000), { kind: "export", domain: LATE_EXPORT });
    this.#ask(focus, again, 4, [LATE_EXPORT]);
  }

  /**
   * Once a minute somebody else's refusal confirms for all, so that nothing is left to do behind what the export says.
   * What is read anew then is read for the answer itself.
   */
  takenBack(start: number, end: number): void {
    const random = this.#random;
    const focus = this.#isolate(start);
    const other = random.pick(this.#setup.domains);
    this.#add(start + random.between(0, 5_000), { kind: "export", domain: TAKEN_BACK });
    for (let at = start + 6_000; at < end; at += MINUTE) {
      this.#add(at, { kind: "checks", count: 1, how: "one by one", focus, domains: [other], nobody: true });
      this.#ask(focus, at + SECOND, 2, [TAKEN_BACK]);
    }
  }

  sleeper(start: number, pause: number): void {
    const { domains } = this.#setup;
    const publish = (at: number, change: Change): void =>
      this.#add(at, { kind: "publish", domain: PRUNED, change, forces: true });
    publish(this.#random.between(0, 4_000), "found");
    const focus = this.#isolate(start);
    for (const later of [0, 2_000, 5_000]) this.#ask(focus, start + later, 4, [PRUNED]);
    for (const before of [BEFORE_PAUSE, BEFORE_PAUSE / 2]) publish(pause - before, "delete");
    // The first questions behind the pause: enough of them for every partition.
    this.#add(pause + SECOND, { kind: "checks", count: 8, how: "one by one", focus, domains, nobody: true });
    for (const later of [5_000, 7_000, 15_000, 40_000]) this.#ask(focus, pause + later, 6, [PRUNED]);
  }

  /** The last manifest of a domain, or what it names, is written, acknowledged and lost, and nobody writes it anew. */
  lostCopy(length: number): void {
    const from = length - this.#random.between(20, 60) * SECOND;
    this.#fault("kv write lost", from, length - from, 0, null, 0.9);
    for (let i = 0; i < 2; i++)
      this.#publish(this.#random.pick(this.#setup.domains), from + this.#random.next() * (length - from));
  }

  /** An isolate that nobody else asks. @returns its focus */
  #isolate(at: number): number {
    const focus = ++this.#count;
    this.#add(at, {
      kind: "isolate",
      location: placeOf(focus),
      cacheBytes: 64 * 1024 * 1024,
      window: this.#setup.window,
      focus,
    });
    return focus;
  }

  #ask(focus: number, at: number, count: number, domains: readonly string[]): void {
    this.#add(at, { kind: "checks", count, how: "one by one", focus, domains });
  }

  #publish(domain: string, at: number): void {
    this.#add(at, { kind: "publish", domain, change: this.#random.pick(TELLING), forces: true });
  }

  #fault(
    kind: FaultKind,
    from: number,
    ms: number,
    least: number,
    location: string | null = null,
    share = 1,
  ): void {
    const id = 2_000_000 + this.#random.between(0, 1e6);
    this.#add(from, { kind: "episode", episode: { kind, from, to: from + ms, location, share, least, id } });
  }
}
