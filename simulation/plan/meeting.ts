/**
 * A meeting: things that have to happen within a second or two of each other for a rule to matter. Each meeting has a
 * domain of its own, and isolates and bridges that no other traffic reaches, so that nothing hides what it shows.
 */
import { partitionOf } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { FaultKind } from "../../testing/faults.ts";
import type { Random } from "../../testing/random.ts";
import { type Add, type Change, type Patch, type Publication, SECOND, type Setup } from "./plan.ts";

export const LARGE_CACHE = 64 * 1024 * 1024;

/** Changes after which somebody is accepted who was not before, or the reverse. */
export const TELLING: readonly Change[] = ["add", "add", "swap", "remove"];

/** Made-up names, those at some places left out. */
export const people = (count: number, isLeftOut: (i: number) => boolean = () => false): string[] =>
  Array.from({ length: count }, (_, i) => i)
    .filter((i) => !isLeftOut(i))
    .map((i) => `u${i}`);

/** By then the first publish of a meeting was tried twice. */
export const PUBLISHED = 4 * SECOND;

interface Asked {
  /** The meeting's own domain if they are left out. */
  readonly domains?: readonly string[];
  readonly nobody?: boolean;
}

export class Meeting {
  /** No other step publishes it. */
  readonly domain: string;
  readonly random: Random;
  readonly setup: Setup;
  readonly add: Add;
  #focus: number;
  #changes = 0;

  /**
   * @param number tells it from all other meetings
   * @param domain of its own
   */
  constructor(domain: string, number: number, random: Random, setup: Setup, add: Add) {
    this.domain = domain;
    this.random = random;
    this.setup = setup;
    this.add = add;
    this.#focus = 100 * number;
  }

  /** Another domain of its own, in the same partition. */
  get sibling(): string {
    const { partitions } = this.setup;
    const partition = partitionOf(stablelibHashing, this.domain, partitions);
    return domainIn(partition, partitions, `sibling-of-${this.domain}`);
  }

  /**
   * Has an isolate start at a place of its own, so that faults can meet it alone.
   * @param lasts milliseconds until it ends
   * @returns its focus
   */
  isolate(at: number, lasts: number, changes: { window?: number; cacheBytes?: number } = {}): number {
    const focus = ++this.#focus;
    const { window = this.setup.window, cacheBytes = LARGE_CACHE } = changes;
    this.add(at, { kind: "isolate", location: placeOf(focus), cacheBytes, window, focus });
    this.add(at + lasts, { kind: "death", focus });
    return focus;
  }

  /** Has a bridge start beside an isolate, to which its connection leads. */
  bridge(at: number, focus: number, acceptGrace?: number): void {
    this.add(at, {
      kind: "bridge",
      location: placeOf(focus),
      focus,
      ...(acceptGrace === undefined ? {} : { acceptGrace }),
    });
  }

  ask(
    focus: number,
    at: number,
    count: number,
    { domains = [this.domain], nobody = false }: Asked = {},
  ): void {
    this.add(at, { kind: "checks", count, how: "one by one", focus, domains, nobody });
  }

  /**
   * Asks about unlisted names in all domains, so that the isolate asks each Registry and learns of all changes.
   */
  askRegistries(focus: number, at: number): void {
    this.ask(focus, at, 8, { domains: this.setup.domains, nobody: true });
  }

  askBridge(focus: number, at: number, count: number, domains: readonly string[] = [this.domain]): void {
    this.add(at, { kind: "bridge checks", count, focus, domains });
  }

  /** Asks a bridge about the recipients that it was asked about before. */
  askBridgeAgain(focus: number, at: number, count: number): void {
    this.add(at, { kind: "bridge checks", count, focus, again: true });
  }

  publish(at: number, publication: Partial<Publication> = {}): void {
    const { random, domain } = this;
    this.add(at, { kind: "publish", domain, change: random.pick(TELLING), forces: true, ...publication });
  }

  /** Publishes a list. Twice, since a first try may meet a fault; the second one changes nothing then. */
  set(at: number, list: readonly string[], publication: Partial<Publication> = {}): void {
    for (const later of [0, 2 * SECOND]) this.publish(at + later, { change: "set", list, ...publication });
  }

  /** Changes mailboxes in one request. */
  patch(at: number, states: NonNullable<Patch["states"]>, more: Partial<Patch> = {}): void {
    this.add(at, { kind: "patch", domain: this.domain, states, forces: false, ...more });
  }

  /** Publishes a first list. @returns by when it was tried twice */
  begin(at: number, list: readonly string[] = people(12)): number {
    this.set(at, list);
    return at + PUBLISHED;
  }

  /** Publishes another list than before: some of so many people leave it, and some come back. */
  change(at: number, count: number): void {
    const left = ++this.#changes;
    const isLeftOut = (i: number): boolean => i % 4 === left % 4;
    this.set(at, people(count, isLeftOut));
  }

  /** The Registries cannot be reached from the place of a focus. */
  cutOff(focus: number, from: number, ms: number): void {
    this.fault("registry unreachable", from, ms, { location: placeOf(focus) });
  }

  /** KV cannot be read at the place of a focus. */
  blind(focus: number, from: number, ms: number): void {
    this.fault("kv read error", from, ms, { location: placeOf(focus) });
  }

  fault(
    kind: FaultKind,
    from: number,
    ms: number,
    {
      location = null,
      share = 1,
      least = 0,
    }: { location?: string | null; share?: number; least?: number } = {},
  ): void {
    const id = 2_000_000 + this.random.between(0, 1e6);
    this.add(from, { kind: "episode", episode: { kind, from, to: from + ms, location, share, least, id } });
  }
}

export const placeOf = (focus: number): string => `place ${focus}`;

/** A domain that lives in a partition. */
export function domainIn(partition: number, partitions: number, name: string): string {
  for (let number = 1; ; number++) {
    const domain = `${number}.${name}`;
    if (partitionOf(stablelibHashing, domain, partitions) === partition) return domain;
  }
}
