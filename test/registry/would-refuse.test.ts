/* Names that enforce mode would refuse are counted for a number of domains; of the others nobody says that there are none. */
import { expect, it } from "vitest";
import type { Asked } from "../../src/api/index.ts";
import { addToSketch, fingerprint, newSketch, packSketch, toBase64Url } from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { MINUTE } from "../../testing/world.ts";
import { accepted, Desk } from "./support.ts";

it("what would be refused is not known, and not nobody, in domains for which there was no room", async () => {
  const desk = await new Desk().open();
  const [quiet, counted, late] = ["quiet.example", "d0.example", "d250.example"] as const;
  const domains: readonly string[] = [quiet, counted, late];
  for (const domain of domains) await desk.publish(people(3), { domain, mode: "observe" });
  const wouldRefuse = async (): Promise<(number | null | undefined)[]> =>
    accepted(await desk.core.domainsNamed(domains))
      .toSorted((a, b) => domains.indexOf(a.domain) - domains.indexOf(b.domain))
      .map(({ would_refuse }) => would_refuse);
  const report = async (from: number, to: number): Promise<void> => {
    const sketch = newSketch();
    addToSketch(sketch, fingerprint(desk.world.keyFor(counted).names, "stranger"));
    const text = toBase64Url(packSketch(sketch));
    const asked = Array.from({ length: to - from }, (_, i): Asked => [`d${from + i}.example`, 0, text]);
    accepted(await desk.core.question({ since: null, want: null, asked }));
  };
  await report(0, 100);
  expect(await wouldRefuse()).toEqual([0, 1, 0]);
  for (let from = 100; from < 300; from += 100) await report(from, from + 100);
  expect(await wouldRefuse()).toEqual([null, 1, null]);
  await desk.world.clock.advance(2 * MINUTE);
  expect(await wouldRefuse()).toEqual([null, 1, null]);
});
