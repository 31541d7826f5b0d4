/** What a Registry has stored of a head is damaged; and an operator restores an older list, as docs/restoring.md says. */
import type { HeadResult } from "../../src/api/index.ts";
import { ClientError } from "../../src/client/index.ts";
import { Random } from "../../testing/random.ts";
import type { Step } from "../plan/plan.ts";
import { publisherOf } from "./clients.ts";
import type { Scene } from "./scene.ts";

/** Bits of a manifest that change. */
const BITS = 5;
/** Octets at the end of a manifest that are its MAC, and before them the octets in which a small list stands. */
const MAC = 32;
const LIST = 120;

/** Damages the head of a domain that has an older list, unless it is damaged already. */
export function damageStorage(
  scene: Scene,
  random: Random,
  { domain, of }: Pick<Extract<Step, { kind: "damage" }>, "domain" | "of">,
): void {
  const history = scene.model.history(domain);
  if (history.damagedUntil > scene.time.now() || olderList(scene, domain) === undefined) return;
  const { storage } = scene.registry(scene.partitionOf(domain));
  if (of === "head") storage.sql("DELETE FROM heads WHERE domain = ?", domain);
  else {
    const where = "WHERE domain = ? AND superseded IS NULL";
    const [row] = storage.sql(`SELECT manifest FROM generations ${where}`, domain);
    const bytes = Uint8Array.from(row?.manifest as Uint8Array);
    for (let i = 0; i < BITS; i++) {
      const at = bytes.length - MAC - random.between(1, LIST);
      bytes[at] = (bytes[at] as number) ^ (1 << random.between(0, 7));
    }
    storage.sql(`UPDATE generations SET manifest = ? ${where}`, bytes, domain);
  }
  history.damagedUntil = Number.POSITIVE_INFINITY;
  scene.tally.fault(`stored ${of} damaged`);
  scene.trace(() => `the ${of} of ${domain} is damaged in its Registry's storage`);
}

/** Rolls a domain back whose head is damaged, or deletes it if its older lists were pruned. @returns whether its head is sound */
export async function repairStorage(scene: Scene, random: Random, domain: string): Promise<boolean> {
  const { model, time } = scene;
  const history = model.history(domain);
  const isDamaged = (): boolean => history.damagedUntil > time.now();
  const [head, older] = [history.head, olderList(scene, domain)];
  if (!isDamaged() || head === undefined || older === undefined) return true;
  const { client, acknowledged } = publisherOf(scene, random);
  const restore = async (): Promise<HeadResult> => {
    try {
      return await client.rollback(domain, { to: older.number, expect: head.number });
    } catch (error) {
      const isPruned = error instanceof ClientError && error.code === "not_found";
      if (!isPruned || older.until > time.now() - scene.settings.history) throw error;
      return client.deleteDomain(domain, head.number);
    }
  };
  try {
    const { generation } = await restore();
    model.acknowledged(domain, generation, null);
    acknowledged(domain, generation);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    scene.tally.event(`rollback of a damaged list met ${error.code ?? error.kind}`);
  }
  return !isDamaged();
}

/** When faults have stopped, every damaged list can be restored. */
export async function repairAll(scene: Scene): Promise<void> {
  for (const { domain } of scene.model.all) {
    const random = new Random(scene.plan.seed, "repair", domain);
    if (await scene.time.run(repairStorage(scene, random, domain))) continue;
    scene.violation("a damaged list can be restored", `${domain} cannot be rolled back`);
    return;
  }
}

/** The list before a domain's newest. */
const olderList = (scene: Scene, domain: string) =>
  scene.model
    .history(domain)
    .current.filter(({ deletedUntil }) => deletedUntil === null)
    .at(-2);
