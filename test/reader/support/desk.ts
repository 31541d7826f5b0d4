/** A reader alone: with virtual time, a KV and logs that say what a test tells them to, and all that it reports. */
import type { FaultKind, Question, QuestionAnswer, Result } from "../../../src/api/index.ts";
import {
  type Answer,
  blobId,
  blobKey,
  type DomainPolicy,
  encodeDepartures,
  encodeManifest,
  encodeRoster,
  fingerprint,
  type Manifest,
  type ManifestContent,
  manifestKey,
  openManifest,
  type Roster,
  rosterKey,
  rosterMac,
  tailOf,
} from "../../../src/directory/index.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import {
  type AskedName,
  queryOf,
  Reader,
  type ReaderContext,
  type ReaderSettings,
} from "../../../src/reader/index.ts";
import { VirtualTime } from "../../../testing/virtual-time.ts";
import { contentOf, keyFor, listOf, MASTER, packList, policyWith, tableOf } from "../../directory/helpers.ts";

export const WINDOW = 30_000;
export const GRACE = 7 * 86_400_000;
export const D = "example.com";
export const INCARNATION = 1_767_225_600_000;

/** A generation to make: names, and what differs from a plain one of the Registry. */
export interface Shape extends Partial<Omit<ManifestContent, "policy" | "shards">> {
  readonly names?: readonly string[];
  readonly policy?: Partial<DomainPolicy>;
  /** Splits the list into so many bits of shards, each a blob; left out: inline. */
  readonly bits?: number;
}

export type Fate = "answers" | "fails" | "hangs" | "refuses";

/** The log of one partition, as the Registry keeps it. */
export class FakeLog {
  incarnation = INCARNATION;
  asOf = 4;
  readonly heads = new Map<string, number>();
  readonly manifests = new Map<string, Uint8Array>();
  readonly blobs = new Map<string, Uint8Array>();
  revoked: string[] = [];
  fate: Fate = "answers";
  /** Milliseconds that an answer takes. */
  takes = 0;
  readonly questions: Question[] = [];
  readonly blobsAsked: { readonly id: string; readonly isMissed: boolean }[] = [];
  refusal = { code: "unavailable", message: "not now" } as const;
  readonly #time: VirtualTime;
  readonly #underWay = new Set<() => void>();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  async changes(question: Question): Promise<Result<QuestionAnswer>> {
    this.questions.push(question);
    return this.#answer(() => {
      const { since, want, most } = question;
      const from = since?.incarnation === this.incarnation ? since.number : -1;
      const changed = [...this.heads].filter(([, number]) => number > from);
      const isTooMuch = since === null && most !== undefined && changed.length > most;
      return {
        incarnation: this.incarnation,
        asOf: this.asOf,
        full: from < 0 && !isTooMuch,
        heads: isTooMuch ? [] : changed,
        revoked: isTooMuch ? [] : this.revoked,
        wanted: want === null ? null : { domain: want, manifest: this.manifests.get(want) ?? null },
      };
    });
  }

  async blob(_domain: string, id: string, isMissed: boolean): Promise<Result<Uint8Array | null>> {
    this.blobsAsked.push({ id, isMissed });
    return this.#answer(() => this.blobs.get(id) ?? null);
  }

  /** Has answers that are under way say what holds now, whatever changes until they arrive. */
  freeze(): void {
    for (const settle of this.#underWay) settle();
  }

  async #answer<T>(value: () => T): Promise<Result<T>> {
    let settled: { readonly value: T } | null = null;
    const settle = (): void => {
      settled ??= { value: value() };
    };
    this.#underWay.add(settle);
    if (this.takes > 0) await this.#time.sleep(this.takes);
    this.#underWay.delete(settle);
    if (this.fate === "hangs") return new Promise(() => undefined);
    if (this.fate === "fails") throw new Error("the log is away");
    if (this.fate === "refuses") return { ok: false, error: this.refusal };
    settle();
    return { ok: true, value: (settled as unknown as { readonly value: T }).value };
  }
}

export class Desk {
  readonly time = new VirtualTime();
  readonly log = new FakeLog(this.time);
  readonly kv = new Map<string, Uint8Array | string>();
  kvFate: Fate = "answers";
  /** Milliseconds that a read takes. */
  kvTakes = 0;
  /** Keys read from KV, each with its cacheTtl. */
  readonly reads: [key: string, cacheTtl: number][] = [];
  readonly faults: [kind: FaultKind, domain: string | null, detail: string][] = [];
  readonly answered: [answer: Answer, domain: string | null][] = [];
  /** What was to be counted of the names, of each answer that has any. */
  readonly names: (readonly AskedName[])[] = [];
  readonly reader: Reader;
  background: Promise<unknown>[] = [];

  constructor(settings: Partial<ReaderSettings> = {}) {
    const { time } = this;
    this.reader = new Reader(
      {
        window: WINDOW,
        acceptGrace: GRACE,
        cacheBytes: 1_000_000,
        partitions: 1,
        mostHeads: 3,
        ...settings,
      },
      {
        clock: time,
        timers: time,
        hashing: stablelibHashing,
        keyFor,
        rosterMac: rosterMac(stablelibHashing, MASTER),
        observer: {
          answered: (answer, domain, names = []) => {
            this.answered.push([answer, domain]);
            if (names.length > 0) this.names.push(names);
          },
          fault: (kind, domain, detail) => void this.faults.push([kind, domain, detail]),
        },
      },
    );
  }

