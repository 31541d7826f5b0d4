/** Meetings that show what one isolate knows, holds and answers from. */
import { type Meeting, PUBLISHED, people, placeOf } from "./meeting.ts";
import { SECOND } from "./plan.ts";

/**
 * Two questions of one isolate are under way; the head changes between them, and the older answer arrives last. A
 * client that asks about the domain then must not get what was before.
 */
export function lateAnswer(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const focus = meeting.isolate(start, 2 * setup.window + 40 * SECOND);
  const domain = random.pick(setup.domains);
  const others = setup.domains.filter((it) => it !== domain);
  meeting.ask(focus, start + 200, 8, { domains: [domain] });
  meeting.ask(focus, start + 400, 8, { domains: setup.domains });
  // Idle for longer than a window, so that the next question has to ask.
  const at = start + setup.window + random.between(1, 20) * SECOND;
  meeting.fault("registry answer late", at - 1, 40, { location: placeOf(focus), least: 0.55 });
  meeting.ask(focus, at, 4, { domains: others });
  meeting.publish(at + random.between(0, 2_000), { domain });
  // By now it has given the answer up, and asks again.
  meeting.ask(focus, at + 4_150, 4, { domains: others });
  meeting.ask(focus, at + 4_300, 4, { domains: others });
  for (const later of [8_200, 8_500, 9_500, 12_000]) meeting.ask(focus, at + later, 8, { domains: [domain] });
}

/**
 * The head changes just after an isolate has asked. At the end of the window it is asked about a name in a shard that it
 * has not read yet, which takes so long that the window ends meanwhile.
 */
export function slowShard(meeting: Meeting, start: number): void {
  const { random, setup } = meeting;
  const { window } = setup;
  const asked = meeting.begin(start, people(40));
  const focus = meeting.isolate(asked, window + 8 * SECOND);
  meeting.ask(focus, asked + 100, 1);
  meeting.change(asked + random.between(200, 350), 40);
  meeting.fault("kv read slow", asked + window - 1_000, 3_000, { location: placeOf(focus), least: 0.4 });
  // One alone: an answer that is at hand would have the Registry asked behind it.
  meeting.ask(focus, asked + window - random.between(100, 600), 1);
  meeting.ask(focus, asked + window + 5_000, 4);
}

/**
 * An isolate and a bridge beside it know a list. It changes, and the isolate learns of the change with the answer about
 * another domain, but can read the new list nowhere.
 * @param asked the domain that is asked about, if that is an alias of the meeting's own
 */
function learnsWithoutReading(meeting: Meeting, start: number, asked = meeting.domain): void {
  const { window } = meeting.setup;
  const domains = [asked];
  const focus = meeting.isolate(start, 2 * window + 4 * SECOND);
  meeting.bridge(start, focus);
  meeting.askBridge(focus, start + 100, 8, domains);
  meeting.ask(focus, start + 150, 6, { domains });
  const changed = people(12, (i) => i < 2);
  meeting.set(start + 300, changed);
  const learns = start + window + SECOND;
  meeting.blind(focus, learns - 10, 4 * SECOND);
  meeting.askRegistries(focus, learns);
  // The answer is on its way by then, and nothing else comes.
  meeting.cutOff(focus, learns + 12, 4 * SECOND);
  meeting.ask(focus, learns + 300, 6, { domains });
  meeting.ask(focus, learns + 320, 3, { domains, nobody: true });
  meeting.askBridgeAgain(focus, learns + 400, 8);
  meeting.askBridgeAgain(focus, learns + window - SECOND, 8);
}

export function unreadableList(meeting: Meeting, start: number): void {
  learnsWithoutReading(meeting, meeting.begin(start));
}

/** Publishes a list and an alias of it. @returns by when both are there */
function withAlias(meeting: Meeting, start: number): { readonly alias: string; readonly asked: number } {
  const published = meeting.begin(start);
  const alias = meeting.sibling;
  meeting.publish(published, { domain: alias, change: "alias", target: meeting.domain });
  return { alias, asked: published + PUBLISHED };
}

export function unreadableTarget(meeting: Meeting, start: number): void {
  const { alias, asked } = withAlias(meeting, start);
  learnsWithoutReading(meeting, asked, alias);
}

/** The target of an alias gets another key, so that it refuses nobody for its grace: nor does the alias. */
export function targetWithNewKey(meeting: Meeting, start: number): void {
  const { alias, asked } = withAlias(meeting, start);
  const focus = meeting.isolate(asked, 4 * SECOND);
  meeting.ask(focus, asked, 2, { domains: [alias] });
  meeting.publish(asked + 300, { change: "rotate" });
  // It knows the new key with the first answer of the Registry after that.
  const cold = meeting.isolate(asked + SECOND, 4 * SECOND);
  for (const later of [1_100, 2_500]) meeting.ask(cold, asked + later, 6, { domains: [alias], nobody: true });
}

