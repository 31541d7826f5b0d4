import {
  type DomainPolicy,
  type EntryState,
  fingerprint,
  type Hashing,
  type Mode,
  quoteLocalPart,
  shownName,
  tailOf,
  UNLISTED,
} from "../directory/index.ts";
import type { Base } from "./base.ts";
import type { FetchedKey } from "./domain-key.ts";
import { PublishError } from "./errors.ts";
import { type LineReport, type ReadList, readList } from "./list.ts";
import type { ListRecorder } from "./list-recorder.ts";
import { emptyList } from "./pack.ts";
import type { DecidedPatched, PatchedDecision } from "./patched.ts";
import { type DomainPlan, MAX_NAMED, planDomain, resultingPolicy } from "./plan.ts";
import type { Source } from "./sources/index.ts";

/** One domain to publish, and what it is to become. */
export interface PublishTarget {
  readonly domain: string;
  /** Where its list comes from; null for an alias, which has none. */
  readonly source: Source | null;
  /** Settings to change. Settings that are left out keep their value. */
  readonly policy: Partial<DomainPolicy>;
  /** Left out or undefined: unchanged. */
  readonly mode?: Mode | undefined;
  /** The mode of a new domain, if `mode` is left out. */
  readonly initialMode?: Mode | undefined;
  /** The mode of rollcall.toml: a list goes down to it. Up needs a person's word, which is `mode`. */
  readonly settingsMode?: Mode | undefined;
  /** Addresses that the list must have. */
  readonly canaries: readonly string[];
  /** What becomes of single changes that the list does not know; left out: nobody decided. */
  readonly patched?: PatchedDecision | undefined;
  /** What rollcall.toml says of that. It accepts nobody again who was refused with `--now`; `patched` may. */
  readonly settingsPatched?: PatchedDecision | undefined;
  /** Fewest names that the list must accept. */
  readonly minimum?: number | undefined;
  /** Addresses that the list must not have, in whatever state. */
  readonly mustNotAppear?: readonly string[] | undefined;
  /** Shard bits to use, whatever the number of entries: for small lists of many shards in tests. */
  readonly bits?: number;
}

/** What a domain's plan starts from. */
export interface Start extends FetchedKey {
  /** The head, or null if there is none. */
  readonly base: Base | null;
}

/** A plan, and what was found while its list was read. */
export interface PlannedList {
  readonly plan: DomainPlan;
  readonly duplicates: LineReport;
  readonly skipped: LineReport;
  readonly conflicts: LineReport;
  /** Addresses that leave the list or will be refused, as far as this host knows their names. */
  readonly leaving: readonly { readonly address: string; readonly how: "removed" | "refused" }[];
  /** Addresses that join the list, as far as this host stores names. */
  readonly coming: readonly string[];
  /** Addresses whose state changes and that are not refused, as far as this host stores names. */
  readonly changing: readonly {
    readonly address: string;
    readonly from: EntryState;
    readonly to: EntryState;
  }[];
}

/** Receives what a publish does. Every method may be left out. */
export interface PublishProgress {
  /** A step of the work: `done` is 0 once, at its start, then rises, and is 1 once, at its end. */
  step?(step: string, done: number): void;
  /** A domain's plan is ready. Nothing has been decided or changed. */
  planned?(list: PlannedList): void;
  /** The edge acknowledged a commit: the new generation of each of its domains. */
  committed?(generations: Readonly<Record<string, number>>): void;
}

export interface PlanPorts {
  readonly hashing: Hashing;
  /** Stores the names of lists, so that plans can name who joins and leaves. Null: nothing is stored. */
  readonly recorder: ListRecorder | null;
  readonly progress: PublishProgress;
  /** Asks the guard about a plan. */
  judge(plan: DomainPlan): Promise<DomainPlan>;
}

