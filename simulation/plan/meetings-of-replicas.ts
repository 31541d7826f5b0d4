/** Meetings that show what a replica takes from its clocks, its disk, its token and its polls. */
import { asks, away, begin, host, restart } from "./hosts-of-meetings.ts";
import { type Meeting, people, placeOf } from "./meeting.ts";
import { DAY, HOUR, type HostTrouble, MINUTE, SECOND } from "./plan.ts";

const everybody = 12;
/** The first answer of a start is late, and then the edge is away: its window started before the question. */
export function latePoll(meeting: Meeting, start: number): void {
  const { window } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = begin(meeting, asked, window + 20 * SECOND);
  const again = asked + 5 * SECOND;
  meeting.fault("edge answer late", again, 700, { location: placeOf(focus), least: 0.7 });
  restart(meeting, focus, again, "killed");
  meeting.change(again + 400, everybody);
  away(meeting, focus, again + 4 * SECOND, window + 10 * SECOND);
  asks(meeting, focus, again + 100 + window, [100, 400, 800, 1_200, 1_600, 2_000, 2_400]);
}

/** The host sleeps through a change, and is asked as it wakes. Its clock may be wrong then. */
export function sleepingHost(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const asked = meeting.begin(start);
  const ms = setup.window + random.between(2, 40) * SECOND;
  const focus = begin(meeting, asked, ms + 40 * SECOND);
  asks(meeting, focus, asked, [4 * SECOND]);
  const sleeps = asked + 5 * SECOND;
  host(meeting, focus, sleeps, { what: "sleep", ms, clock: random.pick([0, 0, -HOUR, -DAY]) });
  meeting.change(sleeps + SECOND, everybody);
  asks(meeting, focus, sleeps + ms, [1, 2, 3, 60, 1_000, 20 * SECOND]);
}

/** The host's clock is set forward by less than a window, shortly before the grace of those who left ends. */
export function clockForward(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const grace = 20;
  meeting.set(start, people(everybody), { grace });
  const left = start + 5 * SECOND;
  const focus = begin(meeting, left, 45 * SECOND);
  meeting.set(
    left,
    people(everybody, (i) => i % 2 === 0),
    { grace },
  );
  const ends = left + grace * SECOND;
  const by = random.between(3, Math.min(12, (0.4 * setup.window) / SECOND)) * SECOND;
  host(meeting, focus, ends - random.between(1_000, 6_000), { what: "clock", by });
  asks(meeting, focus, ends, [-4_000, -3_000, -2_000, -1_500, -1_000, -500, 500], 8);
}

/** The host dies while it fetches a list; it starts again while the edge is away, with the list before. */
export function interruptedFetch(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const asked = meeting.begin(start, people(40));
  const half = setup.window / 2;
  const focus = begin(meeting, asked, half + 60 * SECOND);
  asks(meeting, focus, asked, [4 * SECOND], 12);
  const changed = asked + 5 * SECOND;
  host(meeting, focus, changed, {
    what: "off",
    how: "dies while it writes",
    ms: half + 6 * SECOND,
    clock: 0,
  });
  meeting.change(changed, 40);
  away(meeting, focus, changed + half + 5 * SECOND, 30 * SECOND);
  asks(
    meeting,
    focus,
    changed + half + 6 * SECOND,
    [300, 800, 2_000, 5_000, random.between(6, 15) * SECOND],
    12,
  );
}

/** The disk takes nothing more while a list changes; then the host starts again, and the edge is away. */
export function fullDisk(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const asked = meeting.begin(start, people(40));
  const half = setup.window / 2;
  const focus = begin(meeting, asked, half + 70 * SECOND);
  asks(meeting, focus, asked, [4 * SECOND], 12);
  const full = asked + 5 * SECOND;
  const lasts = half + random.between(-4, 8) * SECOND;
  host(meeting, focus, full, { what: "disk", fault: random.pick(["full", "full", "read-only"]), ms: lasts });
  meeting.change(full + SECOND, 40);
  // The disk may have room again in the middle of a slow fetch.
  if (random.chance(0.6))
    meeting.fault("edge slow", full + 2 * SECOND, half + 8 * SECOND, { location: placeOf(focus) });
  const again = full + half + random.between(3, 20) * SECOND;
  away(meeting, focus, again - 50, 25 * SECOND);
  restart(meeting, focus, again, random.pick(["killed", "power fails"]));
  asks(meeting, focus, again, [200, 800, 2_000, 6_000, 12 * SECOND], 12);
}

