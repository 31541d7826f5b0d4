import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { useEdge } from "../cli/support/workspace.ts";
import { ROOT } from "../support/processes.ts";

/* The alert rules for `rollcall sync`: what they ask for exists in the metrics of a real run. */

const RULES = join(ROOT, "packaging", "prometheus", "sync-alerts.yml");
const CASES = join(import.meta.dirname, "sync-alerts.test.yml");
const PROMTOOL = "/usr/bin/promtool";
const MISSING = existsSync(PROMTOOL) ? "" : " (promtool is not installed)";

const { fresh } = useEdge();
const rules = readFileSync(RULES, "utf8");
const cases = readFileSync(CASES, "utf8");
const docs = readFileSync(join(ROOT, "docs", "publishing.md"), "utf8");
const alerts = [...rules.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name as string);
let page = "";

beforeAll(async () => {
  const { cwd, domain, run, names, write } = fresh();
  names("a");
  write(
    "rollcall.toml",
    `[domains."${domain}"]\nlist = "list.txt"\n[domains."gone.${domain}"]\nlist = "none.txt"\n`,
  );
  await run("sync --metrics-file rollcall.prom");
  page = readFileSync(join(cwd, "rollcall.prom"), "utf8");
});

/** Names and labels of the metrics of a real run; `instance` is Prometheus's own. */
const labelsOf = (): Map<string, Set<string>> => {
  const known = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of page.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const set = known.get(name) ?? new Set(["instance"]);
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) set.add(label);
    known.set(name, set);
  }
  return known;
};

describe("the alerts of sync", () => {
  it.each([
    ["the rules", rules],
    ["their tests", cases],
  ])("%s name metrics and labels that a real run writes", (_, text) => {
    const known = labelsOf();
    const uses = [...text.matchAll(/\b(rollcall_sync_\w+)(?:\{([^}]*)\})?/g)];
    expect(uses.length).toBeGreaterThanOrEqual(alerts.length);
    for (const [, name = "", selector = ""] of uses) {
      expect([...known.keys()]).toContain(name);
      for (const [, label = ""] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
        expect([name, [...(known.get(name) ?? [])]]).toEqual([name, expect.arrayContaining([label])]);
      }
    }
  });

  it("and the metrics are those of docs/publishing.md, and say what to do", () => {
    expect([...docs.matchAll(/^\| `(Rollcall\w+)` \|/gm)].map(([, name]) => name)).toEqual(alerts);
    const documented = [...docs.matchAll(/^\| `(rollcall_sync_\w+)` \|/gm)].map(([, name]) => name);
    expect(documented).toEqual([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    expect(rules.match(/^ +action: \S/gm)).toHaveLength(alerts.length);
  });
});

describe.skipIf(MISSING !== "")(`promtool${MISSING}`, () => {
  const promtool = (args: readonly string[], input?: string) =>
    spawnSync(PROMTOOL, args, { encoding: "utf8", ...(input === undefined ? {} : { input }) });

  it("accepts the rules, and finds that each alert fires when it should, and only then", () => {
    const checked = promtool(["check", "rules", "--lint-fatal", RULES]);
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
    const { status, stdout, stderr } = promtool(["test", "rules", CASES]);
    expect([status, stdout, stderr]).toEqual([0, expect.stringContaining("SUCCESS"), ""]);
    for (const name of alerts) expect(cases).toContain(`alertname="${name}"`);
  });

  it("can read the metrics", () => {
    const { status, stdout, stderr } = promtool(["check", "metrics"], page);
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });
});
