import type { Suite } from "../report/measurement.ts";
import { batch } from "./batch.ts";
import { bridge } from "./bridge.ts";
import { bundle } from "./bundle.ts";
import { checks, resident } from "./checks.ts";
import { cold } from "./cold.ts";
import { domains } from "./domains.ts";
import { flood } from "./flood.ts";
import { frontEnds } from "./front-ends.ts";
import { guard } from "./guard.ts";
import { healthy } from "./healthy.ts";
import { keyPerMailbox } from "./key-per-mailbox.ts";
import { listings } from "./listings.ts";
import { maps } from "./maps.ts";
import { patch } from "./patch.ts";
import { patterns } from "./patterns.ts";
import { postfix } from "./postfix.ts";
import { publish } from "./publish.ts";
import { reads } from "./reads.ts";
import { replica } from "./replica.ts";
import { replicaSize } from "./replica-size.ts";
import { rows } from "./rows.ts";
import { sources } from "./sources.ts";
import { storage } from "./storage.ts";

/** All suites, in the order in which they run and are shown. */
export const suites: readonly Suite[] = [
  ...[checks, resident, keyPerMailbox, batch, patterns, domains, reads, cold, storage, rows],
  ...[listings, publish, patch, sources, guard, bridge, replica, replicaSize, flood, healthy, postfix, maps],
  ...[frontEnds, bundle],
];