/** A file is damaged or missing, or another one takes its place. Later all of it has to be right again. */
export function damagedFile(meeting: Meeting, start: number): void {
  const { random, sibling, domain } = meeting;
  const asked = meeting.begin(start, people(40));
  meeting.set(start, people(everybody), { domain: sibling });
  const focus = begin(meeting, asked, 100 * SECOND);
  const domains = [domain, sibling];
  for (const ms of [4_000, 4_500]) meeting.askBridge(focus, asked + ms, 6, domains);
  const damaged = asked + 6 * SECOND;
  const trouble: HostTrouble = random.chance(0.35)
    ? { what: "damage", how: "swap", files: random.pick(["logs/", "logs/", "keys/", "manifests/", "blobs/"]) }
    : {
        what: "damage",
        how: random.pick(["flip", "flip", "missing"]),
        files: random.pick(["time", "logs/", "logs/", "settings", "keys/", "manifests/", "blobs/"]),
      };
  host(meeting, focus, damaged, trouble);
  restart(meeting, focus, damaged + 20, "killed");
  if (random.chance(0.5)) away(meeting, focus, damaged, 10 * SECOND);
  for (const ms of [300, 1_000, 3_000, 12_000, 40_000]) meeting.askBridge(focus, damaged + ms, 12, domains);
  for (const ms of [75, 80, 85, 90]) meeting.askBridge(focus, damaged + ms * SECOND, 12, domains);
}

/** A blob is damaged while the bridge runs, and is read before the next start. */
export function damagedBlob(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const asked = meeting.begin(start, people(40));
  const focus = begin(meeting, asked, 75 * SECOND);
  // No shard is in memory yet.
  const damaged = asked + 3 * SECOND;
  for (const ms of [0, 10, 20])
    host(meeting, focus, damaged + ms, {
      what: "damage",
      how: random.pick(["flip", "missing"]),
      files: "blobs/",
    });
  asks(meeting, focus, damaged, [100, 2_000, 5_000, 60_000, 65_000], 12);
}

/** The clock of a host is wrong when it starts, and the edge goes away: accept-grace still ends in time. */
export function wrongClock(meeting: Meeting, start: number): void {
  const { random } = meeting;
  const asked = meeting.begin(start);
  const acceptGrace = MINUTE;
  const off = random.pick([50, 90]) * SECOND;
  const focus = begin(meeting, asked, off + 2.5 * MINUTE, { acceptGrace });
  asks(meeting, focus, asked, [4 * SECOND]);
  const stops = asked + 5 * SECOND;
  // It hears from the Registry before, once or more often, or it does not.
  const heard = random.chance(0.5) ? random.pick([40, 40, 8 * SECOND]) : 0;
  const clock =
    heard > 0 ? SECOND - off : random.pick([SECOND - off, -off - 10 * SECOND, -off - HOUR, -DAY, DAY, 0]);
  host(meeting, focus, stops, { what: "off", how: random.pick(["killed", "power fails"]), ms: off, clock });
  const starts = stops + off;
  if (heard > 0) meeting.publish(stops + off / 2);
  const gone = starts + heard;
  away(meeting, focus, gone - (heard > 0 ? 0 : SECOND), acceptGrace + 40 * SECOND);
  asks(meeting, focus, starts, [200, 3_000]);
  asks(
    meeting,
    focus,
    gone + acceptGrace,
    [-20, -8, 4, 8, 14, 25].map((s) => s * SECOND),
  );
}

/** A cache on the way answers with what it had before, while the list changes. */
export function staleProxy(meeting: Meeting, start: number): void {
  const { window } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = begin(meeting, asked, window + 70 * SECOND);
  asks(meeting, focus, asked, [4 * SECOND]);
  const stale = asked + 5 * SECOND;
  meeting.fault("proxy answers stale", stale, window + 20 * SECOND, { location: placeOf(focus) });
  meeting.change(stale + 3 * SECOND, everybody);
  asks(meeting, focus, stale + window, [-5_000, 1_000, 5_000, 10_000, 15_000, 60_000]);
}

