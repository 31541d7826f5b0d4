import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { startBridge } from "../../src/bridge/bridge.ts";
import { DEFAULTS } from "../../src/bridge/index.ts";
import { ClientError, type Outcome } from "../../src/client/index.ts";
import { answerOf } from "../bridge/support/answers.ts";
import { LOOPBACK } from "../bridge/support/server.ts";
import { askOnce } from "../bridge/support/sockets.ts";
import { VirtualTime } from "../bridge/support/virtual-time.ts";
import { Cleanup } from "../mta/support/cleanup.ts";
import { Command, folder, startEdge } from "../mta/support/command.ts";
import { pause, ROOT, temporaryFolder } from "../support/processes.ts";

/*
 * The alert rules and the dashboard: what they ask for exists in the metrics of a real bridge.
 */

const RULES = join(ROOT, "packaging", "prometheus", "alerts.yml");
const CASES = ["alerts.test.yml", "alerts-days.test.yml"].map((name) => join(import.meta.dirname, name));
const PROMTOOL = "/usr/bin/promtool";
const MISSING = existsSync(PROMTOOL) ? "" : " (promtool is not installed)";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(
  readFileSync(join(ROOT, "packaging", "grafana", "rollcall-bridge.json"), "utf8"),
) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { definition?: string }[] };
};

/** The expressions of the dashboard, with Grafana's variables replaced as Grafana does. */
const queries = dashboard.panels.flatMap(({ targets }) =>
  targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*")),
);
const rules = readFileSync(RULES, "utf8");
const alerts = [...rules.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name as string);

/** Metrics in an expression, with the labels of their selectors. */
function usesOf(text: string): { name: string; labels: string[] }[] {
  return [...text.matchAll(/\b((?:rollcall|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name, selector = ""]) => ({
      name: name as string,
      labels: [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label as string),
    }),
  );
}

/** Labels by metric, in a page of metrics. `instance` is Prometheus's own. */
const scraped = new Map<string, Set<string>>();
let page = "";

beforeAll(async () => {
  const time = new VirtualTime();
  let isAway = false;
  const ask = async (recipients: readonly string[]): Promise<Outcome[]> =>
    recipients.map((recipient): Outcome => {
      if (isAway)
        return { kind: "none", recipient, why: new ClientError("unreachable", "connection refused") };
      const answer = answerOf(recipient, recipient.startsWith("user") ? "deliverable" : "unknown");
      return { kind: "answer", recipient, answer };
    });
  const bridge = await startBridge({
    ...time,
    configuration: {
      settings: { ...DEFAULTS, line: [LOOPBACK], metrics: [LOOPBACK] },
      token: { current: "a-token", refresh: () => null },
      edge: {
        ask,
        page: async () => ({
          domains: [
            { domain: "example.com", generation: 7, time: 1_700_000_000_000, mode: "enforce" } as never,
          ],
          next: null,
        }),
        origin: "https://edge.example",
        close: () => undefined,
      },
    },
    chance: () => 0.5,
    writeLog: () => undefined,
    wall: () => time.clock.now(),
  });
  const addressOf = (name: string): string =>
    bridge.listeners.find((each) => each.name === name)?.address ?? "";
  const line = { kind: "tcp", host: "127.0.0.1", port: Number(addressOf("line").split(":")[1]) } as const;
  for (const local of ["user", "nobody"]) await askOnce(line, `${local}@example.com\n`);
  isAway = true;
  await askOnce(line, "other@example.com\n");
  // The first refresh of the lists.
  await time.advance(60_000);
  page = await (await fetch(`http://${addressOf("metrics")}/metrics`)).text();
  await time.until(bridge.stop("SIGTERM"));
  note(page);
  note(await replicaPage());
});

function note(text: string): void {
  for (const [, name, labels = ""] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = scraped.get(name as string) ?? new Set(["instance"]);
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label as string);
    scraped.set(name as string, known);
  }
}

