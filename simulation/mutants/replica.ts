/** The replica on a mail host: its disk, its clocks, its token, its polls. */
import { bridge, client, edge, type Mutant, mutant, registry } from "./patch.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  mutant(
    "a replica's window starts with the answer",
    "it starts before the question",
    bridge(
      "replica/replica.ts",
      "this.#apply(polled.changes, askedAt)",
      "this.#apply(polled.changes, this.#time.now())",
    ),
  ),
  mutant(
    "the sleep of a host does not count",
    "what the wall clock gains on the monotonic one has passed as well",
    bridge("steady-clock.ts", "if (gained > TOLERANCE_MS) slept += gained;", ""),
  ),
  mutant(
    "a clock that was set back hides a sleep",
    "it counts as an hour that has passed",
    bridge("replica/replica-time.ts", "if (lead - this.#lead > TOLERANCE) this.#offset += this.#leap;", ""),
  ),
  mutant(
    "a replica's clock may be behind the Registry's",
    "accept-grace counts from the time of a list that the Registry made",
    bridge("replica/replica-time.ts", "this.#offset += Math.max(0, time - now);", ""),
  ),
  mutant(
    "departures end by the host's clock",
    "they end by the Registry's time in its last answer",
    bridge(
      "replica/replica-time.ts",
      ": heard.time + this.#clocks.monotonic() - heard.monotonic;",
      ": heard.time + this.now() - heard.at;",
    ),
  ),
  mutant(
    "a host whose clock is before the stored time accepts",
    "nothing is accepted from the folder until the edge has answered",
    bridge("replica/replica.ts", "this.#isTimeKnown = elapsed >= 0;", "this.#isTimeKnown = true;"),
  ),
  mutant(
    "the time for which a host was off does not count",
    "it is silence of the Registry",
    bridge("replica/replica.ts", "time.registry + Math.max(0, elapsed)", "time.registry"),
  ),
  mutant(
    "a stored answer counts as an answer to this question",
    "it repeats the nonce",
    client("changes.ts", 'if (answer.nonce !== nonce) return "it answers another question";', ""),
  ),
  mutant(
    "a replica asks with another token for what changed since",
    "that token may cover domains that changed before",
    bridge(
      "replica/replica.ts",
      "    this.#heardInFull.clear();\n    this.#isSwept = false;",
      "    this.#isSwept = false;",
    ),
    bridge("replica/replica.ts", "!this.#heardInFull.has(partition),", "known === null,"),
  ),
  mutant(
    "a replica with a revoked token hears of changes",
    "the Registry itself refuses it",
    registry(
      "replica-changes.ts",
      "const isRefused = token !== null && isRevoked(storage, token);",
      "const isRefused = false;",
    ),
  ),
  mutant(
    "a refusal by the Registry is an empty answer",
    "without heads it would confirm old lists",
    edge("routes/changes.ts", "  if (replica.isRevoked) throw unauthorized();\n", ""),
  ),
  mutant(
    "a replica hears of every domain",
    "only of those that its token covers",
    registry(
      "replica-changes.ts",
      'domains === null ? "" : "AND domain IN (SELECT value FROM json_each(?))"',
      'domains === null ? "" : "AND json_array_length(?) >= 0"',
    ),
  ),
  mutant(
    "an answer of the next release is passed on as it is",
    "the answer to a replica has the members that its contract names",
    edge("routes/changes.ts", "heads: heads.map(([domain, number]) => [domain, number] as const),", "heads,"),
  ),
  mutant(
    "only the first partition is polled after a restart",
    "each one confirms on its own",
    bridge(
      "replica/replica.ts",
      "for (const partition of range(this.#host?.settings.partitions ?? 1)) this.#startLoop(partition);",
      "this.#startLoop(0);",
    ),
  ),
  mutant(
    "a poll that failed is repeated at once",
    "the pause doubles up to half a window",
    bridge(
      "replica/replica.ts",
      "return Math.min(this.#halfWindow(), FIRST_RETRY * 2 ** (failures - 1)) * this.#jitter();",
      "return 100 * failures ** 0;",
    ),
  ),
  mutant(
    "polls come every second",
    "they come every half window",
    bridge(
      "replica/replica.ts",
      "return Math.max(0, this.#halfWindow() * this.#jitter() - (this.#time.now() - askedAt));",
      "return FIRST_RETRY;",
    ),
  ),
  mutant(
    "the checksum of a stored file is not checked",
    "a flipped bit is noticed",
    bridge(
      "replica/sealed.ts",
      "|| !equalBytes(fromHex(text.slice(0, end)), checksum(hashing, path, json))",
      "",
    ),
  ),
  mutant(
    "a stored file counts in the place of another one",
    "its checksum is over its path too",
    bridge(
      "replica/sealed.ts",
      "(hashing: Hashing, path: string, json: string): Uint8Array",
      '(hashing: Hashing, _: string, json: string, path = ""): Uint8Array',
    ),
  ),
  mutant(
    "a manifest is stored before its blobs",
    "an interrupted fetch leaves the list before it complete",
    bridge(
      "replica/sync-domain.ts",
      "    const fetched = await fetchBlobs(ports, manifest);\n    // Otherwise",
      "    await store.putManifest(domain, manifest.bytes);\n    const fetched = await fetchBlobs(ports, manifest);\n    // Otherwise",
    ),
  ),
  mutant(
    "blobs are not flushed before their manifest",
    "a list that is on the disk after a power failure is complete",
    bridge("replica/store.ts", "await this.#flush(`blobs/", "void (`blobs/"),
  ),
  mutant(
    "the name of a stored file is not flushed",
    "it survives a power failure",
    bridge(
      "replica/store.ts",
      "    await this.#put(path, bytes);\n    await this.#flush(folderOf(path));",
      "    await this.#put(path, bytes);",
    ),
  ),
  mutant(
    "a manifest is stored while its blobs wait in memory",
    "it waits behind them",
    bridge("replica/store.ts", "if ([`blobs/", "if (false && [`blobs/"),
  ),
  mutant(
    "what waited for the disk is not flushed",
    "it survives a power failure",
    bridge(
      "replica/store.ts",
      "    await this.#flushAll(folders);\n    this.#observer.written();",
      "    this.#observer.written();",
    ),
  ),
  mutant(
    "what waits for the disk is never written",
    "it is written once the disk takes it",
    bridge("replica/replica.ts", "      await store.writeWaiting();\n", ""),
  ),
  mutant(
    "a full disk loses the list that it has",
    "parts of the stored list stay while the next one waits in memory",
    bridge(
      "replica/store.ts",
      "if (this.#unwritten.get(`manifests/",
      "if (false && this.#unwritten.get(`manifests/",
    ),
  ),
  mutant(
    "a damaged blob stays on the disk",
    "it is removed, and fetched again",
    bridge(
      "replica/sync-queue.ts",
      "else void this.#ports.store.removeBlob(domain, blob).then(() => this.#add(domain));",
      "else this.#add(domain);",
    ),
  ),
  mutant(
    "a part that a check misses is not fetched",
    "it is fetched again, and the edge is asked meanwhile",
    bridge(
      "replica/sync-queue.ts",
      "    this.#held.delete(domain);\n    this.#triedAt.set(domain, this.#now());\n    if (blob",
      "    if (blob !== null || blob === null) return;\n    if (blob",
    ),
  ),
  mutant(
    "all parts of a list are fetched again",
    "only what the disk lacks",
    bridge(
      "replica/sync-domain.ts",
      ".filter((id) => !present.has(id));",
      '.filter((id) => id !== "" || present.has(id));',
    ),
  ),
  mutant(
    "a folder keeps what the token does not cover",
    "lists of other domains are removed (law 6)",
    bridge(
      "replica/replica.ts",
      "if (host.head(domain) === null) await this.#syncs.remove(domain);",
      "void domain;",
    ),
  ),
  mutant(
    "a replica says not-served",
    "only the edge knows all domains",
    bridge(
      "replica/replica-source.ts",
      'if (isNoVerdict(answer) || answer.verdict === "not-served") return false;',
      "if (isNoVerdict(answer)) return false;",
    ),
  ),
  mutant(
    "an unconfirmed accept of a replica needs no question to the edge",
    "the edge may know more",
    bridge(
      "replica/replica-source.ts",
      'return answer.confirmed_age !== null || (answer.action === "accept" && this.#replica.isAway(domain));',
      'return answer.confirmed_age !== null || answer.action === "accept";',
    ),
  ),
  mutant(
    "a replica waits for an edge that hangs until it is too late",
    "its own accept is given in time",
    bridge(
      "replica/replica-source.ts",
      "const patience = (deadline - clock.now()) / 2;",
      "const patience = deadline - clock.now() + 1000;",
    ),
  ),
];
