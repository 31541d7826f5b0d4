/** A Registry that loses its storage, and is initialised again. */
import type { Random } from "../../testing/random.ts";
import { addOlderLog } from "./meetings.ts";
import { type Add, MINUTE, SECOND, type Setup } from "./plan.ts";

/** Worlds in which there is the time for it. */
export const SHORTEST_WITH_LOSS = 17 * MINUTE;

/** By then KV shows the roster of a Registry everywhere. */
const EARLIEST = 5 * MINUTE;

/** Time that it takes until all is published again. */
const UNTIL_SERVED = 10 * MINUTE;

/** The operator notices, initialises it, publishes every list again, and restarts some of the bridges. */
export function addLoss(seed: number, random: Random, setup: Setup, length: number, add: Add): void {
  // The first one records the revocations of all.
  const last = setup.partitions - 1;
  const partition = random.pick([0, last, last]);
  const lost = EARLIEST + random.next() * (length - EARLIEST - UNTIL_SERVED);
  add(lost, { kind: "loss", partition });
  const initialised = lost + random.between(70, 200) * SECOND;
  add(initialised, { kind: "initialise", partition });
  // Somebody publishes before anybody knows.
  for (let tries = 0; tries < 3; tries++) {
    const domain = random.pick(setup.domains);
    add(lost + 5 * SECOND + random.next() * 50 * SECOND, {
      kind: "publish",
      domain,
      change: "found",
      forces: true,
    });
  }
  addOlderLog(seed, setup, add, partition, [lost, initialised, initialised + 330 * SECOND]);
  // Tokens that are revoked while it is uninitialised: it has to start with them.
  add(lost - 20 * SECOND, { kind: "token", role: "check" });
  for (const before of [50, 30, 10]) add(initialised - before * SECOND, { kind: "revocation" });
  // The old roster may go on showing for minutes, and nothing can be published until it does not.
  for (const wait of [5, 120, 240, 300]) {
    for (const domain of setup.domains) {
      const at = initialised + wait * SECOND + random.next() * 20 * SECOND;
      add(at, { kind: "publish", domain, change: "found", forces: true });
      add(at + random.next() * 40 * SECOND, {
        kind: "checks",
        count: 8,
        how: "one by one",
        domains: [domain],
      });
    }
  }
  for (let i = random.between(0, 2); i > 0; i--)
    add(initialised + random.next() * 5 * MINUTE, { kind: "bridge", location: random.pick(setup.locations) });
}
