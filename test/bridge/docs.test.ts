import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TokenState } from "../../src/bridge/edge-source/token.ts";
import { DEFAULTS, SETTING_NAMES, showAddress } from "../../src/bridge/index.ts";
import { BridgeLog } from "../../src/bridge/observability/log.ts";
import { BridgeMetrics } from "../../src/bridge/observability/metrics.ts";
import { ReplicaTelemetry } from "../../src/bridge/observability/replica-telemetry.ts";
import { LOOKUPS } from "../../src/bridge/protocols/lookups.ts";
import { MAPS } from "../../src/bridge/protocols/maps/index.ts";
import { accessAction, replyLineOf } from "../../src/bridge/protocols/reply.ts";
import { readSettings } from "../../src/cli/settings.ts";
import { VERDICTS, type Verdict } from "../../src/directory/index.ts";
import { ROOT, temporaryFolder } from "../support/processes.ts";
import { answerOf } from "./support/answers.ts";
import { Bench } from "./support/bench.ts";

const page = readFileSync(join(ROOT, "docs", "bridge.md"), "utf8");

/** The rows of the tables of a section: their cells, without marks of code. */
function rowsOf(heading: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
}

describe("docs/bridge.md", () => {
  it("lists the replies to every verdict", () => {
    const rows = rowsOf("Replies by verdict");
    expect(rows.map(([verdict]) => verdict?.split(",")[0])).toEqual(Object.keys(VERDICTS));
    for (const [name, recipients, domains, access, line] of rows) {
      const answer = answerOf("alice@example.com", name?.split(",")[0] as Verdict);
      const words = (map: string): string => {
        const reply = MAPS.get(map)?.reply(answer);
        if (reply?.kind === "found") return `OK ${reply.value}`;
        return reply?.kind === "not-found" ? "NOTFOUND" : "TEMP";
      };
      const code = (text: string): string => text.replace(/^(\d{3} \d\.\d\.\d) .*$/, "$1 …");
      expect([recipients, domains, access, line]).toEqual([
        words("recipients"),
        words("domains"),
        code(accessAction(answer)),
        code(replyLineOf(answer)),
      ]);
    }
  });

  it("names every setting, with its default", () => {
    const documented = rowsOf("Settings").flatMap(([names, value]) =>
      (names ?? "").split(", ").map((name): [string, string] => [name, value ?? ""]),
    );
    // Protocols have pages of their own.
    expect(documented.map(([name]) => name)).toEqual(SETTING_NAMES.filter((name) => !(name in LOOKUPS)));
    for (const [name, value] of documented) {
      const preset = DEFAULTS[name as keyof typeof DEFAULTS];
      const shown = Array.isArray(preset)
        ? "none"
        : preset === null
          ? "none"
          : name === "socket_mode"
            ? '"0660"'
            : JSON.stringify(preset);
      expect([name, value]).toEqual([name, shown]);
    }
    expect(DEFAULTS.socket_mode).toBe(0o660);
  });

  it("has an example of settings that works unchanged", () => {
    const example = /```toml\n([\s\S]*?)```/.exec(page)?.[1] as string;
    const file = join(temporaryFolder(), "rollcall.toml");
    writeFileSync(file, example);
    const bridge = readSettings(file, "rollcall.toml")?.bridge;
    expect(bridge?.socketmap?.map(showAddress)).toEqual([
      "127.0.0.1:10023",
      "unix:/var/spool/postfix/rollcall/socketmap",
    ]);
    expect(Object.keys(bridge ?? {})).toEqual(["socketmap", "policy", "metrics"]);
  });

  it.each(Object.entries(LOOKUPS))(
    "links the page of %s, with its flag and its setting",
    (name, protocol) => {
      expect(protocol.name).toBe(name);
      expect(page).toContain(`](bridge/${name}.md)`);
      const own = readFileSync(join(ROOT, "docs", "bridge", `${name}.md`), "utf8");
      expect(own).toContain(`# ${name}\n`);
      expect(own).toContain(`\`--${name} 127.0.0.1:`);
      expect(own).toContain(`[bridge]\n${name} = "127.0.0.1:`);
    },
  );

  it("names every metric of the bridge, and no other", async () => {
    const metrics = new BridgeMetrics();
    const { cache, breaker } = new Bench(() => answerOf("alice@example.com", "unknown"));
    const token = new TokenState("", () => 0);
    metrics.watch({ cache, breaker, token, connections: () => 0, lists: () => [], olderDomains: () => 0 });
    const log = new BridgeLog({ level: "silent", write: () => undefined, wall: () => 0 });
    const replica = new ReplicaTelemetry(log, metrics.registry, () => undefined);
    replica.watch({ states: () => [], unwrittenBytes: () => 0 });
    const known = [...(await metrics.text()).matchAll(/^# TYPE (rollcall_\w+)/gm)].map((match) => match[1]);
    const documented = rowsOf("Metrics").flatMap(([names]) => (names ?? "").split(", "));
    expect(documented.sort()).toEqual(known.sort());
  });
});
