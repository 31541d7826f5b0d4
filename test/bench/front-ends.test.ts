import { afterEach, describe, expect, it } from "vitest";
import { askAbout } from "../../bench/suites/front-ends.ts";
import { RIGS } from "../../integrations/rigs.ts";
import { Cleanup } from "../mta/support/cleanup.ts";
import { SmtpSession } from "../mta/support/smtp-client.ts";

const DOMAIN = "bench.example";
const LISTS = RIGS.flatMap((rig) =>
  rig.localLists.map((list) => ({ rig, list, missing: rig.missing ?? list.missing })),
);

describe("the local lists that the benchmark compares front ends with", () => {
  let cleanup = new Cleanup();
  afterEach(async () => {
    await cleanup.run();
    cleanup = new Cleanup();
  });

  for (const { rig, list, missing } of LISTS) {
    const title = `${rig.name}, ${list.name}${missing === null ? "" : ` (${missing})`}`;
    it.skipIf(missing !== null)(`${title}: has its mailboxes, and no others`, async () => {
      const names = Array.from({ length: 300 }, (_, number) => `user${number}`);
      const server = await list.start(DOMAIN, names);
      cleanup.add(() => server.stop());
      const from = rig.client ?? "127.0.0.1";
      const session = await SmtpSession.open({ port: server.port, from, sender: "sender@client.example" });
      const replyTo = async (name: string) => [name, (await session.rcpt(`<${name}@${DOMAIN}>`)).code];
      for (const name of ["user0", "user299", "USER7"]) expect(await replyTo(name)).toEqual([name, 250]);
      for (const name of ["nobody", "user300", "user"]) expect(await replyTo(name)).toEqual([name, 550]);
      await session.quit();
      const mixed = names.flatMap((name, i) => [`${name}@${DOMAIN}`, `nobody${i}@${DOMAIN}`]);
      expect(await askAbout(server, { names: mixed, atOnce: 1, from: rig.client }, 700)).toBeGreaterThan(0);
    });
  }
});
