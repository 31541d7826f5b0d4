/** An edge with a list, for the bridge and its peers to ask. */
import type { Tell } from "../report/measurement.ts";
import { isKnown, mixedNames } from "./lists.ts";
import type { Asking } from "./socketmap.ts";
import type { Questions } from "./socketmap-load.ts";
import type { ServedEdge } from "./workerd.ts";
import { World } from "./world.ts";

/** On the list: user0, user1, ... */
export const MAILBOXES = 100_000;

/**
 * Seconds for which an answer holds (law 2): the longest window that an edge takes, so that "from the cache" is all
 * that is measured, and no answer expires in the middle of a round.
 */
const WINDOW = "3600";

export const makeBridgeWorld = (): Promise<World> => World.make({ ROLLCALL_WINDOW: WINDOW });

export async function publishForBridge(
  world: World,
  edge: ServedEdge,
  tell: Tell,
  mailboxes = MAILBOXES,
): Promise<Asking> {
  tell(`publishing ${mailboxes.toLocaleString("en")} mailboxes`);
  await world.publish(edge, world.list(mailboxes));
  return { origin: edge.origin, token: await world.checkToken(edge) };
}

/** So many names, of which half exist, and whole domains that Postfix asks about. */
export const recipients = (count: number, ...domains: string[]): Questions => ({
  table: "recipients",
  keys: [...mixedNames(count, MAILBOXES), ...domains.map((domain) => `@${domain}`)],
  value: (name) => (isKnown(name) ? "deliverable" : null),
});
