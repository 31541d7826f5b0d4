/** Mail hosts with replicas: how they start, what they go through, and what must hold of them in the end. */

import type { Resolution } from "../../src/bridge/answers/resolution.ts";
import { clientOf } from "../../testing/client.ts";
import { LINGERING } from "../../testing/limits.ts";
import { Random } from "../../testing/random.ts";
import { BOUNDS } from "../model/bounds.ts";
import type { Named } from "../model/names.ts";
import { written } from "../model/names.ts";
import { words } from "../model/pairs.ts";
import { type HostTrouble, SECOND } from "../plan/plan.ts";
import type { Flight, SimulatedBridge } from "../world/bridge.ts";
import type { SimulatedIsolate } from "../world/isolate.ts";
import { SimulatedReplica } from "../world/replica.ts";
import type { Scene } from "./scene.ts";
import { revokeToken } from "./tokens.ts";

/** Times that a token is asked for, and the pause between them. */
const TRIES = 20;
const PAUSE = 3 * SECOND;
/** Longest time that one operation of a slow disk takes. */
const SLOWEST = 1_500;

/** A replica at a location. It starts when it has its token. */
export function beginReplica(
  scene: Scene,
  random: Random,
  name: string,
  location: string,
  acceptGrace: number,
  domains: readonly string[] | null,
  keptTo: () => SimulatedIsolate | null,
): SimulatedReplica {
  const replica = new SimulatedReplica({
    name,
    location,
    time: scene.time,
    random,
    faults: scene.faults,
    fetch: scene.network.from(location, undefined, keptTo),
    window: scene.settings.window,
    acceptGrace,
    history: scene.settings.history,
    partitionOf: (domain) => scene.partitionOf(domain),
    violation: scene.violation,
    trace: scene.trace,
  });
  scene.tally.replicas++;
  scene.go(giveToken(scene, replica, location, domains));
  return replica;
}

/** Has the edge issue a token, and gives it to a replica. */
async function giveToken(
  scene: Scene,
  replica: SimulatedReplica,
  location: string,
  domains: readonly string[] | null,
): Promise<void> {
  const client = clientOf(scene.time, scene.network.from(location), scene.adminToken);
  for (let tries = 0; tries < TRIES && !replica.hasEnded; tries++) {
    try {
      const { id, token } = await client.createToken({ role: "replica", domains: domains && [...domains] });
      const issued = { id, token, role: "replica" as const, domains, revokedAt: Number.POSITIVE_INFINITY };
      scene.tokens.push(issued);
      scene.trace(() => `${replica.name} gets a token for ${domains?.join(", ") ?? "all domains"}`);
      if (!replica.hasEnded) replica.useToken(issued);
      return;
    } catch {
      await scene.time.sleep(PAUSE);
    }
  }
}

/** Something happens to the hosts of a focus, or to all. */
export function trouble(scene: Scene, random: Random, it: HostTrouble, focus?: number): void {
  for (const bridge of scene.bridges) {
    const { replica } = bridge;
    if (replica === null || replica.hasEnded || replica.token === null) continue;
    if (focus === undefined || bridge.focus === focus) troubleOne(scene, random, bridge, replica, it);
  }
}

function troubleOne(
  scene: Scene,
  random: Random,
  bridge: SimulatedBridge,
  replica: SimulatedReplica,
  it: HostTrouble,
): void {
  const { time, tally, trace } = scene;
  if (it.what !== "end") tally.event(`host: ${"how" in it ? it.how : "fault" in it ? it.fault : it.what}`);
  trace(() => `${replica.name} meets: ${JSON.stringify(it)}`);
  const { disk } = replica;
  // What belongs to a run that is over does not happen any more.
  const later = (ms: number, action: () => void): void => {
    const { run } = replica;
    time.after(ms, () => {
      if (run === replica.run && !replica.hasEnded && scene.violations.length === 0) action();
    });
  };
  switch (it.what) {
    case "end":
      if (time.now() - replica.hurtAt > LINGERING) requireFolder(scene, replica);
      replica.hasEnded = true;
      replica.stop(false);
      return;
    case "off":
      if (it.how === "dies while it writes") disk.diesBefore = disk.operations + random.between(1, 40);
      else replica.stop(it.how === "power fails");
      later(it.ms, () => {
        if (it.how === "dies while it writes") replica.stop(true);
        replica.setClock(it.clock);
        bridge.restart();
        replica.boot();
      });
      return;
    case "sleep":
      replica.fallAsleep();
      later(it.ms, () => {
        replica.setClock(it.clock);
        replica.wake();
      });
      return;
    case "clock":
      replica.setClock(it.by);
      return;
    case "disk":
      if (it.fault === "slow") disk.wait = () => time.sleep(random.next() ** 4 * SLOWEST);
      else disk.fault = it.fault;
      later(it.ms, () => replica.makeDiskWell());
      return;
    case "damage":
      replica.damage(it.how, it.files);
      return;
    case "token":
      scene.go(giveToken(scene, replica, bridge.location, it.domains));
      return;
    case "revocation":
      if (replica.token !== null) scene.go(revokeToken(scene, random, replica.token));
  }
}

/** Faults have stopped: every host is well, and its token covers all domains. */
export function makeHostsWell(scene: Scene): void {
  for (const bridge of scene.bridges) {
    const { replica } = bridge;
    if (replica === null || replica.hasEnded) continue;
    if (replica.token === null) {
      replica.hasEnded = true;
      continue;
    }
    // Isolates of a rollout have other windows, and what one confirms does not count for the other.
    const random = new Random(scene.plan.seed, "last", replica.name);
    if (bridge.focus !== null) scene.isolates.keep(scene.isolate(bridge.location, {}, random), bridge.focus);
    replica.makeDiskWell();
    replica.stop(false);
    bridge.restart();
    replica.boot();
    scene.go(giveToken(scene, replica, bridge.location, replica.token.domains));
  }
}

