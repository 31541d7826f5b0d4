/** What has to hold once faults have stopped: everybody at the heads, and KV equal to them. */

import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import { type Manifest, needsFreshness, rosterKey } from "../../src/directory/index.ts";
import { differencesOf } from "../../testing/differences.ts";
import { FITTING, LINGERING, PROPAGATION } from "../../testing/limits.ts";
import { Random } from "../../testing/random.ts";
import { BOUNDS } from "../model/bounds.ts";
import type { Name, Named } from "../model/names.ts";
import { agrees, pairsOf, words } from "../model/pairs.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../plan/plan.ts";
import type { SimulatedBridge } from "../world/bridge.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";
import { check } from "./checking.ts";
import { repairAll } from "./damage.ts";
import { probeMistake } from "./mistake.ts";
import { makeHostsWell, probeReplicas, resolveJudged } from "./replicas.ts";
import { probeRevoked } from "./revoked.ts";
import type { Scene } from "./scene.ts";

/** A lost copy is made again when a reader misses it five minutes after it was put; a late one comes a minute late. */
const KV_REPAIRED = 10 * MINUTE;
const HEARTBEAT = 61 * MINUTE;
/** Within which the budget for copies of single changes has room for all of a world. */
const BUDGET_IS_BACK = 7 * DAY;

export async function finish(scene: Scene): Promise<void> {
  const { time, tally, faults } = scene;
  faults.isOver = true;
  scene.trace(() => "faults stop");
  const stopped = time.now();
  makeHostsWell(scene);
  await repairAll(scene);
  await time.advance(LINGERING);
  for (const host of scene.isolates.living) await probe(scene, host, false);
  await time.advance(scene.settings.window / 2);
  for (const host of scene.isolates.living) await probe(scene, host, true);
  if (scene.violations.length > 0) return;
  tally.window("every isolate at the heads, after faults", time.now() - stopped);
  await probeReplicas(scene);
  for (const bridge of scene.bridges) if (bridge.replica === null) await probeBridge(scene, bridge);
  if (scene.violations.length > 0) return;
  await probeMistake(scene);
  if (scene.violations.length > 0) return;
  requireAcknowledged(scene);
  await probeRevoked(scene);
  const waited = await waitForBudget(scene);
  const lasted = (): number => time.now() - stopped - waited;
  let differing = differences(scene, false);
  for (let round = 0; differing.length > 0 && lasted() < KV_REPAIRED; round++) {
    await readEverywhere(scene, round);
    await time.advance(20 * SECOND);
    differing = differences(scene, false);
  }
  if (differing.length > 0) {
    const minutes = Math.round(lasted() / MINUTE);
    scene.violation(
      "KV equals the heads",
      `${minutes} minutes after the last fault KV still differs in ${differing.slice(0, 5).join(", ")}`,
    );
    return;
  }
  tally.window("KV equals the heads, after faults", lasted(), KV_REPAIRED);
  // The roster's next heartbeat puts right what was lost of it.
  if (differences(scene, true).length > 0) await time.advance(HEARTBEAT);
  const late = differences(scene, true);
  if (late.length > 0)
    scene.violation("KV equals the heads", `an hour after the last fault KV differs in ${late.join(", ")}`);
  for (const host of scene.isolates.living) scene.judges.costs.judge(host);
  if (scene.violations.length === 0) await requireKvAlone(scene);
}

/** Copies of single changes wait until the budget of a day has room for them. @returns milliseconds that passed */
async function waitForBudget(scene: Scene): Promise<number> {
  const { time, plan } = scene;
  const begun = time.now();
  const isAnyPutOff = (): boolean =>
    Array.from({ length: plan.setup.partitions }, (_, partition) =>
      scene
        .registry(partition)
        .sql(
          "SELECT 1 FROM heads WHERE kv_number < number AND kv_failures IS NULL AND kv_next > ?",
          time.now(),
        ),
    ).some(({ length }) => length > 0);
  while (isAnyPutOff() && time.now() - begun < BUDGET_IS_BACK) await time.advance(HOUR);
  return time.now() - begun;
}

