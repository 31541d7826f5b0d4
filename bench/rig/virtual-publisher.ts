/** Publishing in virtual time: the real client, workflow, edge and Registry, over the fakes of testing/. */
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Settings } from "../../src/edge/environment.ts";
import { memorySource, publishLists } from "../../src/publish/index.ts";
import { clientOf } from "../../testing/client.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import type { Fetch } from "../../testing/network.ts";
import { MINUTE, World } from "../../testing/world.ts";
import { DOMAIN } from "./lists.ts";

export class VirtualPublisher {
  readonly world: World;
  readonly isolate: IsolateHost;
  /** Requests to the edge so far. */
  requests = 0;

  constructor(settings: Partial<Settings> = {}) {
    this.world = new World(settings);
    this.isolate = this.world.isolate();
  }

  /** Publishes a list as `rollcall publish` does, and waits until KV has it. */
  async publish(names: readonly string[]): Promise<void> {
    const { clock, settings } = this.world;
    const fetch: Fetch = (input, init) => {
      this.requests++;
      return this.isolate.fetch(new Request(input, init));
    };
    const ports = {
      client: clientOf(clock, fetch, settings.adminToken),
      hashing: stablelibHashing,
      timers: clock,
      recorder: null,
      progress: {},
      confirm: async () => undefined,
    };
    const source = memorySource(
      "list",
      names.map((name) => [`${name}@${DOMAIN}`, "active"] as const),
    );
    await clock.run(
      publishLists(ports, [{ domain: DOMAIN, source, policy: {}, canaries: [], mode: "enforce" }]),
    );
    await clock.advance(MINUTE);
  }

  /**
   * Counts the rows that the Registry writes from now on, as they are billed: a row, each of its table's index entries,
   * and each time an alarm is set. An update counts all index entries, so this is the upper end.
   */
  countRows(): () => number {
    const registry = this.world.registry();
    const schema = registry.sql(
      "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    );
    const indexes = registry.sql("SELECT tbl_name FROM sqlite_master WHERE type = 'index'");
    registry.sql("CREATE TABLE rows_written (count INTEGER NOT NULL)");
    registry.sql("INSERT INTO rows_written VALUES (0)");
    const add = (name: string, event: string, table: unknown, rows: number, when = ""): unknown =>
      registry.sql(
        `CREATE TRIGGER count_${name} AFTER ${event} ON ${table} ${when}
         BEGIN UPDATE rows_written SET count = count + ${rows}; END`,
      );
    for (const { name: table } of schema.filter(({ type }) => type === "table")) {
      const rows = 1 + indexes.filter(({ tbl_name }) => tbl_name === table).length;
      for (const event of ["INSERT", "UPDATE", "DELETE"]) add(`${event}_${table}`, event, table, rows);
    }
    add("alarms", "INSERT", "meta", 1, "WHEN NEW.name = 'alarm' AND NEW.value > 0");
    return () => registry.sql("SELECT count FROM rows_written")[0]?.count as number;
  }
}
