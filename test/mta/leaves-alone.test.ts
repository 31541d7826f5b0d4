import { describe, expect, it } from "vitest";
import { HOSTS } from "../../integrations/hosts.ts";
import { AWAY, casesOf, shows, wanted } from "./host/cases.ts";
import { playOn, WITHOUT_NAMESPACES } from "./host/stage.ts";

/*
 * Our lines, pasted into what a distribution installs, leave alone what is not theirs: the mail of the host itself, its users
 * and its cron jobs, to it and to other domains, and users with a login. Strangers do not relay. It is the same while bridge and
 * edge are away.
 */

describe.each([...HOSTS])("$name", (host) => {
  const missing = host.missing ?? WITHOUT_NAMESPACES;

  it.skipIf(missing !== null)(
    `leaves alone what is not for Rollcall${missing ? ` (${missing})` : ""}`,
    async () => {
      const { outcomes, logs } = await playOn(host);
      const titles = ["before", ...host.ways.flatMap((way) => [way, `${way}, ${AWAY}`])];
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
