import type { Hashing } from "../../directory/index.ts";
import type { Random } from "../../runtime/ports.ts";
import type { AbortableTimers } from "../ports.ts";
import { type FolderFault, openFolder } from "./disk/folder.ts";
import type { LockOwner } from "./disk/lock.ts";
import type { ReplicaEdge, ReplicaObserver } from "./ports.ts";
import { Replica } from "./replica.ts";
import type { HostClocks } from "./replica-time.ts";
import { ReplicaStore } from "./store.ts";

/** What a replica needs from the host of the bridge. */
export interface ReplicaHost {
  readonly clocks: HostClocks;
  readonly random: Random;
  readonly hashing: Hashing;
  /** This process. */
  readonly owner: LockOwner;
  /** Process id of a bridge that this one replaces, which may still use the folder; null if there is none. */
  readonly predecessor: number | null;
}

export interface OpenReplicaOptions {
  readonly folder: string;
  /** Domains to hold; empty for all that the token covers. */
  readonly domains: readonly string[];
  /** Milliseconds. */
  readonly acceptGrace: number;
  /** Bytes of lists in memory; as many again while the folder cannot be written. */
  readonly cacheBytes: number;
  readonly edge: ReplicaEdge;
  readonly host: ReplicaHost;
  readonly timers: AbortableTimers;
  readonly observer: ReplicaObserver;
}

/** A replica and its folder. */
export interface OpenReplica {
  readonly replica: Replica;
  /** Bytes that wait in memory, since the folder cannot be written. */
  unwrittenBytes(): number;
  /** Sends nothing more, and leaves the folder to others. */
  stop(): Promise<void>;
}

/**
 * Opens the replica in a folder. It answers from what an earlier run stored; call `replica.start` to poll and fetch.
 * @returns null if a newer release wrote the folder: then the edge is asked about everything
 * @throws FolderError if the folder cannot be used at all
 */
export async function openReplica(options: OpenReplicaOptions): Promise<OpenReplica | null> {
  const { domains, acceptGrace, cacheBytes, edge, host, timers, observer } = options;
  const opened = await openFolder(options.folder, host.owner, host.predecessor);
  if ("format" in opened) {
    observer.newerFormat(options.folder, opened.format);
    return null;
  }
  const { folder } = opened;
  const store = new ReplicaStore(folder.disk, host.hashing, cacheBytes, observer);
  const noteFault = (fault: FolderFault | null): void => {
    store.isWritable = fault === null;
    // A bridge that is being replaced leaves the folder to this one in a moment.
    if (fault !== null && !(fault.kind === "busy" && fault.pid === host.predecessor)) {
      observer.unwritable(errorOf(fault));
    }
  };
  noteFault(opened.fault);
  const replica = await Replica.open({
    ...host,
    edge,
    store,
    timers,
    observer,
    acceptGrace,
    cacheBytes,
    scope: domains.length === 0 ? null : new Set(domains),
    checkFolder: async () => {
      noteFault(await folder.check());
      return store.isWritable && folder.wasLost();
    },
  });
  return {
    replica,
    unwrittenBytes: () => store.unwrittenBytes,
    async stop() {
      replica.stop();
      // What is still under way must not write into the folder of another bridge.
      store.isWritable = false;
      await folder.release();
    },
  };
}

const errorOf = (fault: FolderFault): Error =>
  fault.kind === "busy" ? new Error(`another bridge (process ${fault.pid}) uses the folder`) : fault.error;
