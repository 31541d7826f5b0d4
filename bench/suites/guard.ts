/** What the guard of law 4 costs a commit, in a long list after many generations within the day. */
import { atMost, type Suite } from "../report/measurement.ts";
import { MILLION } from "../rig/lists.ts";
import { cpuOf, memoryOf } from "../rig/processes.ts";
import { PublishedList } from "../rig/publisher.ts";
import { median } from "../rig/rounds.ts";
import { publishedWorld } from "../rig/world.ts";

/** Commits at the start and at the end of the day that are compared. */
const COMPARED = 25;
/** Share of the names that goes in the last commit: one that the guard still allows. */
const SHARE = 0.15;

/** What one commit cost: time until its answer, and CPU of the process that the Registry is in. */
interface Cost {
  readonly seconds: number;
  readonly cpuMs: number;
}

export const guard: Suite = {
  name: "guard",
  async run({ isQuick }, tell) {
    const { world, mailboxes } = await publishedWorld(isQuick ? MILLION / 10 : 10 * MILLION, tell);
    await using edge = await world.serve();
    const list = await PublishedList.of(world, edge);
    const commit = async (): Promise<Cost> => {
      const [cpu, since] = [cpuOf(edge.pid), performance.now()];
      await list.commit();
      return { seconds: (performance.now() - since) / 1000, cpuMs: cpuOf(edge.pid) - cpu };
    };
    const generations = isQuick ? 4 * COMPARED : 1_000;
    const costs: Cost[] = [];
    for (let i = 0; i < generations; i++) {
      // In turn a name goes, and one that is gone comes back.
      if (i % 3 === 2) await list.bringBack();
      else await list.take(i % list.shards, 1);
      costs.push(await commit());
      if (i % 100 === 99) tell(`${i + 1} of ${generations} generations of one name each`);
    }
    const before = memoryOf(edge.pid, "VmRSS") ?? 0;
    tell(`a commit that takes ${SHARE * 100} % of the names`);
    for (let i = 0; i < list.shards; i++) await list.take(i, Math.floor((SHARE * mailboxes) / list.shards));
    const wide = await commit();
    const [first, last] = [costs.slice(0, COMPARED), costs.slice(-COMPARED)].map((some) => ({
      cpu: median(some.map(({ cpuMs }) => cpuMs)),
      seconds: median(some.map(({ seconds }) => seconds)),
    })) as [Record<"cpu" | "seconds", number>, Record<"cpu" | "seconds", number>];
    const [all, after] = [mailboxes, generations].map((count) => count.toLocaleString("en"));
    return [
      {
        id: "guard.one-name",
        // In CPU, since the copy to KV runs beside the commits and competes with them for time.
        what: `CPU of a commit of one name in ${all}, after ${after} in the day, against the first`,
        value: last.cpu / first.cpu,
        unit: "x",
        ...(isQuick ? {} : { bar: atMost(2) }),
        detail: {
          "ms of CPU, first": first.cpu,
          "ms of CPU, last": last.cpu,
          "seconds, first": first.seconds,
          "seconds, last": last.seconds,
        },
      },
      {
        id: "guard.many-names",
        what: `a commit that takes ${SHARE * 100} % of ${all} names, after them`,
        value: wide.seconds,
        unit: "s",
        detail: {
          "ms of CPU": wide.cpuMs,
          "workerd grew by bytes": (memoryOf(edge.pid, "VmRSS") ?? 0) - before,
        },
      },
    ];
  },
};
