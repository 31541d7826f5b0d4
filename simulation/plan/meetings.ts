/** Which meetings a world has, and when. */
import { Random } from "../../testing/random.ts";
import { domainIn, Meeting } from "./meeting.ts";
import * as bridges from "./meetings-of-bridges.ts";
import * as isolates from "./meetings-of-isolates.ts";
import * as outages from "./meetings-of-outages.ts";
import * as patches from "./meetings-of-patches.ts";
import * as registries from "./meetings-of-registries.ts";
import * as replicas from "./meetings-of-replicas.ts";
import { type Add, MINUTE, SECOND, type Setup, type Shape } from "./plan.ts";

interface Kind {
  readonly play: (meeting: Meeting, start: number) => void;
  /** Share of the worlds that have it. */
  readonly share: number;
  /** Milliseconds that it takes at most. */
  readonly lasts: number;
  /** Soon after the start of the world, or about its end; at any time if it is left out. */
  readonly starts?: "first" | "last";
  /** Of its domain. */
  readonly shape?: Shape;
}

const SEVERAL_SHARDS: Shape = { bits: 2, names: 40 };

const KINDS: Readonly<Record<string, Kind>> = {
  "late-answer": { play: isolates.lateAnswer, share: 0.6, lasts: 2 * MINUTE },
  "slow-shard": { play: isolates.slowShard, share: 0.7, lasts: MINUTE, shape: { bits: 2, names: 40 } },
  "unreadable-list": { play: isolates.unreadableList, share: 0.6, lasts: 100 * SECOND },
  "unreadable-target": { play: isolates.unreadableTarget, share: 0.5, lasts: 100 * SECOND },
  "new-key-of-target": { play: isolates.targetWithNewKey, share: 0.4, lasts: 20 * SECOND },
  eviction: { play: isolates.eviction, share: 0.6, lasts: MINUTE },
  "mixed-states": { play: isolates.halfRead, share: 0.6, lasts: MINUTE },
  "damaged-manifest": {
    play: isolates.damagedReads,
    share: 0.7,
    lasts: 70 * SECOND,
    shape: { bits: 0, names: 40 },
  },
  "damaged-shards": {
    play: isolates.damagedReads,
    share: 0.5,
    lasts: 70 * SECOND,
    shape: { bits: 1, names: 40 },
  },
  "replaced-object": { play: isolates.replacedObject, share: 0.8, lasts: 2 * MINUTE },
  strangers: { play: isolates.strangers, share: 0.25, lasts: MINUTE, starts: "first" },
  "revoked-token": { play: isolates.revokedToken, share: 0.5, lasts: MINUTE },
  "slow-answer": { play: bridges.slowAnswer, share: 0.8, lasts: MINUTE },
  "newer-state": { play: bridges.newerState, share: 0.5, lasts: MINUTE },
  "edge-away": { play: bridges.edgeAway, share: 0.7, lasts: 3 * MINUTE },
  "newer-outage": { play: bridges.newerOutage, share: 0.5, lasts: 3 * MINUTE },
  "no-edge": { play: bridges.noEdge, share: 0.4, lasts: MINUTE },
  "guarded-in-steps": { play: registries.guardedInSteps, share: 0.5, lasts: MINUTE },
  brake: {
    play: registries.brake,
    share: 0.4,
    lasts: 4.5 * MINUTE,
    shape: { bits: 0, names: registries.MANY_LEAVERS },
  },
  "lost-manifest": { play: registries.lostCopy, share: 0.5, lasts: 0, starts: "last" },
  "lost-shards": {
    play: registries.lostCopy,
    share: 0.6,
    lasts: 0,
    starts: "last",
    shape: { bits: 3, names: 40 },
  },
  "failing-copy": { play: registries.failingCopy, share: 0.5, lasts: 0, starts: "last" },
  "damaged-storage": { play: registries.damagedStorage, share: 0.6, lasts: 2 * MINUTE },
  "late-domain": { play: registries.lateDomain, share: 0.6, lasts: 10 * MINUTE },
  "kept-changes": { play: patches.keptChanges, share: 0.3, lasts: 2 * MINUTE },
  "sent-again": { play: patches.sentAgain, share: 0.3, lasts: MINUTE },
  "guarded-singly": { play: patches.guardedSingly, share: 0.3, lasts: MINUTE },
  "leaving-singly": { play: patches.leavingSingly, share: 0.3, lasts: MINUTE, shape: SEVERAL_SHARDS },
  "returning-pattern": { play: patches.returningPattern, share: 0.3, lasts: MINUTE },
  "many-changes": { play: patches.manyChanges, share: 0.4, lasts: MINUTE },
  "overtaken-publish": {
    play: patches.overtakenPublish,
    share: 0.3,
    lasts: MINUTE,
    shape: SEVERAL_SHARDS,
  },
  "other-spelling": {
    play: patches.otherSpelling,
    share: 0.3,
    lasts: MINUTE,
    shape: { bits: 0, names: 60 },
  },
  "deaf-host": { play: outages.deafHost, share: 0.4, lasts: 4 * MINUTE },
  "late-poll": { play: replicas.latePoll, share: 0.3, lasts: 2 * MINUTE },
  "sleeping-host": { play: replicas.sleepingHost, share: 0.3, lasts: 2 * MINUTE },
  "clock-forward": { play: replicas.clockForward, share: 0.3, lasts: MINUTE },
  "interrupted-fetch": {
    play: replicas.interruptedFetch,
    share: 0.3,
    lasts: 2 * MINUTE,
    shape: SEVERAL_SHARDS,
  },
  "full-disk": { play: replicas.fullDisk, share: 0.3, lasts: 2 * MINUTE, shape: SEVERAL_SHARDS },
  "damaged-file": { play: replicas.damagedFile, share: 0.4, lasts: 2 * MINUTE, shape: SEVERAL_SHARDS },
  "damaged-blob": { play: replicas.damagedBlob, share: 0.2, lasts: 2 * MINUTE, shape: SEVERAL_SHARDS },
  "wrong-clock": { play: replicas.wrongClock, share: 0.4, lasts: 5 * MINUTE },
  "stale-proxy": { play: replicas.staleProxy, share: 0.3, lasts: 2.5 * MINUTE },
  "other-token": { play: replicas.otherToken, share: 0.3, lasts: 2.5 * MINUTE },
  "hanging-edge": { play: replicas.hangingEdge, share: 0.2, lasts: MINUTE },
  "late-edge": { play: replicas.lateEdge, share: 0.2, lasts: MINUTE },
  "isolate-behind": { play: replicas.isolateBehind, share: 0.3, lasts: 1.5 * MINUTE },
  "quiet-host": { play: replicas.quietHost, share: 0.2, lasts: 2.5 * MINUTE, shape: SEVERAL_SHARDS },
};

