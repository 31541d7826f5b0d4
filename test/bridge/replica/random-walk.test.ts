import { describe, expect, it } from "vitest";
import { MemoryDisk } from "../../../testing/memory-disk.ts";
import { Random } from "../../../testing/random.ts";
import type { ReplicaHost } from "../../../testing/replica-host.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW } from "../../../testing/world.ts";
import { FULL } from "../../support/full.ts";
import { ReplicaWorld } from "./support-world.ts";

/*
 * A replica in a world where anything happens in any order: publishes, rollbacks, outages, answers that come late or not
 * at all, reboots, power failures, clocks that are set, sleep, and every fault of the disk. A plain record of what was
 * published when says which answers are false.
 */

const DOMAIN = "a.example";
const NAMES = Array.from({ length: 8 }, (_, i) => `n${i}`);
const GRACE = 2 * MINUTE;
const ACCEPT_GRACE = 2 * HOUR;
const STEPS = 250;
const SEEDS = Number(process.env.ROLLCALL_WALKS ?? (FULL ? 12 : 4));

/** One list and the time in which it may have been the head. */
interface Published {
  readonly names: ReadonlySet<string>;
  /** Just before its publish was sent. */
  readonly from: number;
  /** When its publish was acknowledged. */
  readonly acknowledged: number;
  /** When the publish of the next one was acknowledged. */
  until: number;
}

class Walk {
  readonly world = new ReplicaWorld();
  readonly random: Random;
  readonly disk = new MemoryDisk();
  readonly published: Published[] = [];
  host: ReplicaHost | null = null;
  /** Milliseconds for which the host was off while its clock may have stood still. */
  off = 0;
  answers = 0;
  readonly kinds = new Map<string, number>();

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  get now(): number {
    return this.world.clock.now();
  }

  async publish(): Promise<void> {
    const names = NAMES.filter(() => this.random.next() < 0.6);
    const from = this.now;
    await this.world.publishHere(DOMAIN, names, {
      exactBits: 2,
      force: true,
      policy: { grace: GRACE / SECOND },
    });
    const last = this.published.at(-1);
    if (last !== undefined) last.until = this.now;
    const until = Number.POSITIVE_INFINITY;
    this.published.push({ names: new Set(names), from, acknowledged: this.now, until });
  }

  async start(wallOffset = 0): Promise<void> {
    const seed = this.random.between(1, 1_000_000);
    this.host = await this.world.host({
      domains: [DOMAIN],
      disk: this.disk,
      acceptGrace: ACCEPT_GRACE,
      seed,
    });
    this.host.wallOffset = wallOffset;
    // On a bad disk it may never be open.
    void this.host.start();
    await this.world.clock.settle();
  }

  /** Something happens. */
  async step(): Promise<void> {
    const { world, random, disk } = this;
    const ms = random.pick([100, SECOND, 5 * SECOND, WINDOW / 2, WINDOW, 3 * MINUTE]);
    switch (random.pick(EVENTS)) {
      case "time":
        return world.clock.advance(ms);
      case "publish":
        return this.publish();
      case "network":
        world.isAway = !world.isAway;
        return;
      case "late":
        world.tamper = async (_, response) => {
          await world.clock.sleep(random.between(0, 8) * SECOND);
          return response;
        };
        return;
      case "prompt":
        world.tamper = (_, response) => response;
        return;
      case "kill":
        this.host?.kill();
        if (random.next() < 0.3) disk.losePower(() => random.next());
        disk.diesBefore = Number.POSITIVE_INFINITY;
        return this.reboot(ms);
      case "dies":
        disk.diesBefore = disk.operations + random.between(1, 20);
        await world.clock.advance(WINDOW);
        this.host?.kill();
        disk.losePower(() => random.next());
        return this.reboot(ms);
      case "clock":
        if (this.host !== null)
          this.host.wallOffset += random.pick([-DAY, -HOUR, -5 * SECOND, 5 * SECOND, MINUTE, HOUR]);
        return;
      case "sleep":
        return this.host?.sleep(ms);
      case "disk":
        disk.fault = random.pick(["full", "read-only", "unreadable", null, null, null]);
        return;
      case "flip": {
        const paths = [...disk.files.keys()];
        if (paths.length > 0) disk.flip(random.pick(paths), random.between(0, 1_000_000));
        return;
      }
      case "loss": {
        const paths = [...disk.files.keys()];
        if (paths.length > 0) disk.files.delete(random.pick(paths));
        return;
      }
    }
  }

