import { describe, expect, it } from "vitest";
import { filesOf, noCircles, type Rule } from "./import-rules.ts";
import { readSources, type Source, source } from "./source.ts";

/*
 * The rules of the source tree: imports run one way, ports are passed in, types are honest. Each rule
 * is a function from sources to violations. It is tested on sources that break it, and then applied to ours.
 */

/** For each folder of src, the other folders that it may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  directory: [],
  runtime: [],
  api: ["directory"],
  reader: ["api", "directory", "runtime"],
  registry: ["api", "directory", "runtime"],
  edge: ["reader", "registry", "api", "directory", "runtime"],
  client: ["api", "directory", "runtime"],
  bridge: ["reader", "client", "api", "directory", "runtime"],
  opensmtpd: ["bridge", "runtime"],
  publish: ["client", "api", "directory", "runtime"],
  inspect: ["publish", "client", "api", "directory", "runtime"],
  cli: ["inspect", "bridge", "opensmtpd", "publish", "client", "api", "directory", "runtime"],
};

/** For each group of a folder that has groups, the other groups that it may import. All may import what stands beside them. */
const GROUPS_MAY_IMPORT: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  directory: {
    address: [],
    formats: ["address"],
    names: ["formats", "address"],
    guard: ["names"],
    verdict: ["formats", "address"],
  },
  registry: {
    storage: [],
    kv: ["storage"],
    blobs: ["kv", "storage"],
    generations: ["blobs", "kv", "storage"],
    names: ["generations", "blobs", "storage"],
    changes: ["generations", "blobs", "storage"],
    log: ["names", "generations", "storage"],
    commits: ["log", "changes", "names", "generations", "blobs", "storage"],
    object: ["commits", "log", "changes", "names", "generations", "blobs", "kv", "storage"],
  },
};

/** Files that stand in one group, or beside the groups, at most. */
const MOST_FILES = 12;

/** Folders that also run in Workers, without Node. */
const WITHOUT_NODE = ["directory", "runtime", "api", "reader", "registry", "edge", "client"];

/** The only files that use the platform. */
const ADAPTERS = [
  "src/directory/stablelib.ts",
  "src/edge/worker.ts",
  "src/edge/platform.ts",
  "src/edge/registry-object.ts",
  "src/cli/platform.ts",
  // The platform's connections to the edge, for the bridge.
  "src/cli/http.ts",
  // OpenSMTPD's table process, which loads little of the command.
  "src/opensmtpd/platform.ts",
];

/** The files that provide hashing. */
const HANDS_HASHING_IN = ["src/edge/worker.ts", "src/edge/platform.ts", "src/edge/registry-object.ts"];

const folderOf = (path: string): string => path.split("/")[1] as string;

const packagesOf = ({ imports }: Source): string[] => imports.filter((it) => !it.startsWith("."));

const importsRunOneWay: Rule = (sources) =>
  sources.flatMap((it) => {
    const folder = folderOf(it.path);
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined) return [`${it.path} is in a folder that has no place yet`];
    return filesOf(it)
      .filter((file) => !file.startsWith("src/") || ![folder, ...allowed].includes(folderOf(file)))
      .map((file) => `${it.path} imports ${file}`);
  });

/** A folder that has groups, and the group of a file in it; null: the file stands beside them. */
function groupOf(path: string): { readonly folder: string; readonly group: string | null } | null {
  const [, folder, ...rest] = path.split("/");
  if (!path.startsWith("src/") || folder === undefined || !(folder in GROUPS_MAY_IMPORT)) return null;
  return { folder, group: rest.length > 1 ? (rest[0] as string) : null };
}

const groupsImportOneWay: Rule = (sources) =>
  sources.flatMap((it) => {
    const own = groupOf(it.path);
    // The index shows all of them.
    if (own === null || it.path.endsWith("/index.ts")) return [];
    const { folder, group } = own;
    const allowed = group === null ? [] : GROUPS_MAY_IMPORT[folder]?.[group];
    if (allowed === undefined) return [`${it.path} is in a group that has no place yet`];
    return filesOf(it)
      .filter((file) => {
        const other = groupOf(file);
        const isInside = other !== null && other.folder === folder && other.group !== null;
        return isInside && other.group !== group && !allowed.includes(other.group);
      })
      .map((file) => `${it.path} imports ${file}`);
  });

