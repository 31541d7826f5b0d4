import { describe, expect, it, vi } from "vitest";
import { parseAddress } from "../../../src/bridge/index.ts";
import type { ProtocolName } from "../../../src/bridge/protocols/index.ts";
import { nodePlatform } from "../../../src/cli/platform.ts";
import { run } from "../../../src/cli/program.ts";
import { temporaryFolder } from "../../support/processes.ts";
import { startEdge } from "../support/bridge-process.ts";
import { Client } from "../support/sockets.ts";

vi.mock(import("../../../src/bridge/protocols/index.ts"), async (original) => {
  const { verdicts } = await import("../support/verdict-protocol.ts");
  const PROTOCOLS = { ...(await original()).PROTOCOLS, verdicts };
  return { PROTOCOLS, PROTOCOL_NAMES: Object.keys(PROTOCOLS) as ProtocolName[] };
});

describe("a protocol that is in the table only", () => {
  it("has a flag, is served over a socket, and is counted by its name", async () => {
    const edge = await startEdge();
    let stdout = "";
    let stop: (signal: string) => void = () => undefined;
    const ended = run(
      {
        ...nodePlatform(),
        cwd: temporaryFolder(),
        env: { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: "a-token" },
        write: (text) => {
          stdout += text;
        },
        writeError: () => undefined,
        onStop(react) {
          stop = react;
          return () => undefined;
        },
        onHangup: () => undefined,
      },
      ["bridge", "--verdicts", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
    );
    await expect.poll(() => stdout).toContain("ready");
    const [, shown = "", page = ""] = /verdicts on (\S+)\nmetrics on (\S+)/.exec(stdout) ?? [];
    const address = parseAddress(shown);
    if (typeof address === "string") throw new Error(address);
    const client = await Client.connect(address);
    client.send("user@example.com\nnobody@example.com\n");
    expect(await client.told(/unknown\n/)).toBe("deliverable\nunknown\n");
    const metrics = await (await fetch(`http://${page}/metrics`)).text();
    expect(metrics).toMatch(/^rollcall_bridge_lookups_total\{protocol="verdicts",verdict="unknown",.*\} 1$/m);
    expect(metrics).toContain('rollcall_bridge_connections{protocol="verdicts"} 1\n');
    client.leave();
    stop("SIGTERM");
    expect(await ended).toBe(0);
  });
});
