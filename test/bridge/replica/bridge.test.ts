import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../support/processes.ts";
import { startReplica, useRealEdge } from "./support.ts";

const SLOW = 60_000;

describe("rollcall bridge --replica", () => {
  const edge = useRealEdge();

  it("answers from its own lists, and asks the edge outside its scope", { timeout: SLOW }, async () => {
    await edge.publish("in.example", ["alice", "bob"]);
    await edge.publish("out.example", ["carol"]);
    const folder = join(temporaryFolder(), "replica");
    const bridge = await startReplica(edge, await edge.token("in.example", "out.example"), folder, [
      "--domain",
      "in.example",
    ]);
    await bridge.logged("replica-ready", { domain: "in.example" });
    bridge.running.child.stderr?.on("data", (t) => console.log(String(t)));
    await bridge.reply("alice@in.example");
    expect(await bridge.said("alice@in.example")).toBe("250 replica");
    expect(await bridge.said("nobody@in.example")).toBe("550 replica");
    expect(await bridge.said("carol@out.example")).toBe("250 edge");
    expect(await bridge.said("nobody@out.example")).toBe("550 edge");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "keys/in.example/1")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(folder, "keys/out.example"))).toBe(false);

    expect((await bridge.running.stop()).code).toBe(0);
  });
});
