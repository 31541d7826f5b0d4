/** What a replica asks the edge, and how often; with a cache on the way that may answer in the edge's place. */

import type { ChangesAnswer, ChangesRequest } from "../../src/api/index.ts";
import { equalBytes, fromHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Faults } from "../../testing/faults.ts";
import type { Fetch } from "../../testing/network.ts";
import type { VirtualTime } from "../../testing/virtual-time.ts";
import type { Token } from "../model/http-judge.ts";
import type { WatchedDisk } from "./watched-disk.ts";

/** The replica that sends them. */
interface Sender {
  /** Counts its starts. */
  readonly run: number;
  readonly name: string;
  readonly disk: WatchedDisk;
  readonly token: Token | null;
  /** When a fault last met it. */
  readonly hurtAt: number;
  readonly shortestWindow: number;
  hurt(): void;
  /** A poll was answered. @param token with which it was sent */
  noteAnswer(answer: ChangesAnswer, sentAt: number, token: Token | null): void;
}

interface RequestsParts {
  readonly time: VirtualTime;
  readonly location: string;
  readonly faults: Faults;
  readonly fetch: Fetch;
  readonly replica: Sender;
  violation(assertion: string, words: string): void;
}

/** Polls of one partition in one window: while they fail, and while nothing is wrong. */
const MOST_POLLS = 16;
const MOST_POLLS_WELL = 4;
/** The pauses are short again when it starts. */
const POLLS_OF_A_START = 4;
/** A poll that takes longer is a fault. */
const SLOW = 1_000;
const BLOB = /\/v1\/domains\/([^/]+)\/shards\/([0-9a-f]+)$/;

export class ReplicaRequests {
  readonly #parts: RequestsParts;
  #polls: { readonly partition: number; readonly at: number; readonly run: number }[] = [];
  readonly #underWay = new Set<{ readonly sentAt: number }>();
  /** Last answers by path. */
  readonly #cached = new Map<string, Response>();

  constructor(parts: RequestsParts) {
    this.#parts = parts;
  }

  /** Whether an answer is overdue. */
  get isWaiting(): boolean {
    const now = this.#parts.time.now();
    return [...this.#underWay].some(({ sentAt }) => now - sentAt > SLOW);
  }

  async send(request: Request): Promise<Response> {
    const { time, fetch, faults, location, replica } = this.#parts;
    const path = new URL(request.url).pathname;
    const body = await request.text();
    const { method, headers } = request;
    const isPoll = path === "/v1/changes";
    if (isPoll) this.#requireFewPolls((JSON.parse(body) as ChangesRequest).partition);
    this.#requireLacking(path);
    const sentAt = time.now();
    const cached = this.#cached.get(path);
    if (cached !== undefined && faults.meet(sentAt, location, (kind) => kind === "proxy answers stale")) {
      replica.hurt();
      await time.sleep(10);
      return cached.clone();
    }
    if (faults.meet(sentAt, location, (kind) => kind === "replica cannot poll")) {
      replica.hurt();
      throw new TypeError("fetch failed");
    }
    const { token } = replica;
    let response: Response;
    const underWay = { sentAt };
    this.#underWay.add(underWay);
    try {
      response = await fetch(request.url, { method, headers, ...(body === "" ? {} : { body }) });
    } catch (error) {
      replica.hurt();
      throw error;
    } finally {
      this.#underWay.delete(underWay);
    }
    if (response.status !== 200 || time.now() - sentAt > SLOW) replica.hurt();
    if (response.status === 200) this.#cached.set(path, response.clone());
    if (isPoll && response.status === 200)
      replica.noteAnswer((await response.clone().json()) as ChangesAnswer, sentAt, token);
    return response;
  }

  /** Polls come every half window, whatever is asked; and pauses grow while they fail. */
  #requireFewPolls(partition: number): void {
    const { time, violation, replica } = this.#parts;
    const now = time.now();
    const window = replica.shortestWindow;
    this.#polls = [
      ...this.#polls.filter((poll) => now - poll.at < window),
      { partition, at: now, run: replica.run },
    ];
    const polls = this.#polls.filter((poll) => poll.partition === partition);
    const [count, starts] = [polls.length, new Set(polls.map(({ run }) => run)).size];
    const most =
      now - replica.hurtAt > window + SLOW ? MOST_POLLS_WELL : MOST_POLLS + POLLS_OF_A_START * (starts - 1);
    if (count > most)
      violation("polls are few", `${replica.name} asks Registry ${partition} ${count} times within a window`);
  }

  /** A part that is on the disk, and intact, is not fetched again, if the replica could see that it is there. */
  #requireLacking(path: string): void {
    const [, domain, id] = BLOB.exec(path) ?? [];
    const { replica, violation } = this.#parts;
    if (domain === undefined || id === undefined || replica.disk.isBad) return;
    if (!replica.disk.wasListed(`blobs/${domain}`, id)) return;
    const bytes = replica.disk.files.get(`blobs/${domain}/${id}`);
    if (bytes === undefined || !equalBytes(stablelibHashing.sha256(bytes), fromHex(id))) return;
    violation("a publish costs what changed", `${replica.name} fetches ${id} of ${domain}, which it has`);
  }
}
