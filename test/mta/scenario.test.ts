import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Act, LETTERS, play, STRAYS } from "../../examples/scenario/scenario.ts";
import { FULL, ifFull } from "../support/full.ts";
import { ROOT } from "./support/command.ts";
import { WITHOUT_POSTFIX } from "./support/postfix.ts";

describe.skipIf(WITHOUT_POSTFIX !== null)(
  `the scenario${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  () => {
    it.runIf(FULL)(
      ifFull("bounces without Rollcall, none with it, and none when the edge goes away"),
      async () => {
        const acts = await play();
        const [one, two, three] = acts;
        const letters = { arrived: LETTERS, twice: 0, returned: 0 };
        expect(one).toMatchObject({ ...letters, refused: 0, accepted: STRAYS, bounces: STRAYS });
        expect(two).toMatchObject({
          ...letters,
          refused: STRAYS,
          deferred: 0,
          accepted: 0,
          codes: [550],
          bounces: 0,
        });
        expect(three).toMatchObject({
          ...letters,
          refused: STRAYS,
          deferred: STRAYS / 2,
          accepted: 0,
          codes: [550],
          bounces: 0,
          waited: LETTERS / 2,
        });

        const readme = readFileSync(join(ROOT, "README.md"), "utf8");
        const row = ({ title, refused, deferred, bounces, arrived, waited }: Act): string =>
          `| ${title} | ${refused}${deferred > 0 ? `, of them ${deferred} after "try again later"` : ""} | **${bounces}** | ${arrived}${waited > 0 ? `, of them ${waited} later` : ""} |`;
        for (const act of acts) expect(readme).toContain(row(act));
      },
    );
  },
);