/** If no Registry answers, cold isolates go on accepting from KV: nothing in it is pinned or lacking. */
async function requireKvAlone(scene: Scene): Promise<void> {
  const { time, model, plan, violations } = scene;
  // Nothing in KV need be a sign of the Registry that is young enough.
  if (plan.setup.acceptGrace <= HEARTBEAT) return;
  // In every other world no list is young enough to be a sign of the Registry, and the roster's heartbeat alone is one.
  if (plan.seed % 2 === 1) await time.advance(plan.setup.acceptGrace);
  await time.advance(PROPAGATION + MINUTE);
  for (let partition = 0; partition < plan.setup.partitions; partition++)
    scene.registry(partition).isCutOff = true;
  for (const location of plan.setup.locations) {
    for (const { domain, head } of model.all) {
      if (head === undefined || head.deletedUntil !== null || head.policy.alias !== null) continue;
      const listed = [...head.list].filter(([, state]) => state === "active").map(([name]) => name);
      const random = new Random(plan.seed, "alone", location, domain);
      for (const base of listed.length === 0 ? [] : [random.pick(listed), random.pick(listed)]) {
        const host = scene.isolate(location, {}, random);
        const named: Named = { domain, name: { base, form: "plain" } };
        // First by the time of the list; then, after a question that failed, by the last contact in the roster.
        for (let times = 2; times > 0; times--) {
          const answer = await check(scene, host, named);
          if (answer.action !== "accept" && violations.length === 0) {
            scene.violation(
              "KV alone carries accepts",
              `${host.name} at ${location}: ${words(answer)} of ${domain}`,
            );
          }
          await time.advance(SECOND);
        }
        host.die();
        if (violations.length > 0) return;
      }
    }
  }
}

/** Asks an isolate about every domain; at the end each answer has to come from the heads. */
async function probe(scene: Scene, host: SimulatedIsolate, isLast: boolean): Promise<void> {
  const { model } = scene;
  const random = new Random(scene.plan.seed, "probe", host.name);
  host.bursts++;
  for (const { domain, head } of model.all) {
    const nobody = `s${random.between(0, 99)}`;
    for (const base of isLast ? ["u0", "u1", nobody] : [nobody]) {
      const name: Name = { base, form: "plain" };
      const answer = await check(scene, host, { name, domain });
      if (scene.violations.length > 0) return;
      const heads = model.headsBehind(domain);
      // Questions of the end may make the brake hold names: isolates may learn of that a window later, and of what they may
      // say unconfirmed, from KV.
      const { window } = host.settings;
      const within = answer.confirmed_age === null ? BOUNDS.kv(window) : window;
      const isNew = heads.some(({ since }) => scene.time.now() - since < within);
      if (!isLast || head === undefined || isNew) continue;
      const number = Math.max(...heads.map((it) => it.number));
      const isGone = head.deletedUntil !== null && answer.verdict === "not-served";
      const isHead =
        answer.generation === number &&
        pairsOf(model, domain, number).some((pair) => agrees(answer, pair, name, host.now()));
      // Parts of an alias and its target may push each other out of a cache that holds hardly more.
      const lacksRoom =
        answer.verdict === "unavailable" && host.settings.cacheBytes < FITTING && heads.length > 1;
      const isConfirmed = answer.confirmed_age !== null || !needsFreshness(answer.verdict, answer.mode);
      if (!(isHead && isConfirmed) && !isGone && !lacksRoom) {
        scene.violation(
          "once faults stop, isolates are at the heads",
          `${host.name} says ${words(answer)} of ${domain}, whose head is ${number}`,
        );
        return;
      }
    }
  }
}

/** Why a bridge defers a refusal whose max_age ended on its way. */
const OUTLIVED = "the refusal was too old when it arrived";
/** How often a bridge is asked again about such a refusal. */
const RETRIES = 3;