const groupsAreSmall: Rule = (sources) => {
  const files = new Map<string, number>();
  for (const { path } of sources) {
    const own = groupOf(path);
    if (own === null) continue;
    const place = `src/${own.folder}/${own.group ?? ""}`;
    files.set(place, (files.get(place) ?? 0) + 1);
  }
  return [...files].flatMap(([place, count]) => (count > MOST_FILES ? [`${place} has ${count} files`] : []));
};

const importsNameFilesThatExist: Rule = (sources) => {
  const paths = new Set(sources.map(({ path }) => path));
  return sources.flatMap((it) =>
    filesOf(it)
      .filter((file) => file.startsWith("src/") && file.endsWith(".ts") && !paths.has(file))
      .map((file) => `${it.path} imports ${file}, which is not there`),
  );
};

const workersNeedNoNode: Rule = (sources) =>
  sources
    .filter(({ path }) => WITHOUT_NODE.includes(folderOf(path)))
    .flatMap((it) =>
      packagesOf(it)
        .filter((name) => name.startsWith("node:"))
        .map((name) => `${it.path} imports ${name}`),
    );

const directoryNeedsNothing: Rule = (sources) =>
  sources.flatMap((it) =>
    packagesOf(it)
      .filter((name) =>
        name.startsWith("@stablelib/")
          ? it.path !== "src/directory/stablelib.ts"
          : folderOf(it.path) === "directory",
      )
      .map((name) => `${it.path} imports ${name}`),
  );

const hashingIsHandedIn: Rule = (sources) =>
  sources
    .filter(({ path }) => !HANDS_HASHING_IN.includes(path) && folderOf(path) !== "cli")
    .filter((it) => filesOf(it).includes("src/directory/stablelib.ts"))
    .map(({ path }) => `${path} imports stablelib.ts`);

/** Modules that provide time, randomness and cryptography in other ways. */
const PORT_MODULES = /^(?:node:)?(?:crypto|timers|timers\/promises|perf_hooks)$/;

/** Globals that only adapters may use. */
const PORT_GLOBALS = [
  "crypto",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "queueMicrotask",
  "fetch",
  "caches",
  "scheduler",
  "globalThis",
  "WebSocket",
  "Temporal",
];

