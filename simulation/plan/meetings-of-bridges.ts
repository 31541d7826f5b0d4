/** Meetings that show what one bridge keeps, and for how long. */
import { type Meeting, people, placeOf } from "./meeting.ts";
import { DAY, HOUR, MINUTE, SECOND } from "./plan.ts";

/**
 * An isolate decides at once, its answer takes up to three seconds to the bridge, and the head changed just after the
 * isolate had asked. At the end of the window the bridge still has it.
 */
export function slowAnswer(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const { window } = setup;
  const list = people(12, (i) => i % 3 === 0);
  const asked = meeting.begin(start, list);
  const focus = meeting.isolate(asked, window + 5 * SECOND);
  meeting.bridge(asked, focus);
  meeting.askBridge(focus, asked + 200, 8);
  meeting.change(asked + random.between(200, 350), 12);
  meeting.fault("edge answer late", asked + 400, 800, { location: placeOf(focus), least: 0.6 });
  for (const later of [500, 600, 700, 850, 1_000]) meeting.askBridge(focus, asked + later, 6);
  for (const later of [500, 900, 1_300, 1_700, 2_100, 2_600])
    meeting.askBridgeAgain(focus, asked + window + later, 8);
}

/** A bridge holds answers, learns of a newer state with another answer, and is asked the same again. */
export function newerState(meeting: Meeting, start: number): void {
  const { window } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = meeting.isolate(asked, window + 10 * SECOND);
  meeting.bridge(asked, focus);
  for (const later of [0, 300]) meeting.askBridge(focus, asked + later, 6);
  const changed = people(12, (i) => i % 3 === 1);
  meeting.set(asked + SECOND, changed);
  // Half-way through the window the isolate asks the Registry behind an answer.
  meeting.askRegistries(focus, asked + window / 2 + 500);
  meeting.askRegistries(focus, asked + window / 2 + 900);
  for (const later of [1_500, 1_800, 2_100]) {
    meeting.askBridge(focus, asked + window / 2 + later, 5);
    meeting.askBridgeAgain(focus, asked + window / 2 + later + 100, 8);
  }
}

const SHORT_GRACE = MINUTE;

/** The edge goes away for longer than a short accept-grace. The isolate may have lost its Registry before. */
export function edgeAway(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const { window } = setup;
  const asked = meeting.begin(start);
  const focus = meeting.isolate(asked, window + 3 * MINUTE);
  meeting.bridge(asked, focus, random.pick([SHORT_GRACE, setup.acceptGrace]));
  const location = placeOf(focus);
  meeting.askBridge(focus, asked + 200, 3);
  meeting.askBridge(focus, asked + 400, 3);
  let away = asked + 8 * SECOND;
  if (random.chance(0.6)) {
    // Unconfirmed accepts are based on the last contact with the Registry.
    meeting.cutOff(focus, asked + SECOND, window + 20 * SECOND);
    away = asked + SECOND + window + 12 * SECOND;
    for (const before of [6, 5, 4]) meeting.askBridge(focus, away - before * SECOND, 6);
  }
  meeting.fault("edge away", away, 100 * SECOND, { location });
  for (const later of [1, 3, 20, 35, 50, 58, 63, 70, 90])
    meeting.askBridgeAgain(focus, away + later * SECOND, 5);
}

/** A bridge holds accepts and learns of a newer state with other answers. @returns when it has, and its focus */
function learnOfNewer(meeting: Meeting, start: number, acceptGrace: number): { at: number; focus: number } {
  const { window } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = meeting.isolate(asked, window + 3 * MINUTE);
  meeting.bridge(asked, focus, acceptGrace);
  for (const later of [200, 500, 800]) meeting.askBridge(focus, asked + later, 5);
  meeting.set(
    asked + SECOND,
    people(14, (i) => i % 4 === 1),
  );
  const half = asked + window / 2;
  for (const later of [500, 900]) meeting.askRegistries(focus, half + later);
  for (const later of [1_500, 1_900]) meeting.askBridge(focus, half + later, 3);
  // Some who left are asked for again, and some who stayed.
  meeting.askBridgeAgain(focus, half + 2_200, 5);
  return { at: half + 3 * SECOND, focus };
}

/** Then the edge goes away: what it accepted goes on, unless it said otherwise. */
export function newerOutage(meeting: Meeting, start: number): void {
  const { at, focus } = learnOfNewer(meeting, start, 7 * DAY);
  meeting.fault("edge away", at, 90 * SECOND, { location: placeOf(focus) });
  for (const later of [1, 4, 20, 45, 80]) meeting.askBridgeAgain(focus, at + later * SECOND, 6);
}

/** The same before a pause of more than a day. */
export function dayAway(meeting: Meeting, pause: number): void {
  const { at, focus } = learnOfNewer(meeting, pause - meeting.setup.window / 2 - 20 * SECOND, 7 * DAY);
  meeting.fault("edge away", at, 80 * HOUR, { location: placeOf(focus) });
  for (const later of [1, 4]) meeting.askBridgeAgain(focus, at + later * SECOND, 6);
  for (const later of [5, 20, 40]) meeting.askBridgeAgain(focus, pause + later * SECOND, 8);
}

/** Something that is no edge answers for a while: a proxy, a filter, another host. */
export function noEdge(meeting: Meeting, start: number): void {
  const asked = meeting.begin(start);
  const focus = meeting.isolate(asked, 40 * SECOND);
  meeting.bridge(asked, focus);
  meeting.askBridge(focus, asked + 200, 4);
  meeting.fault("edge answers nonsense", asked + SECOND, 30 * SECOND, {
    location: placeOf(focus),
    share: 0.8,
  });
  for (let i = 0; i < 16; i++) meeting.askBridge(focus, asked + SECOND + i * 1_800, 2);
}

/**
 * The Registry is lost and filled again. A bridge hears of the new log, and then from an isolate that has heard nothing
 * since before the loss.
 */
export function olderLog(meeting: Meeting, lost: number, initialised: number, refilled: number): void {
  // Its number is higher than any of the new log.
  for (const before of [90, 75, 60, 45, 30]) meeting.change(lost - before * SECOND, 12);
  const old = meeting.isolate(lost - 25 * SECOND, refilled - lost + 3 * MINUTE);
  for (const before of [20, 12, 4]) meeting.ask(old, lost - before * SECOND, 8);
  for (const fault of ["registry unreachable", "kv read error"] as const)
    meeting.fault(fault, lost - SECOND, refilled - lost + 70 * SECOND, { location: placeOf(old) });
  const list = people(12, (i) => i === 3);
  for (let at = initialised + 5 * SECOND; at < refilled; at += MINUTE) meeting.set(at, list);
  const young = meeting.isolate(refilled, MINUTE);
  meeting.bridge(refilled, young);
  for (const later of [1, 4]) meeting.askBridge(young, refilled + later * SECOND, 3);
  meeting.add(refilled + 10 * SECOND, { kind: "route", focus: young, to: old });
  for (const later of [12, 14]) meeting.askBridge(young, refilled + later * SECOND, 6);
  for (const later of [16, 20, 60]) meeting.askBridgeAgain(young, refilled + later * SECOND, 8);
  // What the older log said has ended no accept.
  meeting.fault("edge away", refilled + 22 * SECOND, 18 * SECOND, { location: placeOf(young) });
  for (const later of [24, 30, 36]) meeting.askBridgeAgain(young, refilled + later * SECOND, 8);
  // By then no fault lingers, and it must have found the new log.
  for (const later of [120, 125]) meeting.ask(old, refilled + later * SECOND, 6);
}
