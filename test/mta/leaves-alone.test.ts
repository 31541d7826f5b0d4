import { describe, expect, it } from "vitest";
import { HOSTS } from "../../integrations/hosts.ts";
import { FULL } from "../support/full.ts";
import { AWAY, casesOf, shows, wanted } from "./host/cases.ts";
import { playOn, WITHOUT_NAMESPACES } from "./host/stage.ts";

/*
 * Our lines, pasted into what a distribution installs, leave alone what is not theirs: the mail of the host itself, its users
 * and its cron jobs, to it and to other domains, and users with a login. Strangers do not relay. It is the same while bridge and
 * edge are away. ROLLCALL_FULL=1 tries every way of asking; without, two of each mail server.
 */

// At the same time: each has namespaces of its own, and mostly waits.
describe.concurrent.each([...HOSTS])("$name", (host) => {
  const missing = host.missing ?? WITHOUT_NAMESPACES;
  const ways = FULL ? host.ways : host.ways.slice(0, 2);

  it.skipIf(missing !== null)(
    `leaves alone what is not for Rollcall${missing ? ` (${missing})` : ""}`,
    async () => {
      const { outcomes, logs } = await playOn(host, ways);
      const titles = ["before", ...ways.flatMap((way) => [way, `${way}, ${AWAY}`])];
      const wrong = titles.flatMap((title) =>
        casesOf(host, title === "before").flatMap((each) => {
          const outcome =
            host.differences[each.name] ?? wanted(each, title === "before", title.endsWith(AWAY));
          const seen = outcomes[`${title}: ${each.name}`] ?? outcomes[title] ?? "not tried";
          return shows(seen, outcome) ? [] : [`${title}: ${each.name} (${each.to}): ${seen}, not ${outcome}`];
        }),
      );
      expect(wrong, wrong.length > 0 ? logs : "").toEqual([]);
      expect(outcomes.backscatter, "bounces to strangers").toBeUndefined();
    },
  );
});
