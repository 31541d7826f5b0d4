/* What a replica learns of a log page by page, while the log goes on: the Registry's pages, the client, a LogView. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChangesAnswer, ChangesRequest } from "../../src/api/index.ts";
import { collectChanges } from "../../src/client/changes.ts";
import { ClientError } from "../../src/client/index.ts";
import { LogView } from "../../src/reader/log-view.ts";
import { changesForReplica } from "../../src/registry/log/replica-changes.ts";
import type { RegistryStorage } from "../../src/registry/ports.ts";
import { Desk } from "./support.ts";

const DOMAINS = Array.from({ length: 9 }, (_, i) => `d${i}.example`);
/** Heads on a page; a commit below has at most three. */
const PAGE = 4;
const WINDOW = 30;

type Action =
  | { readonly kind: "commit"; readonly domains: readonly string[] }
  | { readonly kind: "delete"; readonly domain: string }
  | { readonly kind: "prune" };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      domains: fc.uniqueArray(fc.constantFrom(...DOMAINS), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("delete" as const), domain: fc.constantFrom(...DOMAINS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("prune" as const) }) },
);

/** A Registry in use, and a replica that follows it. */
class Scene {
  readonly desk = new Desk();
  readonly view = new LogView(0, 1000 * WINDOW);
  readonly #scope: readonly string[] | null;
  /** Numbers of tombstones that were pruned. */
  readonly #pruned = new Set<number>();
  #commits = 0;
  pages = 0;

  constructor(scope: readonly string[] | null) {
    this.#scope = scope;
  }

  async run(act: Action): Promise<void> {
    const { desk } = this;
    if (act.kind === "commit") {
      const commits = [];
      // A list that changes nothing would get no number.
      const list = [`u${this.#commits++}`];
      for (const domain of act.domains) commits.push(await desk.prepare(list, { domain }));
      await desk.commit(commits, { force: true });
    } else if (act.kind === "delete") {
      const head = await desk.head(act.domain);
      if (head !== null && head.deletedUntil === null) await desk.remove(act.domain);
    } else {
      const registry = desk.world.registry();
      registry.sql("UPDATE heads SET deleted = 1 WHERE deleted IS NOT NULL");
      for (const { number } of registry.sql("SELECT number FROM heads WHERE deleted IS NOT NULL")) {
        this.#pruned.add(number as number);
      }
      await desk.world.clock.run(desk.core.alarm());
    }
  }

  /** Polls once. @param between what happens after each page. @returns false if the pages never fitted together */
  async poll(between: Iterator<readonly Action[]>): Promise<boolean> {
    const since = this.view.position;
    const ask = async (request: ChangesRequest): Promise<ChangesAnswer> => {
      this.pages++;
      const page = this.page(request);
      if (page.next !== null) for (const act of between.next().value ?? []) await this.run(act);
      return page;
    };
    const domains = this.#scope === null ? null : new Set(this.#scope);
    try {
      const { answer } = await collectChanges({ partition: 0, since, nonce: "n", domains }, ask);
      this.view.apply(answer, 1_000, since);
      return true;
    } catch (error) {
      if (error instanceof ClientError && /changed each time/.test(error.message)) return false;
      throw error;
    }
  }

