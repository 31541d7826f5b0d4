/** Questions: who is asked about whom, and how. Every answer goes to the judges. */

import type { Answer } from "../../src/directory/index.ts";
import type { Question } from "../../testing/isolate-host.ts";
import type { Random } from "../../testing/random.ts";
import { getOrMake } from "../basics/maps.ts";
import type { Moment } from "../model/answerer.ts";
import type { Generation } from "../model/generation.ts";
import { FORMS, type Name, type Named, written } from "../model/names.ts";
import { covers } from "../model/patterns.ts";
import { patternedName } from "../plan/patterns.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";
import { resolveJudged } from "./replicas.ts";
import type { Scene } from "./scene.ts";

interface Asked extends Named {
  readonly text: string;
  readonly floor: number;
}

const plainly = (named: Named): Asked => ({ ...named, text: written(named), floor: 0 });

/** By then all reads for unknown domains and names have started. */
const COST_IS_KNOWN = 10_000;
/** Domains that were never served. */
const STRANGER_DOMAINS = 400;
/** People whom a bridge is asked about again and again. */
const REGULARS = 50;

/** Whom questions go to and what about, if that is not left to chance. */
export interface Aim {
  readonly focus?: number | undefined;
  readonly domains?: readonly string[] | undefined;
  readonly nobody?: boolean | undefined;
}

function pickDomain(scene: Scene, random: Random, { domains }: Aim): string {
  if (domains !== undefined && domains.length > 0) return random.pick(domains);
  const { setup } = scene.plan;
  if (random.chance(0.04)) return `stranger${random.between(0, STRANGER_DOMAINS)}.example`;
  return random.pick(setup.domains);
}

/** Somebody to ask about: most of all those who came or went lately. */
function pickName(scene: Scene, random: Random, domain: string): Name {
  const form = random.chance(0.5) ? "plain" : random.pick(FORMS);
  const dice = random.next();
  if (dice < 0.05) return { base: "postmaster", form };
  if (dice < 0.12) return nobody(random, form);
  const { head, generations } = scene.model.history(domain);
  if (generations.slice(-3).some(({ patterns }) => patterns.size > 0) && random.chance(0.25))
    return { base: patternedName(random), form };
  const before = generations.at(-2);
  if (dice < 0.4 && head !== undefined && before !== undefined) {
    const moved = movedBetween(before, head);
    if (moved.length > 0) return { base: random.pick(moved), form };
  }
  return { base: `u${random.between(0, scene.shapeOf(domain).names - 1)}`, form };
}

/** Somebody who is on no list. */
const nobody = (random: Random, form: Name["form"] = "plain"): Name => ({
  base: `s${random.between(0, 999)}`,
  form,
});

/** Names that came or went with a generation, by themselves or below a pattern; computed once, since lists may be long. */
const moves = new WeakMap<Generation, readonly string[]>();

const movedBetween = (before: Generation, head: Generation): readonly string[] =>
  getOrMake(moves, head, () => {
    const patterns = differenceOf(before.patterns, head.patterns);
    const isBelow = (name: string): boolean => patterns.some((pattern) => covers(pattern, name));
    return [...differenceOf(before.list, head.list), ...[...head.list.keys()].filter(isBelow)];
  });

const differenceOf = (
  a: ReadonlyMap<string, unknown>,
  b: ReadonlyMap<string, unknown>,
): readonly string[] => [
  ...[...a.keys()].filter((entry) => !b.has(entry)),
  ...[...b.keys()].filter((entry) => !a.has(entry)),
];

function pick(scene: Scene, random: Random, aim: Aim): Asked {
  const domain = pickDomain(scene, random, aim);
  const name = aim.nobody === true ? nobody(random) : pickName(scene, random, domain);
  scene.model.noteAsked(domain, name);
  const dice = random.next();
  const spelled = dice < 0.05 ? domain.toUpperCase() : dice < 0.1 ? `${domain}.` : domain;
  const { generations } = scene.model.history(domain);
  const floor = generations.length > 0 && random.chance(0.1) ? random.pick(generations.slice(-3)).number : 0;
  return { domain, name, text: written({ name, domain: spelled }), floor };
}

const questionOf = ({ text, domain, floor }: Asked): Question => ({
  recipient: text,
  floor: floor > 0 ? { [domain]: floor } : undefined,
});

/** Has one isolate asked many questions at one moment. */
export function askIsolate(
  scene: Scene,
  random: Random,
  count: number,
  how: "one by one" | "batch" | "http",
  aim: Aim = {},
): void {
  const host = aim.focus === undefined ? scene.isolates.pick(random) : scene.isolates.focused(aim.focus);
  if (host === null) return;
  host.bursts++;
  scene.trace(() => `${host.name} is asked ${count} questions, ${how}`);
  if (how === "http") askOverHttp(scene, random, host, count, aim);
  else if (how === "batch") askAtOnce(scene, random, host, count, aim);
  else {
    for (let i = 0; i < count && scene.violations.length === 0; i++)
      check(scene, host, pick(scene, random, aim));
  }
}

