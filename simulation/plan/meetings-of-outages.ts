/** Meetings that show whom a replica accepts without the edge after it has heard of something newer. */
import { asks, away, begin, host, restart } from "./hosts-of-meetings.ts";
import { type Meeting, people, placeOf } from "./meeting.ts";
import { DAY, HOUR, MINUTE, SECOND } from "./plan.ts";

/**
 * Polls fail, the list changes, and answers of the edge show the newer state, also of some who left.
 * @returns when they have, and the focus
 */
function hearFromEdge(meeting: Meeting, start: number, lasts: number): { at: number; focus: number } {
  const { window } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = begin(meeting, asked, lasts, { acceptGrace: 7 * DAY });
  asks(meeting, focus, asked, [4 * SECOND]);
  const deaf = asked + 5 * SECOND;
  meeting.fault("replica cannot poll", deaf, 80 * HOUR, { location: placeOf(focus) });
  meeting.set(
    deaf + SECOND,
    people(14, (i) => i % 4 === 1),
    { grace: 20 },
  );
  const heard = deaf + window + 2 * SECOND;
  for (const later of [0, 300]) meeting.askRegistries(focus, heard + later);
  // Until it has heard of the newer state, it accepts by itself; then it asks the edge first.
  asks(meeting, focus, heard, [600, 1_200, 1_800, 2_400, 3_000], 8);
  return { at: heard + 4 * SECOND, focus };
}

/** Then the edge goes away. The host may start again meanwhile. */
export function deafHost(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const { at, focus } = hearFromEdge(meeting, start, setup.window + 2 * MINUTE);
  away(meeting, focus, at, MINUTE);
  asks(meeting, focus, at, [SECOND, 5 * SECOND, 10 * SECOND, 20 * SECOND], 8);
  if (random.chance(0.4)) restart(meeting, focus, at + 25 * SECOND, random.pick(["killed", "power fails"]));
  asks(meeting, focus, at, [27 * SECOND, 40 * SECOND, 55 * SECOND], 8);
}

/** The same before a pause of more than a day, through which the host sleeps. */
export function dayOfDeafHost(meeting: Meeting, pause: number): void {
  const { window } = meeting.setup;
  const { at, focus } = hearFromEdge(meeting, pause - window - 25 * SECOND, window + 3 * MINUTE);
  away(meeting, focus, at, 80 * HOUR);
  asks(meeting, focus, at, [SECOND, 4 * SECOND], 6);
  asks(
    meeting,
    focus,
    pause,
    [15, 25, 40, 60].map((s) => s * SECOND),
    10,
  );
}

/** The Registry is lost, and another one begins without the domain. */
export function unlistedHost(meeting: Meeting, lost: number, initialised: number, refilled: number): void {
  const start = lost - 60 * SECOND;
  meeting.set(start, people(12));
  // Accepts end while it is asked, or not before the list is published again.
  const acceptGrace = meeting.random.pick([150 * SECOND, 7 * DAY]);
  const focus = begin(meeting, start + 5 * SECOND, refilled - start + MINUTE, { acceptGrace });
  asks(meeting, focus, start, [20 * SECOND, 40 * SECOND]);
  for (let at = initialised + 40 * SECOND; at < refilled; at += 20 * SECOND)
    asks(meeting, focus, at, [0, 500]);
  host(meeting, focus, initialised + 70 * SECOND, { what: "off", how: "killed", ms: 100, clock: 0 });
}
