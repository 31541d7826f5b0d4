/** What the suites about a replica share: its token, when it holds its list, and names that nobody asked before. */
import { join } from "node:path";
import { until } from "../../test/mta/support/waiting.ts";
import { DOMAIN, isKnown, KNOWN, UNKNOWN } from "./lists.ts";
import { type BridgeSetting, type ServedBridge, serveBridge } from "./socketmap.ts";
import type { Questions } from "./socketmap-load.ts";
import type { World } from "./world.ts";

const FIRST_SYNC_TIMEOUT_MS = 600_000;
/** A number, since `+Inf` stands for a list that is not here yet. */
const HELD = new RegExp(`^rollcall_bridge_replica_age_seconds\\{domain="${DOMAIN}"\\} \\d`, "m");

/** @param origin of the edge, or of a proxy in front of it */
export async function replicaToken(world: World, origin: string): Promise<string> {
  const role = ["--role", "replica", "--domain", DOMAIN];
  return (await world.rollcall({ origin }, "token", "create", ...role)).output.trim();
}

/**
 * Starts a bridge with a replica, and waits until its own metrics say that it holds the newest list.
 * @param folder in which the replica has its own
 */
export async function serveReplica(
  asking: { readonly origin: string; readonly token: string },
  folder: { readonly path: string },
  setting: Pick<BridgeSetting, "node" | "listeners"> = {},
): Promise<ServedBridge> {
  const bridge = await serveBridge(asking, { ...setting, replica: join(folder.path, "replica") });
  const isHeld = async (): Promise<boolean> => HELD.test(await bridge.metrics());
  await until("the replica holds the list", isHeld, FIRST_SYNC_TIMEOUT_MS);
  return bridge;
}

export const questionsOf = (keys: readonly string[]): Questions => ({
  table: "recipients",
  keys,
  value: (name) => (isKnown(name) ? "deliverable" : null),
});

/** Names that were not asked before. */
export class NewNames {
  readonly #mailboxes: number;
  #known = 0;
  #unknown = 0;

  /** @param mailboxes of the list */
  constructor(mailboxes: number) {
    this.#mailboxes = mailboxes;
  }

  /** Mailboxes in another order than that of the list. Once all are taken, the same with a subaddress. */
  known(count: number): string[] {
    return Array.from({ length: count }, () => {
      const number = this.#known++;
      const round = Math.floor(number / this.#mailboxes);
      const name = (number * 7_919) % this.#mailboxes;
      return `${KNOWN}${name}${round === 0 ? "" : `+${round}`}@${DOMAIN}`;
    });
  }

  unknown(count: number): string[] {
    return Array.from({ length: count }, () => `${UNKNOWN}${this.#unknown++}@${DOMAIN}`);
  }

  /** Every other one is on the list. */
  mixed(count: number): string[] {
    const unknown = this.unknown(count >> 1);
    return this.known(count - unknown.length).flatMap((name, i) => [name, ...unknown.slice(i, i + 1)]);
  }
}

/** Mailboxes over the whole list, so that every shard is used. */
export function spreadNames(mailboxes: number, count: number): string[] {
  const step = Math.max(1, Math.floor(mailboxes / count));
  return Array.from({ length: count }, (_, i) => `${KNOWN}${(i * step) % mailboxes}@${DOMAIN}`);
}