  async reboot(ms: number): Promise<void> {
    const { wallOffset } = this.host ?? { wallOffset: 0 };
    await this.world.clock.advance(ms);
    this.off += ms;
    // The clock of a host without a battery stands still while it is off.
    await this.start(this.random.next() < 0.3 ? wallOffset - ms : wallOffset);
  }

  /** Asks about every name, and judges the answers. */
  async judge(): Promise<void> {
    for (const name of NAMES) {
      const answer = await this.host?.check(`${name}@${DOMAIN}`).catch(() => null);
      if (!answer || answer.verdict === "unavailable") continue;
      this.answers++;
      const kind = `${answer.verdict}${answer.confirmed_age === null ? "" : " confirmed"}`;
      this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
      const why = this.faultIn(name, answer.verdict, answer.confirmed_age !== null);
      if (why !== null) throw new Error(`${name} ${kind} at ${this.world.clock.elapsed}: ${why}`);
    }
  }

  faultIn(name: string, verdict: string, isConfirmed: boolean): string | null {
    /** Lists that were the head at some time since then. */
    const since = (time: number): Published[] => this.published.filter(({ until }) => until >= time);
    const isIn = ({ names }: Published): boolean => names.has(name);
    if (verdict === "deliverable") {
      const reach = isConfirmed ? WINDOW : ACCEPT_GRACE + this.off + WINDOW;
      return since(this.now - reach).some(isIn) ? null : "accepted, but it left before that may last";
    }
    if (verdict === "departed") return null;
    if (verdict !== "unknown") return "a verdict that no list gives";
    if (!isConfirmed) return "refused without a confirmation";
    const recent = since(this.now - WINDOW);
    if (recent.every(isIn)) return "refused, but it was listed for more than a window";
    // The last list that had it ended, at the earliest, when the next publish was sent.
    const index = this.published.findLastIndex(isIn);
    const next = this.published[index + 1];
    if (index >= 0 && next !== undefined && recent.every((each) => this.published.indexOf(each) > index)) {
      if (this.now < next.from + GRACE) return "refused within its grace";
    }
    return null;
  }
}

const EVENTS = [
  ...new Array<"time">(8).fill("time"),
  "publish",
  "publish",
  "network",
  "late",
  "prompt",
  "prompt",
  "kill",
  "dies",
  "clock",
  "sleep",
  "disk",
  "flip",
  "loss",
] as const;

describe("a replica to which anything happens", () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    "never gives a false answer (walk %i)",
    async (seed) => {
      const walk = new Walk(seed);
      await walk.publish();
      await walk.start();
      for (let step = 0; step < STEPS; step++) {
        await walk.step();
        await walk.judge();
      }
      // Then all is well, and it answers everything.
      const { world, disk } = walk;
      world.isAway = false;
      world.tamper = (_, response) => response;
      disk.fault = null;
      disk.diesBefore = Number.POSITIVE_INFINITY;
      walk.host?.kill();
      await walk.start();
      await world.clock.advance(3 * WINDOW);
      // Each damaged part is found when it is asked for, and fetched again.
      for (let round = 0; round < 6; round++) {
        await walk.judge();
        await world.clock.advance(2 * SECOND);
      }
      const last = walk.published.at(-1) as Published;
      for (const name of NAMES) {
        const answer = await walk.host?.check(`${name}@${DOMAIN}`);
        const expected = last.names.has(name) ? ["deliverable"] : ["unknown", "departed"];
        expect(expected).toContain(answer?.verdict);
        expect(answer?.confirmed_age).not.toBeNull();
      }
      expect(walk.answers).toBeGreaterThan(STEPS);
      // Otherwise nothing was judged.
      expect(walk.kinds.get("unknown confirmed")).toBeGreaterThan(20);
      expect(walk.kinds.get("deliverable confirmed")).toBeGreaterThan(20);
      expect(walk.kinds.get("deliverable")).toBeGreaterThan(5);
      expect(walk.host?.count("failed")).toBe(0);
    },
  );
});
