import { describe, expect, it } from "vitest";
import { LETTERS, play, STRAYS } from "../../examples/scenario/scenario.ts";
import { WITHOUT_POSTFIX } from "./support/postfix.ts";

describe.skipIf(WITHOUT_POSTFIX !== null)(
  `the scenario${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  () => {
    it("bounces without Rollcall, none with it, and none when the edge goes away", {
      timeout: 150_000,
    }, async () => {
      const [one, two, three] = await play();
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
    });
  },
);