/** A token covers one domain, then two; and then one again. */
export function otherToken(meeting: Meeting, start: number): void {
  const { random, domain, sibling } = meeting;
  const asked = meeting.begin(start);
  meeting.set(start, people(everybody), { domain: sibling });
  const first = random.chance(0.5) ? [sibling] : [domain, sibling];
  const focus = begin(meeting, asked, 110 * SECOND, { covers: first });
  const domains = [domain, sibling];
  const ask = (at: number): void => meeting.askBridge(focus, at, 8, domains);
  for (const ms of [4_000, 5_000]) ask(asked + ms);
  const second = asked + 8 * SECOND;
  // An answer to the first token may be on its way.
  meeting.fault("edge answer late", second - 20 * SECOND, 22 * SECOND, {
    location: placeOf(focus),
    share: 0.5,
  });
  if (random.chance(0.4)) host(meeting, focus, second, { what: "revocation" });
  for (const ms of [1_000, 10_000]) ask(second + ms);
  host(meeting, focus, second + 20 * SECOND, {
    what: "token",
    domains: first.length === 1 ? domains : [sibling],
  });
  for (const ms of [21, 25, 40, 82, 85, 88]) ask(second + ms * SECOND);
}

/** A list of several shards changes in one of them while nothing is wrong. */
export function quietHost(meeting: Meeting, start: number): void {
  const asked = meeting.begin(start, people(40));
  const focus = begin(meeting, asked, 110 * SECOND);
  const ask = (ms: number): void => meeting.askBridge(focus, asked + ms, 6);
  for (const ms of [4_000, 50_000]) ask(ms);
  meeting.set(asked + 52 * SECOND, people(41));
  meeting.set(asked + 56 * SECOND, people(39));
  for (const s of [54, 58, 66, 75, 85, 100, 104, 108]) ask(s * SECOND);
}

/**
 * The host has heard of a change and starts again, beside an isolate that has not heard of it and may still refuse by its
 * own confirmation.
 */
export function isolateBehind(meeting: Meeting, start: number): void {
  const { window } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = begin(meeting, asked, window + 20 * SECOND);
  const confirmed = asked + 4 * SECOND;
  meeting.ask(focus, confirmed, 4, { nobody: true });
  meeting.change(confirmed + 500, everybody);
  const again = confirmed + window - 4 * SECOND;
  restart(meeting, focus, again, "killed");
  asks(meeting, focus, again + 100, [0, 2, 5, 10, 20, 40, 80]);
}

/** The host starts again while the edge hangs: its own accept must come in time. */
export function hangingEdge(meeting: Meeting, start: number): void {
  const asked = meeting.begin(start);
  const focus = begin(meeting, asked, 30 * SECOND);
  asks(meeting, focus, asked, [4 * SECOND]);
  const slow = asked + 5 * SECOND;
  meeting.fault("edge slow", slow, 10 * SECOND, { location: placeOf(focus), least: 0.9 });
  restart(meeting, focus, slow + 100, "killed");
  asks(meeting, focus, slow, [400, 900, 1_500]);
}

/**
 * The host has just started, and the edge says more than half of the time after its accept was given. Then its token does
 * not cover the list any more, and the edge goes away: what the edge said is all that the bridge has.
 */
export function lateEdge(meeting: Meeting, start: number): void {
  const { sibling } = meeting;
  const asked = meeting.begin(start);
  meeting.set(start, people(everybody), { domain: sibling });
  const focus = begin(meeting, asked, 50 * SECOND);
  asks(meeting, focus, asked, [4 * SECOND]);
  const late = asked + 5 * SECOND;
  meeting.fault("edge answer late", late, 4 * SECOND, { location: placeOf(focus), least: 0.65 });
  restart(meeting, focus, late, "killed");
  asks(meeting, focus, late, [150, 200, 300], 8);
  host(meeting, focus, late + 6 * SECOND, { what: "token", domains: [sibling] });
  away(meeting, focus, late + 12 * SECOND, 20 * SECOND);
  for (const s of [13, 14, 16, 20, 25]) meeting.askBridgeAgain(focus, late + s * SECOND, 10);
}

/** A domain is deleted before a pause, and its tombstone is over after it. */
export function goneDomain(meeting: Meeting, pause: number): void {
  const start = pause - 30 * SECOND;
  meeting.begin(start);
  meeting.publish(start + 8 * SECOND, { change: "delete" });
  const focus = begin(meeting, start + 10 * SECOND, 80 * SECOND);
  asks(meeting, focus, pause, [-5 * SECOND, 11 * SECOND, 20 * SECOND, 40 * SECOND, 50 * SECOND]);
}
