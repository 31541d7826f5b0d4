/** Meetings that show what a Registry lets through, and what it copies to KV. */
import { type Meeting, people } from "./meeting.ts";
import { MINUTE, SECOND } from "./plan.ts";

const isAnyOf =
  (...ranges: readonly (readonly [from: number, to: number])[]) =>
  (i: number) =>
    ranges.some(([from, to]) => i >= from && i < to);

/** In three steps a list loses more than its share, though none of the steps takes more than that from the one before. */
export function guardedInSteps(meeting: Meeting, start: number): void {
  const drop = (at: number, ...ranges: readonly (readonly [from: number, to: number])[]): void =>
    meeting.set(start + at, people(20, isAnyOf(...ranges)), { forces: at === 0 });
  drop(0);
  drop(10 * SECOND, [0, 3]);
  drop(20 * SECOND, [3, 6]);
  drop(30 * SECOND, [0, 6]);
}

/** More names leave than a manifest holds; then the list changes once more, and they are carried on. */
export const MANY_NAMES = 2_400;

export function exodus(meeting: Meeting, start: number): void {
  const staying = people(MANY_NAMES, (i) => i % 12 > 0);
  meeting.publish(start, { change: "set", list: people(MANY_NAMES) });
  const left = start + 6 * SECOND;
  meeting.publish(left, { change: "set", list: staying });
  meeting.publish(left + 15 * SECOND, { change: "set", list: [...staying, "u1"] });
  for (const later of [2, 8, 17, 24]) {
    const focus = meeting.isolate(left + later * SECOND, 5 * SECOND);
    meeting.ask(focus, left + later * SECOND, 8);
  }
}

/** Names of a list in which many leave by mistake. */
export const MANY_LEAVERS = 40;

/**
 * Many names leave, are asked for, and are held: also after their grace, after another publish, and although somebody tries
 * to publish under another key. A person says that they left.
 */
export function brake(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const staying = people(MANY_LEAVERS, (i) => i % 2 === 0);
  meeting.set(start, people(MANY_LEAVERS), { grace: 30 });
  const left = start + 6 * SECOND;
  meeting.set(left, staying, { grace: 30 });
  const ask = (from: number, to: number): void => {
    const focus = meeting.isolate(left + from * SECOND, (to - from) * SECOND);
    for (let at = from + 1; at < to; at += 12) meeting.ask(focus, left + at * SECOND, 30);
  };
  ask(4, 90);
  ask(random.between(60, 130), 200);
  meeting.set(left + 140 * SECOND, [...staying, "u0"], { grace: 0 });
  meeting.publish(left + 150 * SECOND, { change: "rotate" });
  for (const at of [205, 208]) meeting.publish(left + at * SECOND, { change: "release" });
  ask(202, 250);
}

/**
 * The list of a Registry is damaged, or its head gone, and another name is changed: nothing may be made from that. Then
 * somebody restores an older list.
 */
export function damagedStorage(meeting: Meeting, start: number): void {
  const { random, domain } = meeting;
  const begun = meeting.begin(start);
  meeting.change(begun, 12);
  const damaged = begun + random.between(6, 14) * SECOND;
  const repaired = damaged + random.between(15, 40) * SECOND;
  meeting.add(damaged, { kind: "damage", domain, of: random.pick(["manifest", "head", "head"]) });
  // Isolates ask before anything else has found it.
  for (const [i, at] of [damaged + 5 * SECOND, damaged + 8 * SECOND, repaired + 6 * SECOND].entries())
    meeting.patch(at, [[`u${30 + i}`, "active"]]);
  for (const later of [0, 4 * SECOND]) meeting.add(repaired + later, { kind: "repair", domain });
  for (const at of [damaged, damaged + 12 * SECOND, repaired, repaired + 12 * SECOND]) {
    const focus = meeting.isolate(at + 20, 12 * SECOND);
    for (const later of [50, 1_000, 4_000, 11_000]) meeting.ask(focus, at + later, 12);
  }
}

/** For how long copies went wrong when faults stop. */
const LASTLY = 60 * SECOND;

/** The last copies of a list are acknowledged and lost, and it is not published again. */
export function lostCopy(meeting: Meeting, end: number): void {
  const { random, setup } = meeting;
  meeting.fault("kv write lost", end - LASTLY, LASTLY + 5 * SECOND, { share: random.pick([1, 0.9]) });
  meeting.set(end + random.next() * SECOND, people(40));
  meeting.publish(end - random.next() * LASTLY, { domain: random.pick(setup.domains) });
}

/** The last copies of a list fail for longer than the first pauses between tries. */
export function failingCopy(meeting: Meeting, end: number): void {
  const { random } = meeting;
  meeting.fault("kv write error", end - LASTLY, LASTLY + 5 * SECOND, { share: random.pick([1, 0.9]) });
  meeting.set(end - random.between(10, 50) * SECOND, people(12));
}

/** A domain is first published while an isolate knows it as not served. Asked again, it has to ask again. */
export function lateDomain(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const again = random.between(30, 580) * SECOND;
  const focus = meeting.isolate(start, again + 5 * SECOND);
  meeting.ask(focus, start + 200, 2);
  meeting.publish(start + random.between(4_000, 20_000), { change: "found" });
  meeting.ask(focus, start + again, 4);
}

/** From the deletion on, within which every publisher's tries are over. */
const BEFORE_PAUSE = 90 * SECOND;

/**
 * An isolate that knows a domain sleeps while the domain is deleted, and pruned a day later. It is asked about other
 * domains first: what it is told then is all that tells it.
 * @param pause when a pause begins that is long enough
 */
export function sleeper(meeting: Meeting, pause: number): void {
  const start = pause - BEFORE_PAUSE - meeting.random.between(10, 40) * SECOND;
  for (const at of [0, 2 * SECOND]) meeting.publish(at, { change: "found" });
  const focus = meeting.isolate(start, pause + MINUTE - start);
  for (const later of [0, 2_000, 5_000]) meeting.ask(focus, start + later, 4);
  for (const before of [BEFORE_PAUSE, BEFORE_PAUSE / 2])
    meeting.publish(pause - before, { change: "delete" });
  meeting.askRegistries(focus, pause + SECOND);
  for (const later of [5_000, 7_000, 15_000, 40_000]) meeting.ask(focus, pause + later, 6);
}