/** Members of globals that only adapters may use, while all may use the rest of the global. */
const PORT_MEMBERS = [
  /\bDate\s*\.\s*now\b/,
  /\bnew\s+Date\s*(?:\(\s*\)|(?![\s(\w]))/,
  /(?<!new\s+)(?<![.\w$#])Date\s*\(/,
  /\bMath\s*\.\s*random\b/,
  /\bAbortSignal\s*\.\s*timeout\b/,
  /\bprocess\s*\.\s*(?:hrtime|uptime|nextTick)\b/,
];

/** Whether the name at `at` is a member: a key, a method, a signature, or a name after a dot. */
function isMember(code: string, at: number, name: string): boolean {
  const before = code.slice(0, at).trimEnd();
  const after = code.slice(at + name.length).trimStart();
  if (/[.#]$/.test(before)) return !before.endsWith("...");
  const beginsMember = /(?:[{;,}(]|\b(?:async|readonly|get|set))$/.test(before);
  if (!beginsMember) return false;
  if (/^\??\s*:/.test(after)) return true;
  if (!after.startsWith("(") || before.endsWith("(")) return false;
  let depth = 0;
  for (let i = 0; i < after.length; i++) {
    if (after[i] === "(") depth++;
    else if (after[i] === ")" && --depth === 0) return /^\s*[:{]/.test(after.slice(i + 1));
  }
  return false;
}

function portsReachedFor({ code, imports }: Source): string[] {
  const found = imports.filter((name) => PORT_MODULES.test(name));
  for (const pattern of PORT_MEMBERS) {
    const match = pattern.exec(code);
    if (match !== null) found.push(match[0]);
  }
  for (const name of PORT_GLOBALS) {
    const uses = [...code.matchAll(new RegExp(`(?<![\\w$])${name}(?![\\w$])`, "g"))];
    if (uses.some((use) => !isMember(code, use.index, name))) found.push(name);
  }
  return found;
}

const portsAreHandedIn: Rule = (sources) =>
  sources
    .filter(({ path }) => !ADAPTERS.includes(path))
    .flatMap((it) => portsReachedFor(it).map((port) => `${it.path} reaches for ${port}`));

const typesSayWhatTheyMean: Rule = (sources) =>
  sources.flatMap(({ path, text, code }) => [
    ...(/(?<![\w$.])any(?![\w$:(])/.test(code) ? [`${path} says any`] : []),
    ...(/@ts-(?:ignore|nocheck|expect-error)/.test(text) ? [`${path} silences the compiler`] : []),
  ]);

/** Sources for a test: path and text in turn. */
const made = (...files: [path: string, text: string][]): Source[] =>
  files.map(([path, text]) => source(path, text));

const ours = readSources("src");

describe("the rules", () => {
  it.each<[string, Rule, [string, string][]]>([
    [
      "an import the wrong way",
      importsRunOneWay,
      [["src/directory/x.ts", 'import { y } from "../edge/y.ts";']],
    ],
    [
      "a type imported the wrong way",
      importsRunOneWay,
      [["src/api/x.ts", 'import type { Y } from "../client/y.ts";']],
    ],
    [
      "edge and client together",
      importsRunOneWay,
      [["src/edge/x.ts", 'export * from "../client/index.ts";']],
    ],
    ["bridge and publish together", importsRunOneWay, [["src/bridge/x.ts", "import('../publish/index.ts')"]]],
    ["an import of the command", importsRunOneWay, [["src/publish/x.ts", 'import "../cli/main.ts";']]],
    [
      "an import from the tests",
      importsRunOneWay,
      [["src/api/x.ts", 'import { y } from "../../test/y.ts";']],
    ],
    ["a folder without a place", importsRunOneWay, [["src/utils/x.ts", ""]]],
    [
      "an import of a group the wrong way",
      groupsImportOneWay,
      [["src/directory/address/x.ts", 'import { y } from "../names/y.ts";']],
    ],
    [
      "an import of a group from beside it",
      groupsImportOneWay,
      [["src/directory/x.ts", 'import { y } from "./names/y.ts";']],
    ],
    ["a group without a place", groupsImportOneWay, [["src/directory/misc/x.ts", ""]]],
    [
      "a group that is too large",
      groupsAreSmall,
      Array.from({ length: 13 }, (_, i) => [`src/directory/names/x${i}.ts`, ""] as [string, string]),
    ],
    ["an import of nothing", importsNameFilesThatExist, [["src/api/x.ts", 'import "./gone.ts";']]],
    [
      "a circle",
      noCircles,
      [
        ["src/api/a.ts", 'import { b } from "./b.ts";'],
        ["src/api/b.ts", 'import type { C } from "./c.ts";'],
        ["src/api/c.ts", 'export { a } from "./a.ts";'],
      ],
    ],
    ["a file that imports itself", noCircles, [["src/api/a.ts", 'import { b } from "./a.ts";']]],
    ["Node in the edge", workersNeedNoNode, [["src/edge/x.ts", 'import { Buffer } from "node:buffer";']]],
    [
      "a package in the directory",
      directoryNeedsNothing,
      [["src/directory/x.ts", 'import * as v from "valibot";']],
    ],
    [
      "hashes elsewhere",
      directoryNeedsNothing,
      [["src/edge/x.ts", 'import { hash } from "@stablelib/sha256";']],
    ],
    [
      "hashing not handed in",
      hashingIsHandedIn,
      [["src/edge/check.ts", 'import { stablelibHashing } from "../directory/stablelib.ts";']],
    ],
    ["any", typesSayWhatTheyMean, [["src/api/x.ts", "const x: any = 1;"]]],
    ["a list of any", typesSayWhatTheyMean, [["src/api/x.ts", "const x = y as Map<string, any>;"]]],
    ["a silenced compiler", typesSayWhatTheyMean, [["src/api/x.ts", "// @ts-expect-error\nconst x = 1;"]]],
  ])("notice %s", (_, rule, files) => {
    expect(rule(made(...files))).toHaveLength(1);
  });

  it.each([
    "const now = Date.now();",
    "const now = new Date();",
    "const now = +new Date;",
    "const now = Date();",
    "const now = new Date().toISOString();",
    "const x = Math.random();",
    "const clock = { now: Date.now };",
    "const id = crypto.randomUUID();",
    "const { subtle } = crypto;",
    "const id = globalThis.crypto.randomUUID();",
    "const t = performance.now();",
    "await new Promise((done) => setTimeout(done, 5));",
    "const timer = setInterval(tick, 1000);",
    "queueMicrotask(run);",
    "const answer = await fetch(url);",
    "const answer = ready ? fetch(url) : null;",
    "const ports = { send: fetch };",
    "run(fetch);",
    "run(a, fetch(url));",
    `const text = \`at \${Date.now()} \${\`inner \${fetch(url)}\`}\`;`,
    "const half = total / 2; const other = Date.now() / 2;",
    'const quote = /["\\\\]/; const x = Math.random();',
    "AbortSignal.timeout(5);",
    "process.hrtime.bigint();",
    'import { randomBytes } from "node:crypto";',
    'import { setTimeout as delay } from "node:timers/promises";',
    'import { performance as p } from "perf_hooks";',
  ])("notice a port reached for in %s", (text) => {
    expect(portsReachedFor(source("src/edge/x.ts", text))).not.toEqual([]);
    expect(portsAreHandedIn(made(["src/edge/x.ts", text]))).not.toEqual([]);
    expect(portsAreHandedIn(made(["src/edge/platform.ts", text]))).toEqual([]);
  });

  it.each([
    "// Date.now() is a port",
    "/* new Date(), fetch(x) and @types any */",
    'const text = "Date.now()";',
    `const text = \`fetch(url) \${clock.now()} Date.now()\`;`,
    "const pattern = /fetch(url)|Math.random()|any/;",
    "const pattern = /[/'\"`]/; const why = 'fetch(x)';",
    "const shown = new Date(time).toISOString();",
    "const url = new URL(text); const bytes = new TextEncoder().encode(text);",
    "const answer = await ports.fetch(url);",
    "const answer = await this.#fetch(url);",
    "const options = { fetch: ports.fetch, now: ports.now };",
    "interface Ports { fetch(input: string, init?: RequestInit): Promise<Response>; readonly crypto?: Mac }",
    "export default { async fetch(request, env): Promise<Response> { return answer; } };",
    "class Client { fetch(call: Call) { return call; } }",
    "const prefetch = fetched; const cryptography = 1;",
    "const first = await Promise.any(list); const company = many;",
  ])("leave %s alone", (text) => {
    expect(portsAreHandedIn(made(["src/edge/x.ts", text]))).toEqual([]);
    expect(typesSayWhatTheyMean(made(["src/edge/x.ts", text]))).toEqual([]);
  });

  it("find every import in any syntax, and none in a comment or a string", () => {
    const text = `
      import a from "./a.ts";
      import type { B } from './b.ts';
      import {
        c,
        d,
      } from "../c.ts";
      import * as e from "e";
      import "./f.ts";
      export { g } from "./g.ts";
      export * from "./h.ts";
      const i = await import("./i.ts");
      type J = typeof import("./j.ts");
      // import k from "./k.ts";
      const l = 'import l from "./l.ts"';
    `;
    const expected = ["./a.ts", "./b.ts", "../c.ts", "e", "./f.ts", "./g.ts", "./h.ts", "./i.ts", "./j.ts"];
    expect(source("src/api/x.ts", text).imports).toEqual(expected);
  });
});

describe("the source", () => {
  it("has files to check", () => {
    const paths = ours.map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(20);
    for (const path of ADAPTERS) expect(paths).toContain(path);
    expect(ours.flatMap(({ imports }) => imports).length).toBeGreaterThan(paths.length);
  });

  it.each<[string, Rule]>([
    [
      "imports one way: cli, then bridge and publish, client; edge, then reader and registry; api, directory, runtime",
      importsRunOneWay,
    ],
    ["imports groups of a folder one way", groupsImportOneWay],
    ["has small groups", groupsAreSmall],
    ["imports files that exist", importsNameFilesThatExist],
    ["has no circles of imports", noCircles],
    ["needs no Node where it runs in Workers", workersNeedNoNode],
    ["needs no package in the directory except the one for hashing", directoryNeedsNothing],
    ["gets hashing passed in", hashingIsHandedIn],
    ["gets time, randomness, cryptography, timers and the network passed in", portsAreHandedIn],
    ["has no any, and does not silence the compiler", typesSayWhatTheyMean],
  ])("%s", (_, rule) => {
    expect(rule(ours)).toEqual([]);
  });
});