  /** Makes a generation, for KV and the Registry to hold. */
  manifest({ names = ["alice"], policy = {}, bits, ...more }: Shape = {}): {
    readonly bytes: Uint8Array;
    readonly content: ManifestContent;
    readonly shards: readonly Uint8Array[];
  } {
    const domain = more.domain ?? D;
    const key = keyFor(domain);
    const packed = packList(listOf(names, 0, policy), key, bits ?? 0);
    const table = bits === undefined ? packed.table : tableOf(packed.shards, bits, false);
    const content = contentOf(
      { ...packed, table },
      {
        domain,
        incarnation: INCARNATION,
        generation: 5,
        time: this.time.now(),
        policy: policyWith(policy),
        ...more,
      },
    );
    return { bytes: encodeManifest(content, key), content, shards: packed.shards };
  }

  /** Publishes a generation: it is the head of the log, and in KV unless a test removes it there. */
  publish(shape: Shape = {}): ManifestContent {
    const { bytes, content, shards } = this.manifest(shape);
    const { domain, generation } = content;
    this.log.heads.set(domain, generation);
    this.log.asOf = Math.max(this.log.asOf, generation);
    this.log.manifests.set(domain, bytes);
    this.kv.set(manifestKey(domain), bytes);
    if (content.shards.inline === null) {
      shards.forEach((shard, i) => {
        const id = blobId(content.shards, i);
        this.log.blobs.set(id, shard);
        this.kv.set(blobKey(domain, id), shard);
      });
    }
    return content;
  }

  open(bytes: Uint8Array, domain = D): Manifest {
    return openManifest(bytes, domain, keyFor);
  }

  encode(content: ManifestContent): Uint8Array {
    return encodeManifest(content, keyFor(content.domain));
  }

  /** Publishes a list of alice alone, which names left just now; they stand in a blob of their own. */
  withDepartures(names: readonly string[], until: number) {
    const key = keyFor(D);
    const tails = Float64Array.from(names, (name) => tailOf(fingerprint(key.names, name))).sort();
    const seconds = Uint32Array.from(tails, () => Math.floor(until / 1000));
    const departures = encodeDepartures({ tails, until: seconds }, 0);
    const table = { ...tableOf([departures], 0, false), count: names.length };
    const content = this.publish({ departures: table });
    const id = blobId(table, 0);
    this.log.blobs.set(id, departures);
    this.kv.set(blobKey(D, id), departures);
    return { content, departures };
  }

  roster(partition: string, more: Partial<Roster> = {}): void {
    const roster: Roster = {
      partition,
      partitions: 1,
      incarnation: INCARNATION,
      asOf: 4,
      heartbeat: this.time.now(),
      heads: {},
      revoked: [],
      ...more,
    };
    this.kv.set(rosterKey(partition), encodeRoster(roster, rosterMac(stablelibHashing, MASTER)));
  }

  context(deadline = Number.POSITIVE_INFINITY): ReaderContext {
    return {
      kv: {
        get: async (key, cacheTtl) => {
          const value = await this.#read(key, cacheTtl);
          return value === undefined ? null : (value as Uint8Array);
        },
        getTexts: async (keys, cacheTtl) => {
          const texts = new Map<string, string | null>();
          for (const key of keys) texts.set(key, ((await this.#read(key, cacheTtl)) as string) ?? null);
          return texts;
        },
      },
      log: () => this.log,
      background: (work) => void this.background.push(work.catch(() => undefined)),
      pending: new Map(),
      deadline,
    };
  }

  /** Checks one recipient, as a request of its own; time moves until it is answered. */
  async check(
    recipient: string,
    { min, named }: { readonly min?: number; readonly named?: boolean } = {},
  ): Promise<Answer> {
    const minGenerations = min === undefined ? null : { [D]: min };
    const query = queryOf(recipient, minGenerations, named ? new Set([D]) : null);
    return this.time.run(Promise.resolve(this.reader.check(this.context(), query)));
  }

  /** Waits for the background work of all requests. */
  async idle(): Promise<void> {
    while (this.background.length > 0) {
      const work = this.background;
      this.background = [];
      await this.time.run(Promise.all(work));
    }
  }

  /** What was read of KV since this was last called, by key. */
  takeReads(): string[] {
    return this.reads.splice(0).map(([key]) => key);
  }

  takeFaults(): FaultKind[] {
    return this.faults.splice(0).map(([kind]) => kind);
  }

  takeQuestions(): Question[] {
    return this.log.questions.splice(0);
  }

  async #read(key: string, cacheTtl: number): Promise<Uint8Array | string | undefined> {
    this.reads.push([key, cacheTtl]);
    if (this.kvTakes > 0) await this.time.sleep(this.kvTakes);
    if (this.kvFate === "hangs") return new Promise(() => undefined);
    if (this.kvFate === "fails") throw new Error("KV is away");
    return this.kv.get(key);
  }
}

/** A reader that has confirmed its list just now. */
export async function confirmed(shape: Shape = {}, settings: Partial<ReaderSettings> = {}): Promise<Desk> {
  const desk = new Desk(settings);
  desk.publish(shape);
  await desk.check(`nobody@${D}`);
  await desk.idle();
  desk.takeReads();
  desk.takeQuestions();
  return desk;
}