  page({ since, after = null, nonce, partition }: ChangesRequest): ChangesAnswer {
    const sql: RegistryStorage["sql"] = (statement, ...bindings) =>
      this.desk.world.registry().sql(statement, ...(bindings as (string | number)[]));
    const storage = { sql } as RegistryStorage;
    const question = { token: null, domains: this.#scope, after };
    const { incarnation, asOf, full, heads, replica } = changesForReplica(storage, since, question, 5, PAGE);
    const { pruned, next, time } = replica;
    const place = { nonce, partition, partitions: 1, window: WINDOW };
    return { ...place, time, incarnation, as_of: asOf, full, heads, pruned, next };
  }

  /** The heads that the token covers, as the Registry has them. */
  heads(): [string, number | undefined][] {
    const rows = this.desk.world.registry().sql("SELECT domain, number FROM heads");
    const known = new Map(rows.map(({ domain, number }) => [domain, number]));
    return DOMAINS.map((domain) => [
      domain,
      this.#scope?.includes(domain) === false ? undefined : (known.get(domain) as number | undefined),
    ]);
  }

  /** What the replica knows, without tombstones that were pruned after it knew them: it finds no manifest of them. */
  seen(): [string, number | undefined][] {
    return DOMAINS.map((domain) => {
      const number = this.view.head(domain);
      return [domain, number !== undefined && this.#pruned.has(number) ? undefined : number];
    });
  }
}

describe("a replica that follows a log page by page", () => {
  it("knows exactly the heads of its domains after each poll, whatever happens between two pages", async () => {
    let [joined, restarted] = [0, 0];
    const round = fc.record({
      before: fc.array(action, { maxLength: 8 }),
      between: fc.array(fc.array(action, { maxLength: 3 }), { maxLength: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.constant(null), fc.subarray([...DOMAINS], { minLength: 1 })),
        fc.array(round, { minLength: 1, maxLength: 4 }),
        async (scope, rounds) => {
          const scene = new Scene(scope);
          await scene.desk.open();
          for (const { before, between } of rounds) {
            for (const act of before) await scene.run(act);
            scene.pages = 0;
            if (!(await scene.poll(between.values()))) {
              restarted++;
              continue;
            }
            if (scene.pages > 1) joined++;
            expect(scene.seen()).toEqual(scene.heads());
            const [row] = scene.desk.world.registry().sql("SELECT value FROM meta WHERE name = 'number'");
            expect(scene.view.asOf).toBe(row?.value ?? 0);
            expect(scene.view.isComplete).toBe(true);
          }
        },
      ),
      { numRuns: 150 },
    );
    console.info(`${joined} lists were joined from pages; ${restarted} were given up after three tries`);
    expect(joined).toBeGreaterThan(20);
  });

  it("starts again from the first page if the Registry comes past what it knew before it was restored", async () => {
    const scene = new Scene(null);
    await scene.desk.open();
    await scene.run({ kind: "commit", domains: DOMAINS.slice(0, 3) });
    await scene.run({ kind: "commit", domains: DOMAINS.slice(3, 6) });
    const [row] = scene.desk.world.registry().sql("SELECT value FROM meta WHERE name = 'incarnation'");
    const incarnation = row?.value as number;
    // Before it was restored, the Registry had a third commit.
    const heads = [[DOMAINS[8] as string, 3]] as const;
    scene.view.apply({ incarnation, asOf: 3, full: true, heads, revoked: [], wanted: null }, 0, null);
    expect(await scene.poll([[{ kind: "commit", domains: DOMAINS.slice(0, 1) }] as Action[]].values())).toBe(
      true,
    );
    expect(scene.pages).toBe(3);
  });

  it("starts again from the first page if a tombstone is made and pruned before the last", async () => {
    const scene = new Scene(null);
    await scene.desk.open();
    await scene.run({ kind: "commit", domains: DOMAINS.slice(0, 3) });
    await scene.run({ kind: "commit", domains: DOMAINS.slice(3, 6) });
    const gone: Action[] = [{ kind: "delete", domain: DOMAINS[0] as string }, { kind: "prune" }];
    expect(await scene.poll([gone].values())).toBe(true);
    expect(scene.pages).toBe(4);
    expect(scene.view.head(DOMAINS[0] as string)).toBeUndefined();
    expect(scene.seen()).toEqual(scene.heads());
  });

  it("gets the heads of one commit on one page", async () => {
    const scene = new Scene(null);
    await scene.desk.open();
    await scene.run({ kind: "commit", domains: DOMAINS.slice(0, 3) });
    await scene.run({ kind: "commit", domains: DOMAINS.slice(3, 6) });
    const first = scene.page({ partition: 0, since: null, nonce: "n" });
    expect(first).toMatchObject({ full: true, as_of: 2, next: 1 });
    expect(first.heads.map(([domain]) => domain)).toEqual(DOMAINS.slice(0, 3));
    const second = scene.page({ partition: 0, since: null, after: 1, nonce: "n" });
    expect(second).toMatchObject({ full: true, as_of: 2, next: null });
    expect(second.heads.map(([domain]) => domain)).toEqual(DOMAINS.slice(3, 6));
  });

  it("gets no list as complete that would be cut within a commit", async () => {
    const scene = new Scene(null);
    await scene.desk.open();
    await scene.run({ kind: "commit", domains: DOMAINS.slice(0, PAGE + 1) });
    expect(() => scene.page({ partition: 0, since: null, nonce: "n" })).toThrow(
      "more than 4 heads have the number 1",
    );
  });

  it("would confirm what it does not know if it applied a page by itself", async () => {
    const scene = new Scene(null);
    await scene.desk.open();
    await scene.run({ kind: "commit", domains: DOMAINS.slice(0, 3) });
    await scene.run({ kind: "commit", domains: DOMAINS.slice(3, 6) });
    const page = scene.page({ partition: 0, since: null, nonce: "n" });
    const { incarnation, full, heads } = page;
    scene.view.apply({ incarnation, asOf: page.as_of, full, heads, revoked: [], wanted: null }, 1_000, null);
    // This is why the client joins pages: the view takes d3.example for not served, and is fresh.
    expect(scene.view.isFresh(1_001)).toBe(true);
    expect(scene.view.head(DOMAINS[3] as string)).toBeUndefined();
  });
});
