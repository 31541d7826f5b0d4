import { describe, expect, it } from "vitest";
import { filesOf, noCircles, type Rule } from "../import-rules.ts";
import { readSources, type Source, source } from "../source.ts";

/*
 * What keeps the simulation in order: the model knows nothing of the world that it is compared with, imports run
 * one way, and no file does everything.
 */

/** For each folder of simulation, the folders that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  basics: [],
  plan: ["basics"],
  model: ["basics"],
  world: ["basics", "plan", "model"],
  scene: ["basics", "plan", "model", "world"],
  mutants: [],
  "": ["basics", "plan", "model", "world", "scene", "mutants"],
};

/** Parts of the product that the model may know: words and shapes, never how anything is looked up. */
const MODEL_MAY_CALL = new Set(["needsFreshness", "DEFAULT_POLICY"]);

/** Of the fakes: what they keep to, and what of them can be seen from outside. */
const MODEL_MAY_SEE = ["testing/limits.ts", "testing/network.ts"];

const LONGEST = 300;

const folderOf = (path: string): string => path.split("/").slice(1, -1).join("/");

const importsRunOneWay: Rule = (sources) =>
  sources.flatMap((it) => {
    const folder = folderOf(it.path);
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined) return [`${it.path} is in a folder that has no place yet`];
    return filesOf(it)
      .filter(
        (file) =>
          !file.startsWith("src/") &&
          !(file.startsWith("testing/") && (folder !== "model" || MODEL_MAY_SEE.includes(file))),
      )
      .filter((file) => !file.startsWith("simulation/") || ![folder, ...allowed].includes(folderOf(file)))
      .map((file) => `${it.path} imports ${file}`);
  });

/** What is called by its name from the product, types left out. */
const calledOf = ({ text }: Source): string[] =>
  [...text.matchAll(/^import (?!type)\{([^}]*)\} from "[./]*\/src\//gm)].flatMap((match) =>
    (match[1] as string)
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "" && !name.startsWith("type ")),
  );

const modelIsPlain: Rule = (sources) =>
  sources
    .filter(({ path }) => folderOf(path) === "model")
    .flatMap((it) =>
      calledOf(it)
        .filter((name) => !MODEL_MAY_CALL.has(name))
        .map((name) => `${it.path} calls the product's ${name}`),
    );

const filesAreShort: Rule = (sources) =>
  sources
    .map(({ path, text }) => ({ path, lines: text.split("\n").length }))
    .filter(({ lines }) => lines > LONGEST)
    .map(({ path, lines }) => `${path} has ${lines} lines`);

describe("the rules", () => {
  it.each<[string, Rule, [path: string, text: string][]]>([
    [
      "a model that imports the world",
      importsRunOneWay,
      [["simulation/model/x.ts", 'import type { Y } from "../world/y.ts";']],
    ],
    [
      "a model that imports a fake",
      importsRunOneWay,
      [["simulation/model/x.ts", 'import { FakeKv } from "../../testing/kv.ts";']],
    ],
    [
      "a world that imports its scene",
      importsRunOneWay,
      [["simulation/world/x.ts", 'import { y } from "../scene/y.ts";']],
    ],
    [
      "an import from the tests",
      importsRunOneWay,
      [["simulation/world/x.ts", 'import { y } from "../../test/support/y.ts";']],
    ],
    ["a folder without a place", importsRunOneWay, [["simulation/utils/x.ts", ""]]],
    [
      "a circle",
      noCircles,
      [
        ["simulation/scene/a.ts", 'import { b } from "./b.ts";'],
        ["simulation/scene/b.ts", 'import type { A } from "./a.ts";'],
      ],
    ],
    [
      "a model that looks things up as the product does",
      modelIsPlain,
      [["simulation/model/x.ts", 'import { type Answer, lookup } from "../../src/directory/index.ts";']],
    ],
    ["a file that does everything", filesAreShort, [["simulation/scene/x.ts", "\n".repeat(LONGEST + 1)]]],
  ])("notice %s", (_, rule, files) => {
    expect(rule(files.map(([path, text]) => source(path, text)))).toHaveLength(1);
  });
});

describe("the simulation's source", () => {
  const ours = readSources("simulation");

  it("is there to be looked at", () => {
    expect(ours.length).toBeGreaterThan(40);
    expect(ours.flatMap(calledOf)).toContain("needsFreshness");
  });

  it.each<[string, Rule]>([
    ["imports one way: scene, then world, then model and plan, then basics", importsRunOneWay],
    ["has no circles of imports", noCircles],
    ["has a model that knows nothing of how the product works", modelIsPlain],
    [`has no file of more than ${LONGEST} lines`, filesAreShort],
  ])("%s", (_, rule) => {
    expect(rule(ours)).toEqual([]);
  });
});
