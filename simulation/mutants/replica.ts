/** The replica on a mail host: its clocks, its token, its polls, what it leaves to the edge. */
import { bridge, client, edge, type Mutant, mutant, reader, registry } from "./patch.ts";

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
      "replica/poll-schedule.ts",
      "return Math.min(this.#halfWindow(), FIRST_RETRY * 2 ** (failures - 1)) * this.#jitter();",
      "return 100 * failures ** 0;",
    ),
  ),
  mutant(
    "polls come every second",
    "they come every half window",
    bridge(
      "replica/poll-schedule.ts",
      "return Math.max(0, this.#halfWindow() * this.#jitter() - passed);",
      "return FIRST_RETRY;",
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
    "an unconfirmed accept of a replica needs no question to the edge",
    "the edge may know more",
    bridge(
      "replica/replica-source.ts",
      'return answer.confirmed_age !== null || (answer.action === "accept" && this.#replica.isAway(domain));',
      'return answer.confirmed_age !== null || answer.action === "accept";',
    ),
  ),
  mutant(
    "departures of a replica run on the host's clock",
    "they run on the earliest time that the Registry's clock can show",
    bridge(
      "replica/reader-host.ts",
      "registryClock: { now: () => time.earliest() },",
      "registryClock: time,",
    ),
  ),
  mutant(
    "a replica never hears the Registry's time",
    "names that left are deferred by the Registry's time",
    bridge("replica/replica.ts", "    this.#time.heard(time);\n", ""),
  ),
  mutant(
    "a host whose clock is before the stored time accepts",
    "nothing is known of how long it was off",
    bridge("replica/replica.ts", "this.#isTimeKnown = elapsed >= 0;", "this.#isTimeKnown = true;"),
  ),
  mutant(
    "the time for which a host was off does not count",
    "accept-grace goes on meanwhile",
    bridge("replica/replica.ts", "time.registry + Math.max(0, elapsed),", "time.registry,"),
  ),
  mutant(
    "accept-grace starts again with each start",
    "the last contact is stored",
    bridge(
      "replica/replica.ts",
      "isOfLog ? contact[1] : Number.NEGATIVE_INFINITY",
      "isOfLog ? this.#time.now() : Number.NEGATIVE_INFINITY",
    ),
  ),
  mutant(
    "a stored file in the place of another one is used",
    "its checksum is over its path too",
    bridge(
      "replica/sealed.ts",
      "const checksum = (hashing: Hashing, path: string, json: string): Uint8Array =>",
      'const checksum = (hashing: Hashing, _: string, json: string, path = ""): Uint8Array =>',
    ),
  ),
  mutant(
    "a manifest is stored before its blobs",
    "a stored manifest is complete, also after a crash",
    bridge(
      "replica/sync-domain.ts",
      "    const fetched = await fetchBlobs(ports, manifest);\n    // Otherwise",
      "    await store.putManifest(domain, manifest.bytes);\n    const fetched = await fetchBlobs(ports, manifest);\n    // Otherwise",
    ),
  ),
  mutant(
    "blobs are not flushed before their manifest",
    "a stored manifest is complete, also after a power failure",
    bridge("replica/store.ts", "await this.#flush(`blobs/", 'if (path === "") await this.#flush(`blobs/'),
  ),
  mutant(
    "a manifest does not wait for blobs that wait in memory",
    "a stored manifest is complete, also if the disk was full meanwhile",
    bridge("replica/store.ts", "    if ([`blobs/", '    if (path === "" && [`blobs/'),
  ),
  mutant(
    "blobs are removed while their manifest is the one on the disk",
    "the list before stays until the next one is written",
    bridge(
      "replica/store.ts",
      "    if (this.#unwritten.get(`manifests/",
      '    if (domain === "" && this.#unwritten.get(`manifests/',
    ),
  ),
  mutant(
    "a stored list of any age is enough",
    "a list is fetched that is at the head",
    bridge("replica/sync-domain.ts", " && generation >= need.number;", " && generation >= 0;"),
  ),
  mutant(
    "a stored list of a lost log is enough",
    "numbers of two logs do not compare",
    bridge(
      "replica/sync-domain.ts",
      'origin === "registry" && incarnation === need.incarnation && generation',
      'origin === "registry" && incarnation > 0 && generation',
    ),
  ),
  mutant(
    "what waits in memory is never written",
    "the disk gets it when it has room again",
    bridge("replica/replica.ts", "      await store.writeWaiting();\n", ""),
  ),
  mutant(
    "lists stay that no token covers",
    "a folder has only what its token covers",
    bridge("replica/replica.ts", "    await this.#sweep(host);\n", ""),
  ),
  mutant(
    "an answer to another question counts",
    "an answer repeats the question's nonce",
    client("changes.ts", 'if (answer.nonce !== nonce) return "it answers another question";', ""),
  ),
  mutant(
    "a replica with another token asks only what changed since",
    "what changed for the token before says nothing of other domains",
    bridge(
      "replica/replica.ts",
      "    this.#tally.take();\n    this.#heardInFull.clear();\n",
      "    this.#tally.take();\n",
    ),
  ),
  mutant(
    "an answer to the token before counts",
    "it may be about other domains",
    bridge("replica/replica.ts", "    if (edges !== this.#edges) return 0;\n", ""),
  ),
  mutant(
    "a replica keeps the first window that it hears of",
    "each answer names the window for which it confirms",
    bridge(
      "replica/replica.ts",
      "if (host?.settings.partitions === partitions && host.settings.window === window) return host;",
      "if (host?.settings.partitions === partitions) return host;",
    ),
  ),
  mutant(
    "a replica does not store when it last heard from the Registry",
    "accept-grace goes on over a restart",
    bridge("replica/replica.ts", "    await this.#storeTime();\n", ""),
  ),
  mutant(
    "a replica does not store the log",
    "after a start it accepts from the heads that it knew",
    bridge(
      "replica/replica.ts",
      "      await store.putLog(partition, { ...position, heads: host.heads(partition) });\n",
      "",
    ),
  ),
  mutant(
    "a replica does not store what the edge says of itself",
    "after a start it knows its partitions",
    bridge("replica/replica.ts", "      await store.putSettings(host.settings);\n", ""),
  ),
  mutant(
    "a replica does not store keys",
    "after a start it can read its lists",
    bridge("replica/sync-domain.ts", "  await store.putKey(key);\n", ""),
  ),
  mutant(
    "a part of a list that is missing is not fetched",
    "a check that misses it says so",
    bridge(
      "replica/sync-queue.ts",
      "    if (this.#headOf(domain) === null || this.#running.has(domain)) return;",
      '    if (domain !== "") return;',
    ),
  ),
  mutant(
    "a damaged part counts as present",
    "it is removed before the list is fetched",
    bridge(
      "replica/sync-queue.ts",
      "else void this.#ports.store.removeBlob(domain, blob).then(() => this.#add(domain));",
      "else this.#add(domain);",
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
    "a replica's accept waits for the edge until the end",
    "it comes in time if the edge hangs",
    bridge(
      "replica/replica-source.ts",
      "const patience = (deadline - clock.now()) / 2;",
      "const patience = deadline - clock.now();",
    ),
  ),
  mutant(
    "what the edge says after the replica's accept is dropped",
    "it is newer, and holds for later questions",
    bridge(
      "replica/replica-source.ts",
      "if (outcome === null) return { ...this.#local(answer, domain), later };",
      "if (outcome === null) return this.#local(answer, domain);",
    ),
  ),
  mutant(
    "a replica goes back behind what the edge said",
    "its answers obey the bridge's floor",
    bridge("answers/judge.ts", "if (isOlder(answer, minGenerations.get(domain), now)) return null;", ""),
    reader("decide.ts", "    if (generation < query.minGeneration) {", "    if (false) {"),
  ),
];
