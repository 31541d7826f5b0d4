/** Meetings that show what becomes of single changes: sent again, guarded, and beside publishes. */
import { type Meeting, people } from "./meeting.ts";
import { SECOND } from "./plan.ts";

/** Asks a fresh isolate, which has seen nothing before, soon after each of some moments. */
function askAfter(meeting: Meeting, moments: readonly number[], count = 10): void {
  for (const at of moments) {
    const focus = meeting.isolate(at + SECOND, 4 * SECOND);
    for (const later of [1_200, 2_000]) meeting.ask(focus, at + later, count);
  }
}

/**
 * A name is changed singly, then twice more with publishes between that do not know of it and keep it. In the end it is as
 * it was before all of that, and still no list has it so.
 */
export function keptChanges(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const begun = meeting.begin(start);
  const place = random.between(0, 11);
  const [name, other] = [`u${place}`, `u${(place + 5) % 12}`];
  const without = people(12).filter((each) => each !== name && each !== other);
  const [first, second, third] = [begun + SECOND, begun + 10 * SECOND, begun + 20 * SECOND];
  meeting.patch(first, [[name, random.pick(["disabled", "full"] as const)]]);
  // Another one is as before already, and leaves with the next list.
  meeting.patch(first + SECOND, [[other, "disabled"]]);
  meeting.patch(first + 2 * SECOND, [[other, "active"]]);
  meeting.set(first + 4 * SECOND, without, { keeps: true });
  meeting.patch(second, [[name, "active"]]);
  meeting.set(second + 4 * SECOND, [...without, "u40"], { keeps: true });
  meeting.patch(third, [["u40", null]], { now: true });
  meeting.set(third + 4 * SECOND, [...without, "u40", "u41"], { keeps: random.chance(0.5) });
  meeting.set(third + 8 * SECOND, [...without, "u40"], { keeps: true });
  for (const at of [first, second, third, third + 4 * SECOND]) askAfter(meeting, [at, at + 6 * SECOND]);
}

/** The answer to a single change is lost. Before it is sent again, another one undoes it. */
export function sentAgain(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const begun = meeting.begin(start);
  const sent = begun + SECOND;
  const adds = random.chance(0.5);
  const name = adds ? "u30" : "u3";
  meeting.fault("edge answer lost", sent - 1, 250);
  meeting.patch(sent, [[name, adds ? "active" : null]], { now: true });
  meeting.patch(sent + 260, [[name, adds ? null : "active"]], { now: true });
  askAfter(meeting, [sent + 2 * SECOND, sent + 12 * SECOND, sent + 24 * SECOND]);
}

/** Names leave a list one by one, in one moment and after the other, until more have left than may. */
export function guardedSingly(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const begun = meeting.begin(start, people(20));
  const count = random.between(5, 9);
  const pause = random.pick([0, 0, 3, 400, 3_000]);
  for (let i = 0; i < count; i++) meeting.patch(begun + SECOND + i * pause, [[`u${i}`, null]]);
  const last = begun + SECOND + count * pause;
  // As many come as went, and more go: that a list is as long as before says nothing.
  const come = Array.from({ length: 6 }, (_, i) => [`v${i}`, "active"] as const);
  meeting.patch(last + 3 * SECOND, come);
  const go = Array.from(
    { length: 5 },
    (_, i) => [`u${10 + i}`, random.pick([null, "disabled"] as const)] as const,
  );
  meeting.patch(last + 5 * SECOND, go);
  // One that overrides the guard, and one at the same moment that does not.
  const both = last + 8 * SECOND;
  meeting.patch(both, [["u19", null]], { overrides: true });
  for (let i = 0; i < 3; i++) meeting.patch(both + random.between(0, 6), [[`u${15 + i}`, null]]);
  askAfter(meeting, [last, last + 6 * SECOND, both], 14);
}

/** Names leave with and without grace, come back, and the grace of those who left is ended. */
export function leavingSingly(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const grace = 20;
  meeting.set(start, people(40), { grace });
  const left = start + 5 * SECOND;
  const names = [...Array(6).keys()].map((i) => `u${7 * i + random.between(0, 4)}`);
  const [a, b, c, d, e, f] = names as [string, string, string, string, string, string];
  meeting.patch(left, [
    [a, null],
    [b, null],
  ]);
  meeting.patch(left + random.pick([0, 2, 2_000]), [[c, null]], { now: true });
  // A name and its grace end together with other changes, or alone.
  meeting.patch(
    left + 4 * SECOND,
    random.chance(0.5)
      ? [[a, null]]
      : [
          [a, null],
          [d, null],
        ],
    { now: true },
  );
  meeting.patch(left + 6 * SECOND, [[b, "active"]]);
  meeting.patch(left + 8 * SECOND, [[e, "disabled"]]);
  meeting.patch(left + 10 * SECOND, [[f, null]]);
  // One name comes and goes in one moment.
  for (const state of ["active", null] as const) meeting.patch(left + 11 * SECOND, [["u50", state]]);
  for (const later of [1, 5, 7, 9, 12, 22, 28, 31]) askAfter(meeting, [left + later * SECOND], 16);
}

/**
 * A pattern leaves, then the grace becomes shorter, and a name that the pattern accepted is listed as disabled. The pattern comes
 * back: that name is deferred for as long as the pattern would have been.
 */
export function returningPattern(meeting: Meeting, start: number): void {
  const list = people(12);
  const accepted = [...list, "t0-*"];
  meeting.set(start, accepted, { grace: 60 });
  const left = start + 6 * SECOND;
  meeting.set(left, list, { grace: 60 });
  meeting.set(left + 6 * SECOND, list, { grace: 8 });
  meeting.patch(left + 10 * SECOND, [["t0-nn", "disabled"]]);
  meeting.set(left + 24 * SECOND, accepted, { grace: 8, keeps: true });
  askAfter(meeting, [left + 12 * SECOND, ...[28, 34, 40, 46].map((later) => left + later * SECOND)], 16);
}

/** Mailboxes are added one by one, more of them than copies to KV that a scarce budget allows in a day. */
export function manyChanges(meeting: Meeting, start: number): void {
  const begun = meeting.begin(start) + SECOND;
  for (let i = 0; i < 32; i++) meeting.patch(begun + i * 1_500, [[`v${i}`, "active"]]);
  askAfter(meeting, [begun + 20 * SECOND, begun + 48 * SECOND], 16);
}

/** Single changes come while a list is published that does not know of them. */
export function overtakenPublish(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const begun = meeting.begin(start, people(30));
  for (const [round, publishes] of [begun + SECOND, begun + 14 * SECOND].entries()) {
    const names = people(30 + round, (i) => i === 2 * round);
    meeting.publish(publishes, { change: "set", list: names, keeps: random.chance(0.75) });
    for (let i = 0; i < 5; i++) {
      const name = `u${random.between(20, 39)}`;
      const state = random.pick(["active", "active", "disabled", null] as const);
      meeting.patch(publishes + random.between(-60, 400), [[name, state]], { now: random.chance(0.3) });
    }
    askAfter(meeting, [publishes + 2 * SECOND, publishes + 6 * SECOND], 16);
  }
}

/** Many single changes come while the list gets another key, or another spelling of its names. */
export function otherSpelling(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const begun = meeting.begin(start, people(30));
  const turns = begun + SECOND;
  meeting.publish(turns, { change: "rotate" });
  for (let i = 0; i < 28; i++)
    meeting.patch(turns + 60 + i * 9 + random.between(0, 8), [[`u${31 + i}`, "active"]]);
  askAfter(meeting, [turns + SECOND, turns + 4 * SECOND, turns + 8 * SECOND], 20);
}
