/** An edge with a list, for a bridge and its peers to ask. */
import { DOMAIN, KNOWN, UNKNOWN } from "./lists.ts";
import type { Asking } from "./socketmap.ts";
import type { Questions } from "./socketmap-load.ts";
import { World } from "./world.ts";

/** On the list: user0, user1, ... */
export const MAILBOXES = 100_000;

/**
 * Seconds for which an answer holds (law 2). The longest that an edge takes, so that what is measured as "from the
 * cache" is that alone, and no answer grows old in the middle of a round.
 */
const WINDOW = "3600";

/** A served list. */
export interface BridgeWorld extends Asking {
  readonly edgePid: number;
  end(): Promise<void>;
}

export async function serveBridgeWorld(tell: (line: string) => void): Promise<BridgeWorld> {
  tell(`publishing ${MAILBOXES.toLocaleString("en")} mailboxes`);
  const world = await World.make({ ROLLCALL_WINDOW: WINDOW });
  try {
    const edge = await world.serve();
    try {
      await world.publish(edge, world.list(MAILBOXES));
      return {
        origin: edge.origin,
        token: await world.checkToken(edge),
        edgePid: edge.pid,
        async end() {
          await edge.stop();
          await world.end();
        },
      };
    } catch (error) {
      await edge.stop();
      throw error;
    }
  } catch (error) {
    await world.end();
    throw error;
  }
}

/** Every other name is on the list. They lie all over it, the same in every run. */
export function mixedNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const place = (i * 2_654_435_761) % MAILBOXES;
    return `${i % 2 === 0 ? KNOWN : UNKNOWN}${place}@${DOMAIN}`;
  });
}

export const isKnown = (name: string): boolean => name.startsWith(KNOWN);

/** The table `recipients` of the bridge, and of whoever stands in its place. */
export const recipientsTable = (names: readonly string[]): Questions => ({
  table: "recipients",
  keys: names,
  value: (name) => (isKnown(name) ? "deliverable" : null),
});
