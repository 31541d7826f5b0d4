/* A rollback with many open single changes is one step, like the publish that settles them, and not a much longer one. */
import { expect, it, vi } from "vitest";
import { encodeKept, toBase64Url } from "../../../src/directory/index.ts";
import { people } from "../../../testing/lists.ts";
import { accepted, D, Desk } from "../support.ts";

const OPEN = 3_000;
const FULL = 2;

it("a rollback costs a few statements for each single change that opens or ends, as a publish does", async () => {
  const desk = await new Desk().open();
  const all = people(4_000);
  const first = await desk.publish(all);
  const names = Object.fromEntries(all.slice(0, OPEN).map((name) => [name, FULL]));
  const changes = await desk.changes(names, { force: true });
  accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
  const head = async (): Promise<number> => (await desk.head())?.generation as number;
  const changed = await head();
  const statements = vi.spyOn(desk.world.registry().storage, "sql");
  const costOf = async (work: () => Promise<unknown>): Promise<number> => {
    statements.mockClear();
    await work();
    return statements.mock.calls.length / OPEN;
  };
  const open = (): unknown =>
    desk.world.registry().sql("SELECT count(*) AS n FROM patched_names WHERE domain = ?", D)[0]?.n;

  const commit = await desk.prepare(people(3_999));
  const published = await costOf(() =>
    desk.commit([{ ...commit, patched_kept: toBase64Url(encodeKept([])) }]),
  );
  expect(open()).toBe(0);
  const now = await head();
  const opened = await costOf(async () => accepted(await desk.rollback({ to: changed, expect: now })));
  expect(open()).toBe(OPEN);
  const ended = await costOf(async () => accepted(await desk.rollback({ to: first, expect: now + 1 })));
  expect(open()).toBe(0);
  expect([published, opened, ended].map((it) => it > 0.5 && it < 5)).toEqual([true, true, true]);
  expect(Math.max(opened, ended) / published).toBeLessThan(2);
});