/** Room for about two manifests. */
const TINY_CACHE = 20_000;
const SHORT_WINDOW = 10 * SECOND;

/**
 * An isolate answers from a list that KV does not show yet, other lists evict it, and the Registry goes away: what KV
 * shows then is older than what the isolate answered from.
 */
export function eviction(meeting: Meeting, start: number): void {
  const { domains } = meeting.setup;
  const asked = meeting.begin(start);
  const focus = meeting.isolate(asked, SHORT_WINDOW + 30 * SECOND, {
    window: SHORT_WINDOW,
    cacheBytes: TINY_CACHE,
  });
  meeting.ask(focus, asked, 4);
  meeting.change(asked + 300, 12);
  const again = asked + SHORT_WINDOW + 500;
  meeting.ask(focus, again, 3, { nobody: true });
  meeting.ask(focus, again + 300, 4);
  for (const later of [500, 900]) meeting.ask(focus, again + later, 8, { domains });
  meeting.cutOff(focus, again + 1_500, 20 * SECOND);
  for (const later of [2_000, 4_000, 9_000]) meeting.ask(focus, again + later, 6);
}

/**
 * An alias becomes a domain with a list, and its target changes after that. An isolate learns of both, and can read the
 * target alone: the alias that it holds and the new target never were heads together.
 */
export function halfRead(meeting: Meeting, start: number): void {
  const { alias, asked } = withAlias(meeting, start);
  const { window } = meeting.setup;
  const focus = meeting.isolate(asked, window + 5 * SECOND);
  for (const later of [0, 150]) meeting.ask(focus, asked + later, 6, { domains: [alias] });
  const isLeftOut = (i: number): boolean => i % 3 === 0;
  meeting.set(asked + 300, people(12, isLeftOut), { domain: alias });
  meeting.change(asked + PUBLISHED, 12);
  const learns = asked + window + SECOND;
  meeting.blind(focus, learns - 10, 4 * SECOND);
  meeting.ask(focus, learns, 1, { nobody: true });
  // The target is on its way by then, and nothing else comes.
  meeting.cutOff(focus, learns + 12, 4 * SECOND);
  meeting.ask(focus, learns + 300, 10, { domains: [alias] });
}

const COLD_ISOLATES = 6;

/** An isolate still reaches the object that its Registry was, before a restart and a change. */
export function replacedObject(meeting: Meeting, start: number): void {
  const { setup, add } = meeting;
  const { window } = setup;
  const asked = meeting.begin(start);
  const focus = meeting.isolate(asked, 2 * window + 20 * SECOND);
  meeting.ask(focus, asked, 6);
  meeting.askRegistries(focus, asked + 200);
  meeting.ask(focus, asked + 400, 2, { nobody: true });
  const restarts = asked + 2 * SECOND;
  for (let partition = 0; partition < setup.partitions; partition++)
    add(restarts, { kind: "restart", partition });
  meeting.fault("registry replaced", restarts + 1, 2 * window, { location: placeOf(focus) });
  meeting.change(restarts + 500, 12);
  for (const later of [2, 4, 8]) {
    meeting.askRegistries(focus, restarts + window + later * SECOND);
    meeting.ask(focus, restarts + window + later * SECOND + 300, 6);
  }
}

/** Isolates that start where every read of KV comes back with a byte changed. */
export function damagedReads(meeting: Meeting, start: number): void {
  meeting.set(start, people(40));
  for (let i = 0; i < COLD_ISOLATES; i++) {
    const at = start + 30 * SECOND + i * 5 * SECOND;
    const focus = meeting.isolate(at, 3 * SECOND);
    meeting.fault("kv read damaged", at - 1, 3 * SECOND, { location: placeOf(focus) });
    meeting.ask(focus, at, 14);
  }
}

/** An isolate that has just started is asked about many domains that are not served. */
export function strangers({ add }: Meeting, start: number): void {
  add(start, { kind: "strangers", count: 420, what: "domains", isCold: true });
}

/** A token is revoked while isolates that know it work on. */
export function revokedToken({ add, setup }: Meeting, start: number): void {
  const { domains, window } = setup;
  const ask = (at: number): void => add(at, { kind: "checks", count: 12, how: "http", domains });
  add(start, { kind: "token", role: "check" });
  for (const later of [2, 3]) ask(start + later * SECOND);
  add(start + 5 * SECOND, { kind: "revocation" });
  for (const later of [4, 6, 8, 12]) ask(start + 5 * SECOND + window + later * SECOND);
}
