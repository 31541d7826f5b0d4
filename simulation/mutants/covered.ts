/** Names that were accepted without an entry, and that a new entry refuses. */
import { directory, edge, type Mutant, mutant, publish, registry } from "./patch.ts";

export const COVERED_MUTANTS: readonly Mutant[] = [
  mutant(
    "names that are newly listed and refused have no grace",
    "who was accepted without an entry is deferred for the grace",
    directory("names/departing.ts", "visitCovered(visit, coverage)", "visit"),
  ),
  mutant(
    "a publisher says that the head accepted nobody without an entry",
    "it looks up by what else the head accepts them",
    publish("covered.ts", "isCovered(ways, head.isLeaving, stateOf) ? [tail] : []", "[]"),
  ),
  mutant(
    "a single change does not look up how else the head accepts a name",
    "it goes from accepted to refused, and has the grace",
    registry("commits/patch.ts", "if (isSo) covered.add(tailOf(print));", "void isSo;"),
  ),
  mutant(
    "a single change forgets the patterns of a list whose last one left",
    "whom one of them accepted is deferred, and goes to refused when it comes back",
    edge(
      "routes/mailboxes.ts",
      "otherWays(key, name, policy, patterns !== null)",
      "otherWays(key, name, policy, patterns?.table != null)",
    ),
  ),
  mutant(
    "a suspended name has its own grace alone",
    "it is deferred for as long as those that left before and may return",
    directory("names/departing.ts", "Math.max(grace, carried.rest(now))", "grace"),
  ),
  mutant(
    "an entry that refuses hides that its stem or its pattern left",
    "who was deferred until then still is",
    directory(
      "verdict/lookup.ts",
      "    if (listed !== null) noteDeparted(manifest, name, matched, now, refused);\n",
      "    if (listed !== null) break;\n",
    ),
  ),
];
