import { Counter, Gauge, type Registry } from "prom-client";
import type { FaultKind } from "../../api/index.ts";
import type { PollFault, ReplicaObserver } from "../replica/ports.ts";
import type { ReplicaState } from "../replica/replica.ts";
import type { BridgeLog } from "./log.ts";

const PREFIX = "rollcall_bridge_replica_";
/** Most domains in metrics, which have a line for each. */
const MAX_DOMAINS = 1_000;
const POLL_RESULTS = ["ok", "unreachable", "refused", "unusable", "older"] as const;
const CONSEQUENCE =
  "accepts continue from the replica for accept_grace, and the edge is asked about everything else. Check edge and token";

/** What the gauges read at each scrape. */
export interface ReplicaGauges {
  states(): readonly ReplicaState[];
  /** Bytes that wait in memory, since the folder cannot be written. */
  unwrittenBytes(): number;
}

/** Reports what the replica does to the bridge's log and metrics. */
export class ReplicaTelemetry implements ReplicaObserver {
  readonly #log: BridgeLog;
  readonly #registry: Registry;
  readonly #failed: (error: unknown) => void;
  readonly #polls: Counter;
  readonly #syncFailures: Counter;
  readonly #missing: Counter;
  readonly #bytes: Counter;
  /** By partition, whether the last poll failed. */
  readonly #isFailing = new Map<number, boolean>();
  readonly #unwritable: Gauge;
  #isUnwritable = false;

  /** @param failed a fault of the bridge */
  constructor(log: BridgeLog, registry: Registry, failed: (error: unknown) => void) {
    this.#log = log;
    this.#registry = registry;
    this.#failed = failed;
    const counter = (name: string, help: string, ...labelNames: string[]): Counter =>
      new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] });
    this.#polls = counter("polls_total", "Questions to the edge about what changed, by result", "result");
    // From 0 on, so that alerts see the first of each.
    for (const result of POLL_RESULTS) this.#polls.inc({ result }, 0);
    this.#syncFailures = counter("sync_failures_total", "Fetches of a domain's list that failed");
    this.#missing = counter("missing_total", "Parts of stored lists that were found missing or damaged");
    this.#unwritable = new Gauge({
      name: `${PREFIX}unwritable`,
      help: "Whether the replica's folder could not be written, and may lack something or have too much since (0 or 1)",
      registers: [registry],
    });
    this.#bytes = counter("fetched_bytes_total", "Bytes of lists that were fetched from the edge");
  }

  /** Adds gauges that are read at each scrape. */
  watch({ states, unwrittenBytes }: ReplicaGauges): void {
    const registers = [this.#registry];
    new Gauge({
      name: `${PREFIX}age_seconds`,
      help: "Time since the stored list of a domain was last known to be the newest; +Inf if it never was",
      labelNames: ["domain"],
      registers,
      collect() {
        this.reset();
        for (const { domain, age } of states().slice(0, MAX_DOMAINS)) {
          this.set({ domain }, age ?? Number.POSITIVE_INFINITY);
        }
      },
    });
    new Gauge({
      name: `${PREFIX}unwritten_bytes`,
      help: "Bytes in memory that wait until the replica's folder can be written",
      registers,
      collect() {
        this.set(unwrittenBytes());
      },
    });
  }

  polled(partition: number, fault: PollFault | null, why: string): void {
    this.#polls.inc({ result: fault ?? "ok" });
    if (fault !== null) {
      const text =
        fault === "older"
          ? "the Registry is older than what this host knows; accepts continue from the replica for accept_grace, and nothing is refused. See why"
          : `the Registry did not confirm the replica; ${CONSEQUENCE}`;
      this.#write("warn", "unconfirmed", `${partition} ${fault}`, text, { partition, fault, why });
    } else if (this.#isFailing.get(partition)) {
      this.#write("info", "confirmed", `${partition}`, "the Registry confirms the replica again", {
        partition,
      });
    }
    this.#isFailing.set(partition, fault !== null);
  }

  unlisted(partition: number, domains: readonly string[]): void {
    const text =
      "the Registry started a new log, which does not list all domains that the replica holds; recipients of the others are accepted for accept_grace: publish their lists again, or delete them";
    const [domain = null] = domains;
    this.#write("warn", "unlisted", `${partition}`, text, { partition, domains: domains.length, domain });
  }

  ready(domain: string, generation: number, blobs: number): void {
    const fields = { domain, generation, fetched: blobs };
    this.#write("info", "ready", `${domain} ${generation}`, "the list is complete", fields);
  }

  progress(domain: string, done: number, total: number): void {
    this.#write("info", "progress", domain, "fetching the list", { domain, done, total });
  }

  syncFailed(domain: string, why: string): void {
    this.#syncFailures.inc();
    const text =
      "the list could not be fetched; it is tried again, and the edge is asked meanwhile. If this repeats, see why";
    this.#write("warn", "sync-failed", domain, text, { domain, why });
  }

  missing(domain: string, what: string): void {
    this.#missing.inc();
    const text =
      "a part of the stored list is missing or damaged; it is fetched again. If this repeats, check the disk";
    this.#write("warn", "missing", domain, text, { domain, what });
  }

  fetched(bytes: number): void {
    this.#bytes.inc(bytes);
  }

  unwritable(error: Error): void {
    this.#noteWritable(false);
    const text =
      "the replica's folder cannot be written; answers continue, and what is new is kept in memory: free space on the disk, or correct the folder's permissions";
    const code = (error as NodeJS.ErrnoException).code ?? null;
    this.#write("error", "unwritable", `${code}`, text, { code, why: error.message });
  }

  written(): void {
    if (!this.#isUnwritable) return;
    this.#noteWritable(true);
    this.#write("info", "written", "", "the replica's folder can be written again, and is complete", {});
  }

  #noteWritable(isWritable: boolean): void {
    this.#isUnwritable = !isWritable;
    this.#unwritable.set(isWritable ? 0 : 1);
  }

  unusable(path: string, why: string): void {
    const text =
      "a file of the replica cannot be used; what it held is fetched again. If this repeats, check the disk";
    this.#write("warn", "unusable", path.split("/", 1)[0] as string, text, { path, why });
  }

  clockWentBack(): void {
    const text =
      "the host's clock is before the time that the replica stored, so nothing is answered from it until the edge has answered: correct the clock";
    this.#write("warn", "clock", "", text, {});
  }

  /** The folder is of a newer release. */
  newerFormat(folder: string, format: number): void {
    const text =
      "a newer release wrote the replica's folder, so it is not used, and the edge is asked: install that release, or remove the folder";
    this.#write("error", "newer-format", "", text, { folder, format });
  }

  fault(kind: FaultKind, domain: string | null, detail: string): void {
    const text =
      "the replica found a fault; the edge is asked instead. If this repeats, run `rollcall doctor`";
    this.#write("warn", "fault", `${kind} ${domain}`, text, { kind, domain, detail });
  }

  failed(error: unknown): void {
    this.#failed(error);
  }

  #write(...line: Parameters<BridgeLog["replica"]>): void {
    this.#log.replica(...line);
  }
}