/** Asks a bridge about every domain that is served: the edge answers, so there has to be an answer. */
async function probeBridge(scene: Scene, bridge: SimulatedBridge): Promise<void> {
  const random = new Random(scene.plan.seed, "probe", bridge.name);
  const { model } = scene;
  const served = model.all.filter(({ head }) => head !== undefined && head.deletedUntil === null);
  for (const { domain } of served) {
    const named: Named = { domain, name: { base: `s${random.between(0, 99)}`, form: "plain" } };
    const ask = (): Promise<Resolution> => {
      return scene.time.run(Promise.resolve(resolveJudged(scene, bridge, named)));
    };
    let resolution = await ask();
    for (let again = 0; again < RETRIES && resolution.answer.detail === OUTLIVED; again++) {
      // The window of the isolate had less than a second left. It asks the Registry behind its answer; the next question
      // may come to another isolate of which the same is true.
      await scene.time.advance(SECOND);
      resolution = await ask();
    }
    if (resolution.answer.verdict !== "unavailable") continue;
    scene.violation(
      "once faults stop, bridges have answers",
      `${bridge.name} has none about ${domain}: ${resolution.answer.detail}`,
    );
    return;
  }
}

/** An acknowledged commit is never lost: the heads are what the model says, and no older than what was promised. */
function requireAcknowledged(scene: Scene): void {
  scene.model.singleChanges.settle();
  for (const { domain, head, acknowledged } of scene.model.all) {
    const row = scene
      .registry(scene.partitionOf(domain))
      .sql("SELECT number FROM heads WHERE domain = ?", domain)[0];
    const number = (row?.number as number | undefined) ?? 0;
    const isPruned = row === undefined && head?.deletedUntil != null;
    if (isPruned || (number === (head?.number ?? 0) && number >= acknowledged)) continue;
    scene.violation(
      "an acknowledged commit is never lost",
      `${domain}: the head is ${number}, ${acknowledged} was acknowledged, the model has ${head?.number}`,
    );
  }
}

/** Names that each of them asks for: few or many, so that parts of one list are missed at different times. */
const NAMES_OF_A_READER = [3, 16];
const MOST_NAMES = 64;

/** Cold isolates at every location ask for some names of every list, so that what was lost is missed. */
async function readEverywhere(scene: Scene, round: number): Promise<void> {
  const { time, model, plan } = scene;
  const random = new Random(plan.seed, "readers", time.elapsed);
  // A part that nobody reads is missed by nobody: in the end all are read.
  const length = Math.min(MOST_NAMES, random.pick(NAMES_OF_A_READER) * 2 ** round);
  const ask = (host: SimulatedIsolate, recipient: string): Promise<unknown> =>
    Promise.resolve(host.check({ recipient }));
  for (const location of plan.setup.locations) {
    const host = scene.isolate(location, {}, random);
    host.bursts++;
    const checks = model.all.flatMap(({ domain }) =>
      Array.from({ length }, () => ask(host, `s${random.between(0, 999)}@${domain}`)),
    );
    await time.run(Promise.all(checks));
    // Once confirmed, what is older than the head is asked for again.
    for (const { domain } of model.all) await time.run(ask(host, `nobody@${domain}`));
    host.die();
  }
}

/** Departures of a domain that is an alias now are never looked up, so nobody misses them. */
const tablesOf = ({ shards, departures, policy }: Manifest) =>
  policy.alias === null ? [shards, departures] : [shards];

/** Keys in which KV is not what the Registries say. */
function differences(scene: Scene, withRoster: boolean): string[] {
  const { kv, plan } = scene;
  const wrong: string[] = [];
  for (let partition = 0; partition < plan.setup.partitions; partition++) {
    const registry = scene.registry(partition);
    wrong.push(...differencesOf(registry, kv, scene.keyFor, tablesOf));
    const rows = registry.sql("SELECT domain, number FROM heads ORDER BY domain");
    if (!withRoster || rows.length === 0) continue;
    const heads = Object.fromEntries(rows.map(({ domain, number }) => [domain, number]));
    const text = kv.newest(rosterKey(String(partition)));
    const [, json = "{}"] = text === null ? [] : new TextDecoder().decode(text).split("\n");
    if (JSON.stringify((JSON.parse(json) as { heads?: object }).heads) !== JSON.stringify(heads))
      wrong.push(rosterKey(String(partition)));
  }
  return wrong;
}