/** Asks a bridge; what its replica says is judged as what an isolate says. */
export function resolveJudged(
  scene: Scene,
  bridge: SimulatedBridge,
  named: Named,
  text: string = written(named),
): Resolution | Promise<Resolution> {
  const { replica } = bridge;
  const { judges, time, violations } = scene;
  const askedAt = time.now();
  const run = replica?.run;
  const isAsked = replica === null || replica.isRunning;
  const settled = bridge.resolve(text);
  const isPending = settled instanceof Promise;
  const partition = scene.partitionOf(named.domain);
  // It decides when it is asked, or while it waits for its disk or for the edge. Equal questions share one answer, however
  // their domain is spelled.
  const question = written(named);
  const flight: Flight = (isPending && bridge.flights.get(question)) || {
    askedAt,
    held: isPending ? new Map(replica?.sure(partition)) : new Map(),
    contact: replica?.contact(partition) ?? Number.NEGATIVE_INFINITY,
    moments: isPending && replica !== null ? replica.momentsSince(askedAt) : [],
  };
  if (isPending) bridge.flights.set(question, flight);
  const answered = settled instanceof Promise ? new Map(replica?.answered) : replica?.answered;
  const judge = (resolution: Resolution): Resolution => {
    bridge.flights.delete(question);
    // A process that was killed has said nothing, and a host that is off or asleep is not asked.
    const isHeard = replica === null || (isAsked && replica.isRunning && replica.run === run);
    if (violations.length > 0 || !isHeard) return resolution;
    judges.bridges.judge(bridge, named, resolution, askedAt);
    if (replica === null) return resolution;
    judges.replicas.judge(bridge, replica, named, resolution, flight);
    const { answer, source } = resolution;
    if (source !== "replica") return resolution;
    const moments = [...flight.moments, ...replica.momentsSince(flight.askedAt, answered)];
    judges.answers.judge({ ...named, host: replica, answer, floor: 0 }, moments);
    bridge.noteLocal(answer, named.domain);
    if (violations.length > 0) scene.trace(() => `it was asked about ${text}`);
    return resolution;
  };
  return settled instanceof Promise ? settled.then(judge) : judge(settled);
}

/** Rounds in which damaged parts are found and fetched again. */
const ROUNDS = 4;

/** Every replica answers about all its domains from the heads, and its folder has what it needs and no more. */
export async function probeReplicas(scene: Scene): Promise<void> {
  for (const bridge of scene.bridges) {
    const { replica } = bridge;
    if (replica === null || replica.hasEnded) continue;
    for (let round = ROUNDS; round > 0 && scene.violations.length === 0; round--) {
      await probe(scene, bridge, replica, round);
      await scene.time.advance(2 * SECOND);
    }
    if (scene.violations.length === 0) requireFolder(scene, replica);
    replica.hasEnded = true;
    replica.stop(false);
  }
}

async function probe(
  scene: Scene,
  bridge: SimulatedBridge,
  replica: SimulatedReplica,
  round: number,
): Promise<void> {
  const { model, time, violations, violation } = scene;
  const random = new Random(scene.plan.seed, "probe", replica.name, round);
  for (const { domain, head } of model.all) {
    if (head === undefined || head.deletedUntil !== null || !replica.covers(domain)) continue;
    const { alias } = head.policy;
    if (alias !== null && (model.headsBehind(domain).length < 2 || !replica.covers(alias))) continue;
    // Names enough for every shard.
    for (let i = 0; i < 12; i++) {
      const named: Named = { domain, name: { base: `s${random.between(0, 999)}`, form: "plain" } };
      const { answer, source } = await time.run(Promise.resolve(resolveJudged(scene, bridge, named)));
      if (violations.length > 0) return;
      const heads = model.headsBehind(domain);
      // Questions of the end may make the brake hold names.
      const isNew = heads.some(({ since }) => time.now() - since < replica.settings.window);
      const isHead = isNew || answer.generation === Math.max(...heads.map(({ number }) => number));
      if (round > 1 || (source === "replica" && answer.confirmed_age !== null && isHead)) continue;
      violation(
        "once faults stop, replicas are at the heads",
        `${bridge.name} says ${words(answer)} of ${domain} from its ${source} (${answer.detail}), whose head is ${head.number}`,
      );
      return;
    }
  }
}

const FILE = /^(?:manifests|blobs|keys)\/([^/]+)/;

function requireFolder(scene: Scene, replica: SimulatedReplica): void {
  const { model, violation } = scene;
  // A Registry that does not answer says nothing of its domains.
  if (scene.time.now() - replica.hurtAt < SECOND) return;
  const paths = [...replica.disk.files.keys()];
  for (const path of paths) {
    const [, domain] = FILE.exec(path) ?? [];
    if (domain === undefined) continue;
    const history = model.history(domain);
    // If the log that listed it was lost, it stays for accept-grace.
    const isKept = history.head !== undefined || history.generations.some(({ log }) => log !== history.log);
    if (replica.covers(domain) && isKept) continue;
    violation("a folder has only what its token covers", `${replica.name} has ${path}`);
    return;
  }
  if (replica.isDamaged) return;
  const settled = scene.time.now() - replica.settings.window - BOUNDS.catchingUp;
  for (const { domain, head } of model.all) {
    if (head === undefined || head.deletedUntil !== null || !replica.covers(domain)) continue;
    if (head.since > settled) continue;
    if (paths.includes(`manifests/${domain}`)) continue;
    violation("the folder has every list", `${replica.name} has no list of ${domain} on its disk`);
    return;
  }
}