const EXODUS = "exodus";
const SLEEPER = "sleeper";
const OLDER_LOG = "older-log";
const GONE_DOMAIN = "gone-domain";
const DAY_AWAY = "day-away";
const DAY_OF_DEAF_HOST = "day-of-deaf-host";
const UNLISTED_HOST = "unlisted-host";
const NAMES: readonly string[] = [
  ...Object.keys(KINDS),
  EXODUS,
  SLEEPER,
  OLDER_LOG,
  GONE_DOMAIN,
  DAY_AWAY,
  DAY_OF_DEAF_HOST,
  UNLISTED_HOST,
];

const domainOf = (meeting: string): string => `${meeting}.example`;

const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...Object.entries(KINDS).flatMap(([name, { shape }]) =>
    shape === undefined ? [] : [[domainOf(name), shape] as const],
  ),
  [domainOf(EXODUS), { bits: 2, names: registries.MANY_NAMES }],
]);

export const shapeOfMeeting = (domain: string): Shape => SHAPES.get(domain) ?? { bits: 0, names: 12 };

const meetingOf = (
  name: string,
  seed: number,
  setup: Setup,
  add: Add,
  domain: string = domainOf(name),
): Meeting => new Meeting(domain, NAMES.indexOf(name) + 1, new Random(seed, name), setup, add);

export function addMeetings(seed: number, setup: Setup, length: number, add: Add): void {
  for (const [name, { play, share, lasts, starts }] of Object.entries(KINDS)) {
    const meeting = meetingOf(name, seed, setup, add);
    const { random } = meeting;
    const room = length - 10 * SECOND - lasts;
    if (!random.chance(share) || room < 0) continue;
    if (starts === "last") play(meeting, length);
    else play(meeting, 10 * SECOND + random.next() * (starts === "first" ? 20 * SECOND : room));
  }
  if (setup.hasExodus)
    registries.exodus(
      meetingOf(EXODUS, seed, setup, add),
      10 * SECOND + (length - MINUTE) * new Random(seed).next(),
    );
}

/** A pause that a sleeper sleeps through comes no earlier. */
export const TIME_BEFORE_SLEEP = 150 * SECOND;

/** @param pause when a pause begins that is long enough */
export function addSleeper(seed: number, setup: Setup, pause: number, add: Add): void {
  registries.sleeper(meetingOf(SLEEPER, seed, setup, add), pause);
}

/** @param pause when a pause begins in which tombstones end */
export function addGoneDomain(seed: number, setup: Setup, pause: number, add: Add): void {
  replicas.goneDomain(meetingOf(GONE_DOMAIN, seed, setup, add), pause);
}

/** @param pause when a pause of more than a day begins */
export function addDayAway(seed: number, setup: Setup, pause: number, add: Add): void {
  bridges.dayAway(meetingOf(DAY_AWAY, seed, setup, add), pause);
  outages.dayOfDeafHost(meetingOf(DAY_OF_DEAF_HOST, seed, setup, add), pause);
}

/** Beside the loss of a Registry: when it comes, when the Registry starts again, and when all is published. */
export function addOlderLog(
  seed: number,
  setup: Setup,
  add: Add,
  partition: number,
  [lost, initialised, refilled]: readonly [lost: number, initialised: number, refilled: number],
): void {
  const domain = domainIn(partition, setup.partitions, domainOf(OLDER_LOG));
  bridges.olderLog(meetingOf(OLDER_LOG, seed, setup, add, domain), lost, initialised, refilled);
  const unlisted = domainIn(partition, setup.partitions, domainOf(UNLISTED_HOST));
  outages.unlistedHost(meetingOf(UNLISTED_HOST, seed, setup, add, unlisted), lost, initialised, refilled);
}
