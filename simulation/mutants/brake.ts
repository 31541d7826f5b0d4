/** The brake: a mistake is held whatever else left, whatever is counted where, and whatever happens meanwhile. */
import { directory, type Mutant, mutant, registry } from "./patch.ts";

export const BRAKE_MUTANTS: readonly Mutant[] = [
  mutant(
    "many who leave at once are counted with all others",
    "they are a group by themselves",
    directory("names/leaver-groups.ts", "=> brakeLimit(accepted, []);", "=> brakeLimit(Infinity, []);"),
  ),
  mutant(
    "what was counted in another minute counts no more",
    "what reporters counted within a day is added up",
    registry(
      "names/leaver-counts.ts",
      "const sketch = own.get(group) ?? new DaySketch();",
      "const sketch = new DaySketch();",
    ),
  ),
  mutant(
    "a Registry that starts knows nothing of the day",
    "it reads what it counted before",
    registry(
      "names/leaver-counts.ts",
      "const row = this.#unread.pop();",
      "const row = this.#unread.slice(0, 0).pop();",
    ),
  ),
  mutant(
    "the age of leavers is counted from the present grace",
    "when they left is stored with them",
    registry(
      "commits/brake.ts",
      "function groupsIn({ departures }: ManifestRecord,",
      "function groupsIn({ departures, policy }: ManifestRecord,",
    ),
    registry(
      "commits/brake.ts",
      "age: Math.max(0, second - at),",
      "age: Math.max(0, second - (id - policy.grace)),",
    ),
  ),
  mutant(
    "a release releases nobody",
    "a person says that held names left",
    registry(
      "commits/brake.ts",
      'commitBrake(context, head, manifest, "release", meta)',
      "commitBrake(context, head, manifest, undefined, meta)",
    ),
  ),
];
