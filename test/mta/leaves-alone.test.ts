import { describe, expect, it } from "vitest";
import { HOSTS } from "../../integrations/hosts.ts";
import { FULL, ifFull } from "../support/full.ts";
import { AWAY, casesOf, shows, wanted } from "./host/cases.ts";
import { playOn, WITHOUT_NAMESPACES } from "./host/stage.ts";

/*
 * Our lines, pasted into what a distribution installs, leave alone what is not theirs: the mail of the host itself, its users
 * and its cron jobs, to it and to other domains, and users with a login. Strangers do not relay. It is the same while bridge and
 * edge are away. ROLLCALL_FULL=1 tries every way of asking of each mail server; without, two of the first.
 */

// At the same time: each has namespaces of its own, and mostly waits.
describe.concurrent.each([...HOSTS])("$name", (host) => {
  const missing = host.missing ?? WITHOUT_NAMESPACES;
  const ways = FULL ? host.ways : host.ways.slice(0, 2);
  const isTried = FULL || host === HOSTS[0];
  const title = `leaves alone what is not for Rollcall${missing ? ` (${missing})` : ""}`;

  it.skipIf(missing !== null || !isTried)(isTried ? title : ifFull(title), async () => {
    const { outcomes, logs } = await playOn(host, ways);
    const titles = ["before", ...ways.flatMap((way) => [way, `${way}, ${AWAY}`])];
    const wrong = titles.flatMap((title) =>
      casesOf(host, title === "before").flatMap((each) => {
        const outcome = host.differences[each.name] ?? wanted(each, title === "before", title.endsWith(AWAY));
        const seen = outcomes[`${title}: ${each.name}`] ?? outcomes[title] ?? "not tried";
        return shows(seen, outcome) ? [] : [`${title}: ${each.name} (${each.to}): ${seen}, not ${outcome}`];
      }),
    );
    expect(wrong, wrong.length > 0 ? logs : "").toEqual([]);
    expect(outcomes.backscatter, "bounces to strangers").toBeUndefined();
  });
});
