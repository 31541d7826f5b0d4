/** The replica on a mail host: its clocks, its token, its polls, what it leaves to the edge. */
import { bridge, client, edge, type Mutant, mutant, registry } from "./patch.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  mutant(
    "a replica's window starts with the answer",
    "it starts before the question",
    bridge(
      "replica/replica.ts",
      "const askedAt = Math.max(asked.now, time - (this.#time.elapsed() - asked.elapsed));",
      "const askedAt = this.#time.now();",
    ),
  ),
  mutant(
    "the sleep of a host does not count",
    "what the wall clock gains on the monotonic one has passed as well",
    bridge("steady-clock.ts", "        slept += gain;\n", ""),
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
      "log/replica-changes.ts",
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
      "log/replica-changes.ts",
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
      "this.#loops.run(this.#host?.settings.partitions ?? 1);",
      "this.#loops.run(1);",
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
      "this.#replica.isAway(domain) && this.#isNewest(answer, domain);",
      "this.#isNewest(answer, domain);",
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
    "what the host's clock was behind by has passed since the question",
    "an answer is contact from when it was asked for",
    bridge(
      "replica/replica.ts",
      "const askedAt = Math.max(asked.now, time - (this.#time.elapsed() - asked.elapsed));",
      "const askedAt = asked.now;",
    ),
  ),
  mutant(
    "accept-grace begins again with each start",
    "it runs from the last contact, over starts of the host",
    bridge("replica/replica.ts", "isOfLog ? contact[1] : Number.NEGATIVE_INFINITY", "this.#time.now()"),
  ),
  mutant(
    "the time for which the host was off does not count",
    "it has passed as well",
    bridge("replica/replica.ts", "const passed = Math.max(0, elapsed, certain ?? 0);", "const passed = 0;"),
  ),
  mutant(
    "a clock before the stored time is trusted",
    "nothing is accepted from the folder until the edge has answered",
    bridge(
      "replica/replica.ts",
      "this.#isTimeKnown = elapsed >= 0 || certain !== null;",
      "this.#isTimeKnown = true;",
    ),
  ),
  mutant(
    "the last contact is not stored",
    "accepts go on over a start of the host",
    bridge("replica/replica.ts", "    await this.#storeTime();\n", ""),
  ),
  mutant(
    "an answer to another question is taken",
    "an answer repeats the nonce of its question",
    client("changes.ts", '  if (answer.nonce !== nonce) return "it answers another question";\n', ""),
  ),
  mutant(
    "after a new token only changes are asked for",
    "what changed before it would be left out, of domains that only this token covers",
    bridge(
      "replica/replica.ts",
      "    this.#tally = new Tally();\n    this.#heardInFull.clear();\n",
      "    this.#tally = new Tally();\n",
    ),
  ),
  mutant(
    "a replica waits for an edge that hangs",
    "its own accept is given in half of the time",
    bridge("replica/replica-source.ts", "(deadline - clock.now()) / 2;", "(deadline - clock.now()) * 2;"),
  ),
  mutant(
    "what a replica has heard of the log is no bound",
    "nothing older refuses, also after a restart",
    bridge(
      "replica/replica-source.ts",
      "return this.#replica.heard(domain);",
      "return this.#replica.heard(domain) && null;",
    ),
  ),
  mutant(
    "an edge that has no verdict ends a replica's accept",
    "an accept of the replica holds",
    bridge(
      "replica/replica-source.ts",
      'if (outcome?.kind === "answer" && this.#isOfUse(outcome.answer, domain)) return outcome;',
      "if (outcome !== null) return outcome;",
    ),
  ),
];