/** The metrics of a bridge with a replica that is complete. */
async function replicaPage(): Promise<string> {
  const cleanup = new Cleanup();
  try {
    const edge = await startEdge(cleanup);
    await edge.publish("example.com", ["alice@example.com,active"]);
    const home = folder(cleanup);
    const token = await edge.rollcall(["token", "create", "--role", "replica", "--domain", "example.com"]);
    writeFileSync(join(home, "token"), token, { mode: 0o600 });
    const listeners = ["--line", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    const bridge = new Command(
      ["bridge", "--replica", "lists", "--token-file", "token", ...listeners],
      home,
      {
        ROLLCALL_URL: edge.url,
      },
    );
    cleanup.add(() => bridge.stop());
    const [, address] = await bridge.saying(/^metrics on (\S+)$/m);
    for (;;) {
      const text = await (await fetch(`http://${address}/metrics`)).text();
      if (/^rollcall_bridge_replica_age_seconds\{domain="example\.com"\} \d/m.test(text)) return text;
      await pause(100);
    }
  } finally {
    await cleanup.run();
  }
}

describe("alerts and dashboard", () => {
  it.each([
    ["alerts.yml", () => [rules]],
    [
      "rollcall-bridge.json",
      () => [...queries, ...dashboard.templating.list.map(({ definition = "" }) => definition)],
    ],
  ])("in %s name metrics and labels that a real scrape has", (_, texts) => {
    const uses = texts().flatMap(usesOf);
    expect(uses.length).toBeGreaterThan(10);
    for (const { name, labels } of uses) {
      expect([...scraped.keys()]).toContain(name);
      for (const label of labels)
        expect([name, [...(scraped.get(name) ?? [])]]).toEqual([name, expect.arrayContaining([label])]);
    }
  });

  it("group by labels that the metrics have", () => {
    for (const text of [...queries, ...rules.split("expr:").slice(1)]) {
      const labels = [...text.matchAll(/\b(?:by|on) \(([\w, ]+)\)/g)].flatMap(([, list]) =>
        (list as string).split(", "),
      );
      const known = new Set(usesOf(text).flatMap(({ name }) => [...(scraped.get(name) ?? [])]));
      for (const label of labels) expect([...known, "le"]).toContain(label);
    }
  });

  it("of the documentation are those of the file", () => {
    const docs = readFileSync(join(ROOT, "docs", "bridge.md"), "utf8");
    expect([...docs.matchAll(/^\| `(Rollcall\w+)` \|/gm)].map(([, name]) => name)).toEqual(alerts);
  });

  it("say what to do", () => {
    expect(rules.match(/^ +action: \S/gm)).toHaveLength(alerts.length);
    expect(rules.match(/^ +summary: \S/gm)).toHaveLength(alerts.length);
  });

  it("show the release and every reason", () => {
    expect(page).toMatch(/^rollcall_build_info\{version="\d+\.\d+\.\d+",node="v\d+\.\d+\.\d+"\} 1$/m);
    expect(page).toContain('rollcall_bridge_refusals_total{reason="unknown"} 1\n');
    expect(page).toContain('rollcall_bridge_deferrals_total{reason="unreachable"} 1\n');
  });
});

describe("the dashboard", () => {
  it("has panels with ids of their own, which do not overlap", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [i, { gridPos: a, title }] of panels.entries()) {
      expect(a.x + a.w).toBeLessThanOrEqual(24);
      for (const { gridPos: b, title: other } of panels.slice(i + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect([title, other, apart]).toEqual([title, other, true]);
      }
    }
  });
});

describe.skipIf(MISSING !== "")(`promtool${MISSING}`, () => {
  it("accepts the rules", () => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ["check", "rules", "--lint-fatal", RULES], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`SUCCESS: ${alerts.length} rules found`);
  });

  it("finds that each alert fires when it should, and only then", () => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, ["test", "rules", ...CASES], { encoding: "utf8" });
    expect([status, stdout, stderr]).toEqual([0, expect.stringContaining("SUCCESS"), ""]);
    const cases = CASES.map((file) => readFileSync(file, "utf8")).join("");
    for (const name of alerts) expect(cases).toContain(`alertname="${name}"`);
  });

  it("accepts the expressions of the dashboard", () => {
    const file = join(temporaryFolder(), "queries.yml");
    const recorded = queries.map((expr, i) => ({ record: `query:${i}`, expr }));
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules: recorded }] }));
    expect(execFileSync(PROMTOOL, ["check", "rules", file], { encoding: "utf8" })).toContain(
      `SUCCESS: ${queries.length} rules found`,
    );
  });

  it("can read the metrics", () => {
    const { status, stderr } = spawnSync(PROMTOOL, ["check", "metrics"], { input: page, encoding: "utf8" });
    // Status 3 means remarks about names, which stay as they are.
    expect([0, 3]).toContain(status);
    expect(stderr).not.toMatch(/parsing error|error while linting/);
  });
});
