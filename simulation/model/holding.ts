/** What the brake makes of a generation that it holds, and a person of one that is released. */
import { type Generation, marked } from "./generation.ts";

type Deferred = Pick<Generation, "departures" | "coverable">;

/** Names that left lately, those included of which it is not known whether they were accepted. */
export const leaversOf = (head: Generation, now: number): Map<string, number> =>
  new Map([...marked(head.coverable, now), ...marked(head.departures, now)]);

/** All that left lately are deferred without end. */
export const held = ({ departures, coverable }: Generation, now: number): Deferred => ({
  departures: withoutEnd(departures, now),
  coverable: withoutEnd(coverable, now),
});

export const released = ({ departures, coverable }: Generation): Deferred => ({
  departures: withEnd(departures),
  coverable: withEnd(coverable),
});

const withoutEnd = (names: ReadonlyMap<string, number>, now: number): Map<string, number> =>
  new Map(marked(names, now).map(([name]) => [name, Number.POSITIVE_INFINITY]));

const withEnd = (names: ReadonlyMap<string, number>): Map<string, number> =>
  new Map([...names].filter(([, until]) => until !== Number.POSITIVE_INFINITY));