export interface PlanOptions {
  readonly skipInvalid?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads a target's list, compares it with the head, and asks the guard. */
export async function planList(
  ports: PlanPorts,
  target: PublishTarget,
  start: Start,
  options: PlanOptions = {},
): Promise<PlannedList> {
  const { recorder, progress } = ports;
  const { domain, policy, canaries, minimum, mustNotAppear, mode, initialMode, settingsMode } = target;
  const { key, partition, base } = start;
  const list = await readTarget(ports, target, start, options);
  const { hashing } = ports;
  const intent = {
    ...{ domain, key, partition, packed: list.packed, policy, canaries, minimum, mustNotAppear },
    ...{ initialMode, settingsMode, refused: list.refused },
    sources:
      list.sources.length === 0 ? undefined : { counts: list.sources, last: recorder?.last(domain) ?? null },
    decidedPatched: decidedBy(target, hashing),
  };
  const compared = await during(progress, `comparing ${domain}`, (update) =>
    planDomain(mode === undefined ? intent : { ...intent, mode }, base, (done, of) => update(done / of)),
  );
  const plan = await ports.judge(compared);
  recorder?.read(plan);
  const leaving = await during(progress, `naming who leaves ${domain}`, (update) =>
    namesLeaving(recorder, plan, update),
  );
  const coming = await during(progress, `naming who joins ${domain}`, (update) =>
    namesComing(recorder, list, plan, update),
  );
  const changing = await namesChanging(recorder, list, plan, progress);
  const { duplicates, skipped, conflicts } = list;
  const planned = { plan, duplicates, skipped, conflicts, leaving, coming, changing };
  progress.planned?.(planned);
  return planned;
}

/**
 * Plans every target. Changes nothing.
 * @param start the key and the head of a domain
 * @throws PublishError `guard` if a canary is missing
 */
export async function planLists(
  ports: PlanPorts,
  targets: readonly PublishTarget[],
  start: (domain: string) => Start | Promise<Start>,
  options: PlanOptions = {},
): Promise<PlannedList[]> {
  const planned: PlannedList[] = [];
  for (const target of targets) {
    planned.push(await planList(ports, target, await start(target.domain), options));
  }
  requireExpected(planned);
  return planned;
}

/** No option overrides a canary, or what else rollcall.toml expects of a list. */
function requireExpected(planned: readonly PlannedList[]): void {
  const missing = planned.flatMap(({ plan }) => plan.missingCanaries);
  const unmet = planned.flatMap(({ plan }) => plan.unmet);
  if (unmet.length > 0) {
    throw new PublishError(
      "guard",
      "a list is not what rollcall.toml expects; nothing was published",
      "the list is probably incomplete, or the wrong one: check where it comes from. If it is right, change minimum, must_not_appear, canaries or max_left_out",
      [
        ...unmet,
        ...missing.map((address) => `${address} is a canary, and is not in the list or not accepted`),
      ],
    );
  }
  if (missing.length === 0) return;
  throw new PublishError(
    "guard",
    "a canary is missing: an address that the list must have is not in it, or not accepted",
    "the list is probably incomplete: check where it comes from. If the address is meant to go, remove it from canaries",
    missing,
  );
}

/** Runs one step of the work, and reports its start and end. */
export async function during<T>(
  progress: PublishProgress,
  name: string,
  work: (update: (done: number) => void) => Promise<T>,
): Promise<T> {
  progress.step?.(name, 0);
  const result = await work((done) => {
    if (done > 0 && done < 1) progress.step?.(name, done);
  });
  progress.step?.(name, 1);
  return result;
}

const decidedBy = (
  { patched, settingsPatched }: PublishTarget,
  hashing: Hashing,
): DecidedPatched | undefined => {
  const decision = patched ?? settingsPatched;
  return decision && { decision, isStanding: patched === undefined, hashing };
};

const NOTHING = { count: 0, first: [] };
const NO_LIST: ReadList = {
  packed: emptyList(),
  duplicates: NOTHING,
  conflicts: NOTHING,
  skipped: NOTHING,
  sources: [],
  placesOf: () => [],
};

async function readTarget(
  { hashing, recorder, progress }: PlanPorts,
  { domain, source, policy: changes, bits, patched, settingsPatched }: PublishTarget,
  { key, base }: Start,
  { skipInvalid = false, signal }: PlanOptions,
): Promise<ReadList> {
  if (source === null) return NO_LIST;
  const policy = resultingPolicy(base, changes);
  if (policy.alias !== null) {
    throw new PublishError(
      "input",
      `${domain} is an alias of ${policy.alias} and has no list of its own`,
      `publish ${policy.alias}, or end the alias with alias = "" in rollcall.toml`,
    );
  }
  const writer = recorder?.begin(domain) ?? null;
  const kept =
    (patched ?? settingsPatched) === "keep"
      ? (base?.patched ?? []).filter(({ state }) => state !== UNLISTED).length
      : 0;
  const list = await during(progress, `reading ${source.describe()}`, (update) =>
    readList({
      source,
      domain,
      key,
      policy,
      hashing,
      skipInvalid,
      signal,
      head: base === null || base.deleted ? undefined : base,
      packing: {
        bits,
        bitsInUse: base === null || base.deleted ? undefined : base.list.table.bits,
        more: kept,
      },
      ...(writer === null ? {} : { eachName: (name) => writer.add(name) }),
      progress: update,
    }),
  );
  writer?.end();
  return list;
}

/** Names who leaves, from the list that this host published last. */
async function namesLeaving(
  recorder: ListRecorder | null,
  { domain, key, leaving }: DomainPlan,
  progress: (done: number) => void,
): Promise<PlannedList["leaving"]> {
  const names = await recorder?.namesOf(domain, key, leaving, progress);
  return [...(names ?? [])].map(([tail, name]) => ({
    address: addressOf(name, domain),
    how: leaving.get(tail) as "removed" | "refused",
  }));
}

/** Names who joins, from the list that was just read. */
async function namesComing(
  recorder: ListRecorder | null,
  list: ReadList,
  { domain, base, coming, unchanged }: DomainPlan,
  progress: (done: number) => void,
): Promise<PlannedList["coming"]> {
  const written = recorder?.written(domain) ?? null;
  if (written === null || unchanged) return [];
  const isNew = base === null || base.deleted;
  const places = isNew ? Array.from({ length: MAX_NAMED }, (_, i) => i) : list.placesOf(coming);
  return (await written.namesAt(places, progress)).map((name) => addressOf(name, domain));
}

/** Names whose state changes, from the list that was just read. */
async function namesChanging(
  recorder: ListRecorder | null,
  list: ReadList,
  { domain, key, changing }: DomainPlan,
  progress: PublishProgress,
): Promise<PlannedList["changing"]> {
  const written = recorder?.written(domain) ?? null;
  if (written === null || changing.size === 0) return [];
  const names = await during(progress, `naming who changes in ${domain}`, (update) =>
    written.namesAt(list.placesOf(new Set(changing.keys())), update),
  );
  return names.flatMap((name) => {
    const change = changing.get(tailOf(fingerprint(key.names, name)));
    return change === undefined ? [] : [{ address: addressOf(name, domain), ...change }];
  });
}

/** An address, or a pattern of addresses. */
const addressOf = (name: string, domain: string): string => `${quoteLocalPart(shownName(name))}@${domain}`;
