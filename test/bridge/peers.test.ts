import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AllowedPeers, type Network, parseNetwork } from "../../src/bridge/listeners/peers.ts";
import { COMMAND, environment, temporaryFolder } from "../support/processes.ts";
import { startServer } from "./support/server.ts";
import { Client, netstring } from "./support/sockets.ts";

/*
 * Clients beyond loopback: only those of the networks that --allow-remote names.
 */

const allowed = (...texts: string[]): AllowedPeers =>
  new AllowedPeers(texts.map((text) => parseNetwork(text) as Network));

describe("a network", () => {
  it.each([
    ["192.0.2.0/24", { family: "ipv4", address: "192.0.2.0", prefix: 24 }],
    ["0.0.0.0/0", { family: "ipv4", address: "0.0.0.0", prefix: 0 }],
    ["192.0.2.7", { family: "ipv4", address: "192.0.2.7", prefix: 32 }],
    ["2001:db8::/32", { family: "ipv6", address: "2001:db8::", prefix: 32 }],
    ["2001:db8::7", { family: "ipv6", address: "2001:db8::7", prefix: 128 }],
  ])("is read from %s", (text, network) => expect(parseNetwork(text)).toEqual(network));

  it.each(["", "mail.example", "192.0.2.0/24/24", "192.0.2/24", "fe80::1%eth0/64", "*"])(
    "is not %j",
    (text) => expect(parseNetwork(text)).toMatch(/^must be 192\.0\.2\.0\/24, /),
  );

  it.each([
    ["192.0.2.0/33", 32],
    ["192.0.2.0/", 32],
    ["192.0.2.0/-1", 32],
    ["192.0.2.0/255.255.255.0", 32],
    ["2001:db8::/129", 128],
  ])("is not %j", (text, most) =>
    expect(parseNetwork(text)).toBe(`must have a prefix length from 0 to ${most}`),
  );
});

describe("a client", () => {
  it("of this host is always allowed", () => {
    for (const address of ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"]) {
      expect(allowed().allows(address)).toBe(true);
    }
  });

  it("of a network is allowed if the network is named, whatever the form of its address", () => {
    const peers = allowed("192.0.2.0/24", "2001:db8:1::/48");
    for (const address of ["192.0.2.1", "::ffff:192.0.2.255", "2001:db8:1:2::3"])
      expect(peers.allows(address)).toBe(true);
    for (const address of ["192.0.3.1", "::ffff:192.0.3.1", "2001:db8:2::1", "fe80::1%eth0"]) {
      expect(peers.allows(address)).toBe(false);
    }
  });

  it("that has already gone is not allowed", () =>
    expect(allowed("0.0.0.0/0", "::/0").allows(undefined)).toBe(false));

  it("that is not allowed is closed at once, unread, and counted", async () => {
    const { listen, foreign } = startServer({ isAllowed: () => false });
    const client = await Client.connect(await listen("socketmap"));
    expect(await client.send(netstring("recipients alice@example.com")).closed()).toBe("");
    expect(foreign).toEqual(["socketmap"]);
    client.leave();
  });

  it("of a unix socket needs no network: the socket has permissions", async () => {
    const { listen, foreign } = startServer({ isAllowed: () => false });
    const address = await listen("socketmap", { kind: "unix", path: join(temporaryFolder(), "s") });
    const client = await Client.connect(address);
    expect(await client.send(netstring("access alice@example.com")).told(/,$/)).toBe("8:OK DUNNO,");
    expect(foreign).toEqual([]);
    client.leave();
  });
});

/** A network of its own, with addresses beyond loopback that nothing else can reach. */
const CAN_ISOLATE =
  process.getuid?.() === 0 &&
  existsSync("/usr/sbin/ip") &&
  spawnSync("unshare", ["--net", "true"], { stdio: "ignore" }).status === 0;

describe.skipIf(!CAN_ISOLATE)(
  `a bridge beyond loopback${CAN_ISOLATE ? "" : " (needs root, unshare and iproute2)"}`,
  () => {
    it("answers the networks that are named, and no other", () => {
      const home = temporaryFolder();
      const { stdout, stderr } = spawnSync(
        "unshare",
        [
          ...["--net", "sh", "-c"],
          'ip link set lo up && for a in 1 2 3; do ip addr add 192.0.2.$a/32 dev lo; done && exec "$@"',
          ...[
            "sh",
            process.execPath,
            join(import.meta.dirname, "support", "remote-clients.mjs"),
            process.execPath,
          ],
          ...[COMMAND, "bridge", "--line", "192.0.2.1:10025", "--metrics", "192.0.2.1:10026"],
          ...["--allow-remote", "192.0.2.2", "--timeout", "0.5"],
        ],
        {
          encoding: "utf8",
          cwd: home,
          env: environment(home, { ROLLCALL_URL: "http://127.0.0.1:9", ROLLCALL_TOKEN: "t" }),
        },
      );
      const seen = stdout === "" ? stderr : (JSON.parse(stdout) as unknown);
      expect(seen).toMatchObject({
        line: {
          "127.0.0.1": expect.stringMatching(/^451 4\.3\.0 /),
          "192.0.2.2": expect.stringMatching(/^451 4\.3\.0 /),
          "192.0.2.3": "",
        },
        metrics: { "192.0.2.2": 200, "192.0.2.3": 403 },
        counted: ['rollcall_bridge_foreign_total{protocol="line"} 1'],
        logged: [
          expect.stringMatching(
            /"event":"foreign","protocol":"line".*allow_remote does not name its network/,
          ),
        ],
      });
    });
  },
);
