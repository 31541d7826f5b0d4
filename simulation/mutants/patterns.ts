/** Patterns of lists: which one decides, and what becomes of those that leave. */
import { directory, type Mutant, mutant, registry } from "./patch.ts";

const EXACT = '  let listed = lookUpName(manifest, holdings, exact, "mailbox", refused);\n';
const FURTHER =
  "  for (const { name, matched } of furtherCandidates(local, policy, patterns !== null, exact)) {\n";

export const PATTERN_MUTANTS: readonly Mutant[] = [
  mutant(
    "a start goes before an end, whichever is longer",
    "the longest fixed part decides",
    directory("address/cuts.ts", "if (prefix >= name.length - suffix)", "if (prefix > 0)"),
  ),
  mutant(
    "the shortest fixed part decides",
    "the longest fixed part decides",
    directory("address/cuts.ts", "  return cuts;\n", "  return cuts.reverse();\n"),
  ),
  mutant(
    "a name is cut at its first and last delimiter alone",
    "it is cut at four from each end",
    directory(
      "address/cuts.ts",
      "export const MAX_PATTERN_DELIMITERS = 4;",
      "export const MAX_PATTERN_DELIMITERS = 1;",
    ),
    directory("address/cuts.ts", "  if (delimiters > MAX_PATTERN_DELIMITERS) {", "  if (delimiters > 4) {"),
  ),
  mutant(
    "a name with its tag is cut",
    "patterns cover the name without its BATV tag",
    directory("address/canonical.ts", "cutsOf(name)", "cutsOf(exact)"),
  ),
  mutant(
    "a pattern goes before the exact name",
    "the exact name goes first",
    directory(
      "verdict/lookup.ts",
      EXACT,
      `${FURTHER}    const early = matched === "pattern" ? lookUpPattern(manifest, name, now, []) : null;\n    if (early !== null) return early;\n  }\n${EXACT}`,
    ),
  ),
  mutant(
    "a subaddress goes before patterns",
    "patterns go before it",
    directory(
      "address/canonical.ts",
      '  return candidates.filter((candidate) => candidate.name !== "");',
      '  candidates.sort((a, b) => Number(a.matched === "pattern") - Number(b.matched === "pattern"));\n  return candidates.filter((candidate) => candidate.name !== "");',
    ),
  ),
  mutant(
    "a name without its subaddress is not cut",
    "patterns cover it then, too",
    directory("address/canonical.ts", "    if (hasPatterns)\n", "    if (false)\n"),
  ),
  mutant(
    "patterns of a name without its subaddress go before its entry",
    "the entry goes first",
    directory("address/canonical.ts", '    candidates.push({ name: base, matched: "subaddress" });\n', ""),
    directory(
      "address/canonical.ts",
      "  return candidates.filter(",
      '  if (end > 0) candidates.push({ name: canonicalLocalPart(untagged.slice(0, end), policy), matched: "subaddress" });\n  return candidates.filter(',
    ),
  ),
  mutant(
    "patterns that left do not cover a name without its subaddress",
    "such a name is deferred for the grace, too",
    directory(
      "verdict/lookup.ts",
      FURTHER,
      `  let isRest = false;\n${FURTHER}    isRest ||= matched === "subaddress";\n`,
    ),
    directory(
      "verdict/lookup.ts",
      "listed = lookUpPattern(manifest, name, now, refused);",
      "listed = lookUpPattern(manifest, name, now, isRest ? [] : refused);",
    ),
  ),
  mutant(
    "every pattern accepts",
    "a pattern has a state",
    directory(
      "verdict/lookup.ts",
      '  return { kind: "found", verdict, matched: "pattern"',
      '  return { kind: "found", verdict: verdict && "deliverable", matched: "pattern"',
    ),
  ),
  mutant(
    "the guard ignores patterns",
    "one that goes, or refuses from now on, needs the override",
    registry(
      "names/guard.ts",
      "newest !== null && losesByPattern(listedPatterns(newest), patterns)",
      "false",
    ),
  ),
  mutant(
    "patterns that leave get no grace",
    "names under them are deferred for the grace",
    directory(
      "names/departing.ts",
      "    compareCovered(listedPatterns(before), after.patterns, visit);\n",
      "",
    ),
  ),
  mutant(
    "the next commit forgets that departures have patterns",
    "they last until they end, whatever is committed meanwhile",
    directory("names/pattern-changes.ts", "* 1000 > now ? earlier : 0", "* 1000 > now ? 0 : 0"),
  ),
  mutant(
    "a pattern that refuses from now on has no grace",
    "names under it are deferred for the grace",
    directory(
      "names/pattern-changes.ts",
      "if (!isLost(was, is)) return;",
      "if (is >= 0 || !isLost(was, is)) return;",
    ),
  ),
  mutant(
    "a rollback leaves patterns out",
    "it publishes the whole old content",
    registry("commits/rollback.ts", "patterns: listedPatterns(manifest),", "patterns: null,"),
  ),
];
