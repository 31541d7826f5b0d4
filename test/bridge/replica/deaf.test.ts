/* A real bridge with a replica whose polls fail while the edge answers about recipients, and then not at all. */

import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { FULL, ifFull } from "../../support/full.ts";
import { pause, temporaryFolder } from "../../support/processes.ts";
import { startReplica, useRealEdge, WINDOW } from "./support.ts";

const DOMAIN = "a.example";
const mailbox = (local: string): string => `${local}@${DOMAIN}`;
const edge = useRealEdge();
let passes: (path: string) => boolean = () => true;

/** A way to the edge on which some requests are lost. */
const road = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const { method = "", url = "", headers } = request;
    if (!passes(url)) return void response.destroy();
    const body = Buffer.concat(parts);
    const passed = { authorization: headers.authorization ?? "", "content-type": "application/json" };
    fetch(`${edge.url}${url}`, { method, headers: passed, ...(body.length === 0 ? {} : { body }) }).then(
      async (got) => {
        const type = got.headers.get("content-type") ?? "application/json";
        response.writeHead(got.status, { "content-type": type });
        response.end(Buffer.from(await got.arrayBuffer()));
      },
      () => response.destroy(),
    );
  });
});
afterAll(() => {
  road.closeAllConnections();
  road.close();
});

it.runIf(FULL)(
  ifFull(
    "accepts its list after one answer of the edge showed a newer one, and nobody of whom the edge said otherwise",
  ),
  async () => {
    await new Promise<void>((resolve) => road.listen(0, "127.0.0.1", resolve));
    const { port } = road.address() as { port: number };
    await edge.publish(DOMAIN, ["u1", "u2", "u3", "leaver"]);
    const folder = join(temporaryFolder(), "replica");
    const way = { url: `http://127.0.0.1:${port}` };
    const token = await edge.token(DOMAIN);
    const bridge = await startReplica(way, token, folder);
    for (const local of ["u1", "u2", "u3", "leaver"]) await bridge.comesToSay(mailbox(local), /^250 replica/);

    passes = (path) => path === "/v1/rcpt";
    await bridge.logged("replica-unconfirmed");
    await edge.run("add", `newcomer@${DOMAIN}`, "--yes");
    await edge.run("remove", `leaver@${DOMAIN}`, "--now", "--yes");
    await bridge.comesToSay(mailbox("newcomer"), /^250 edge/);
    await bridge.comesToSay(mailbox("leaver"), /^550/);
    await pause(1000 * WINDOW + 500);

    passes = () => false;
    for (const local of ["u1", "u2", "u3"]) expect(await bridge.said(mailbox(local))).toBe("250 replica");
    expect(await bridge.said(`newcomer@${DOMAIN}`)).toMatch(/^250/);
    for (const local of ["leaver", "nobody"]) expect(await bridge.said(mailbox(local))).toMatch(/^451/);
    await bridge.running.stop();

    // It does not know any more of whom the edge said otherwise.
    const again = await startReplica(way, token, folder);
    for (const local of ["u1", "leaver", "newcomer"])
      expect(await again.said(mailbox(local))).toMatch(/^451/);
    passes = () => true;
    for (const local of ["u1", "newcomer"]) await again.comesToSay(mailbox(local), /^250 replica/);
    await again.comesToSay(mailbox("leaver"), /^550 replica/);
    await again.running.stop();
  },
);