/** Asks one question; the answer is judged when it is there. */
function check(scene: Scene, host: SimulatedIsolate, it: Asked): void {
  const settled = host.check(questionOf(it));
  if (settled instanceof Promise) scene.go(settled.then((answer) => judge(scene, host, it, answer)));
  else judge(scene, host, it, settled);
}

/** A list of questions in one request: its answers are decided one after the other. */
function askAtOnce(scene: Scene, random: Random, host: SimulatedIsolate, count: number, aim: Aim): void {
  const asked = Array.from({ length: count }, () => pick(scene, random, aim));
  scene.go(
    host.checkAll(asked.map(questionOf)).then(({ result, moments }) => {
      if (moments.length > 2) scene.tally.event("list decided at more than one moment");
      for (const [i, answer] of result.entries()) judge(scene, host, asked[i] as Asked, answer, moments);
    }),
  );
}

/** Somebody tries out names or domains: it must not cost a read each (law 7). */
export function askStrangers(
  scene: Scene,
  random: Random,
  { count, what, isCold = false }: { count: number; what: "domains" | "names"; isCold?: boolean },
): void {
  const host = isCold
    ? scene.isolate(random.pick(scene.plan.setup.locations), {}, random)
    : scene.isolates.pick(random);
  if (host === null) return;
  host.bursts++;
  scene.trace(() => `${host.name} is asked about ${count} made-up ${what}`);
  const served = random.pick(scene.plan.setup.domains);
  for (let i = 0; i < count && scene.violations.length === 0; i++) {
    const domain = what === "names" ? served : `x${random.between(0, 1e9)}.example`;
    const name: Name = { base: `q${random.between(0, 1e9)}`, form: "plain" };
    check(scene, host, plainly({ domain, name }));
  }
  scene.time.after(COST_IS_KNOWN, () => scene.judges.costs.judge(host));
}

function judge(
  scene: Scene,
  host: SimulatedIsolate,
  it: Asked,
  answer: Answer,
  moments: readonly Moment[] = [host.moment()],
): void {
  if (scene.violations.length > 0 || !host.isAlive) return;
  scene.judges.answers.judge({ ...it, host, answer }, moments);
  if (scene.violations.length > 0) scene.trace(() => `it was asked about ${written(it)}`);
}

/** The request of a check. */
export const checkRequest = (token: string, body: string): Request =>
  new Request("https://rollcall.test/v1/rcpt", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body,
  });

/** Questions through HTTP to one isolate, singly and as a list, with tokens that may be revoked. */
function askOverHttp(scene: Scene, random: Random, host: SimulatedIsolate, count: number, aim: Aim): void {
  const tokens = [
    scene.adminToken,
    ...scene.tokens.filter((it) => it.role === "check").map((it) => it.token),
  ];
  for (let left = Math.min(count, 40); left > 0; ) {
    const some = random.chance(0.5) ? 1 : Math.min(left, random.between(2, 20));
    left -= some;
    const asked = Array.from({ length: some }, () => pick(scene, random, aim));
    const floor = Object.fromEntries(asked.filter((it) => it.floor > 0).map((it) => [it.domain, it.floor]));
    for (const it of asked) scene.asked.set(it.text, it);
    const texts = asked.map((it) => it.text);
    const body = JSON.stringify(some === 1 ? { recipient: texts[0], floor } : { recipients: texts, floor });
    const request = checkRequest(random.pick(tokens), body);
    scene.go(
      host.fetch(request).then(async ({ response, moments }) => {
        const exchange = { request, asked: body, status: response.status, body: await response.text() };
        if (scene.violations.length === 0 && host.isAlive) scene.judges.http.judge(host, exchange, moments);
      }),
    );
  }
}

/** A bridge takes quotes off, and puts them where they must be: such recipients are asked about in another form. */
function pickForBridge(scene: Scene, random: Random, aim: Aim): Asked {
  const it = pick(scene, random, aim);
  if (it.name.form !== "quoted" && it.name.form !== "broken") return it;
  return plainly({ domain: it.domain, name: { ...it.name, form: "plain" } });
}

/**
 * Has one bridge asked what MTAs ask.
 * @param again only about those it was asked about before
 */
export function askBridge(scene: Scene, random: Random, count: number, aim: Aim = {}, again = false): void {
  const bridges = scene.bridges.filter(({ focus }) => focus === (aim.focus ?? null));
  if (bridges.length === 0) return;
  const bridge = random.pick(bridges);
  if (bridge.replica !== null && !bridge.replica.isRunning) return;
  for (let i = 0; i < count; i++) {
    const isRegular = again || (aim.focus === undefined && random.chance(0.6));
    const regular = isRegular ? scene.asked.get(random.pick(bridge.regulars) ?? "") : undefined;
    if (again && regular === undefined) return;
    const it = regular === undefined ? pickForBridge(scene, random, aim) : plainly(regular);
    const text = written(it);
    scene.asked.set(text, it);
    if (regular === undefined) bridge.regulars.push(text);
    if (bridge.regulars.length > REGULARS) bridge.regulars.shift();
    const settled = resolveJudged(scene, bridge, it, it.text);
    if (settled instanceof Promise) scene.go(settled);
  }
}
