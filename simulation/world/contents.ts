/** What a change makes of a list, by the names that are known of it. */
import { DEFAULT_POLICY, type EntryState, MODES } from "../../src/directory/index.ts";
import type { Random } from "../../testing/random.ts";
import type { Content } from "../model/generation.ts";
import { changePatterns } from "../plan/patterns.ts";
import type { Publication } from "../plan/plan.ts";

export const STATES: readonly EntryState[] = ["active", "disabled", "full", "moved"];

/** What a change needs of its world. */
export interface ContentParts {
  readonly random: Random;
  readonly domains: readonly string[];
  /** Departure grace of new lists, seconds. */
  readonly grace: number;
  partitionOf(domain: string): number;
  shapeOf(domain: string): { readonly bits: number; readonly names: number };
}

export const aliasOf = (like: Content, target: string, epoch: number): Content => ({
  list: new Map(),
  patterns: new Map(),
  policy: { ...like.policy, alias: target, catchall: false },
  mode: like.mode,
  epoch,
});

/** The content after a change, null if there is nothing to do. */
export function changed(
  parts: ContentParts,
  { domain, change, list: names, target, grace }: Publication,
  before: Content | undefined,
  epoch: number,
): Content | null {
  const { random, domains, partitionOf } = parts;
  const shape = parts.shapeOf(domain);
  const universe = Array.from({ length: shape.names }, (_, i) => `u${i}`);
  const policy = before?.policy ?? { ...DEFAULT_POLICY, grace: parts.grace };
  const list = new Map(
    before?.list ?? universe.filter(() => random.chance(0.7)).map((name) => [name, "active" as const]),
  );
  const patterns = new Map(before?.patterns);
  const it = { list, patterns, policy, mode: before?.mode ?? ("enforce" as const), epoch };
  const listed = [...list.keys()];
  const missing = universe.filter((name) => !list.has(name));
  const some = (names: readonly string[], share: number): string[] =>
    names.filter(() => random.chance(share));
  if (policy.alias !== null && !["unalias", "alias", "mode", "set"].includes(change)) return null;
  switch (change) {
    case "found":
      return before === undefined ? it : null;
    case "set":
      return {
        ...it,
        list: activeOf(names, (name) => !isPattern(name)),
        patterns: activeOf(names, isPattern),
        policy: { ...policy, alias: null, grace: grace ?? policy.grace },
      };
    case "add":
      for (const name of some(missing, 0.3)) list.set(name, "active");
      if (random.chance(0.2)) list.set("postmaster", random.pick(STATES));
      return it;
    case "remove":
      for (const name of listed.slice(0, 1 + Math.floor(listed.length * 0.15))) list.delete(name);
      return it;
    case "remove many":
      for (const name of some(listed, 0.6)) list.delete(name);
      return it;
    case "replace":
      // As many come as go: totals alone tell nothing.
      for (const name of some(listed, 0.6)) list.delete(name);
      for (const name of missing.slice(0, listed.length - list.size)) list.set(name, "active");
      for (let i = 0; list.size < listed.length; i++) list.set(`v${i}`, "active");
      return it;
    case "swap":
    case "with alias": {
      const [out] = some(listed, 0.2);
      const [name] = some(missing, 0.3);
      if (out !== undefined) list.delete(out);
      if (name !== undefined) list.set(name, "active");
      return it;
    }
    case "states":
      for (const name of some(listed, 0.2)) list.set(name, random.pick(STATES));
      return it;
    case "patterns":
      changePatterns(random, patterns, list);
      return it;
    case "policy":
      return { ...it, policy: { ...policy, ...random.pick(POLICIES)(random, policy.grace) } };
    case "mode":
      return { ...it, mode: random.pick(MODES.filter((mode) => mode !== it.mode)) };
    case "rotate":
      return { ...it, epoch: epoch + (before === undefined ? 0 : 1) };
    case "alias": {
      if (target !== undefined) return aliasOf(it, target, epoch);
      const others = domains.filter(
        (other) => other !== domain && partitionOf(other) === partitionOf(domain),
      );
      if (others.length === 0) return null;
      return aliasOf(it, random.pick(others), epoch);
    }
    case "unalias":
      if (policy.alias === null) return null;
      for (const name of some(universe, 0.7)) list.set(name, "active");
      return { ...it, policy: { ...policy, alias: null } };
    default:
      return it;
  }
}

const isPattern = (entry: string): boolean => entry.includes("*");

const activeOf = (entries: readonly string[] = [], isMeant: (entry: string) => boolean): Content["list"] =>
  new Map(entries.filter(isMeant).map((entry) => [entry, "active" as const]));

/** Ways in which a policy changes; `grace` is what it was. */
const POLICIES: readonly ((random: Random, grace: number) => Partial<Content["policy"]>)[] = [
  (random) => ({ catchall: random.chance(0.5) }),
  (random) => ({ case: random.pick(["sensitive", "insensitive"] as const) }),
  (random) => ({ dots: random.pick(["ignored", "significant"] as const) }),
  (random) => ({ delimiters: random.pick(["", "+", "+-"]) }),
  (random) => ({ postmaster: random.chance(0.5) }),
  (random, grace) => ({ grace: random.pick([0, 20, 120, grace]) }),
  (random) => ({ guard: random.pick([0.2, 0.5, 0.05]) }),
];
