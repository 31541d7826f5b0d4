/** What becomes of single changes if a list is published that does not know of them. */
import {
  changedShard,
  changesByShard,
  concatBytes,
  encodeKept,
  type Hashing,
  ID_BYTES,
  isAcceptedState,
  type KeptName,
  type OpenName,
  type PatchedName,
  recount,
  shardOf,
  tailOf,
  toHex,
  UNLISTED,
} from "../directory/index.ts";
import { type PackedList, statesIn } from "./pack.ts";

/** What to do with them: keep them in the list that is published, or publish the list as it is. */
export type PatchedDecision = "keep" | "drop";

/** A decision with what it takes: kept names are put into shards, whose ids are hashes. */
export interface DecidedPatched {
  readonly decision: PatchedDecision;
  /**
   * Whether rollcall.toml says so, and no person about this publish: then nobody is accepted again who was refused with `--now`
   * since the last publish.
   */
  readonly isStanding?: boolean;
  readonly hashing: Hashing;
}

/** How a plan treats the single changes since the last publish. */
export interface PatchedPlan {
  /** Changes that the list does not know: how many names it lacks, still has, or has in another state. */
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Null if there is something to decide, and nobody did. */
  readonly decision: PatchedDecision | null;
  /** Names that are as single changes made them, although the list says otherwise, each as a commit has it. */
  readonly kept: readonly Uint8Array[];
  /**
   * Whether the publish settles changes, or says otherwise of them than the publish before, so that it has to be sent even
   * if the list is that of the head.
   */
  readonly settles: boolean;
}

/** The single changes that a plan looks at. */
interface PatchedInput {
  /** Null if the edge does not say. */
  readonly names: readonly OpenName[] | null;
  /** Whether these fingerprints are made as those of the list. */
  readonly comparable: boolean;
  readonly decided: DecidedPatched | undefined;
}

/** A name that the list has otherwise than single changes made it. */
interface Unknown extends OpenName, KeptName {}

/**
 * Compares a list with the single changes since the last publish.
 * @returns the list to publish, and what was decided; null if the edge does not know of single changes
 */
export function decidePatched(
  packed: PackedList,
  { names, comparable, decided }: PatchedInput,
): { readonly packed: PackedList; readonly patched: PatchedPlan | null } {
  if (names === null) return { packed, patched: null };
  const count = { added: 0, removed: 0, changed: 0 };
  const unknown: Unknown[] = [];
  const stateOf = statesIn(packed);
  for (const name of names) {
    const listed = comparable ? stateOf(name.fingerprint) : name.was;
    if (listed === name.state) continue;
    unknown.push({ ...name, listed });
    count[listed === UNLISTED ? "added" : name.state === UNLISTED ? "removed" : "changed"]++;
  }
  if (unknown.length === 0)
    return { packed, patched: settled(count, decided?.decision ?? "drop", [], names) };
  const kept = decided === undefined ? unknown : keptOf(unknown, decided);
  if (decided === undefined || (kept.length > 0 && !comparable))
    return { packed, patched: settled(count, null, [], names) };
  return {
    packed: kept.length === 0 ? packed : withNames(packed, decided.hashing, kept),
    patched: settled(count, decided.decision, kept, names),
  };
}

/** Names that stay as single changes made them. */
const keptOf = (unknown: readonly Unknown[], { decision, isStanding = false }: DecidedPatched): Unknown[] =>
  unknown.filter(
    ({ atOnce = false, listed }) => decision === "keep" || (isStanding && atOnce && isAcceptedState(listed)),
  );

const settled = (
  count: Pick<PatchedPlan, "added" | "removed" | "changed">,
  decision: PatchedDecision | null,
  kept: readonly Unknown[],
  names: readonly PatchedName[],
): PatchedPlan => ({
  ...count,
  decision,
  kept: kept.map((name) => encodeKept([name])),
  settles: kept.length < names.length || kept.some(({ was, listed }) => was !== listed),
});

/** A list in which these names have the states that single changes gave them. */
function withNames(packed: PackedList, hashing: Hashing, names: readonly PatchedName[]): PackedList {
  const { bits } = packed.table;
  const changes = names.map(({ fingerprint, state }) => ({
    shard: shardOf(fingerprint, bits),
    tail: tailOf(fingerprint),
    state,
  }));
  const shards = [...packed.shards];
  const ids = packed.table.ids.slice();
  let { counts } = packed;
  let { inline } = packed.table;
  for (const [index, states] of changesByShard(changes)) {
    const before = shards[index] as Uint8Array;
    const after = changedShard(before, states);
    counts = recount(counts, before, after);
    shards[index] = after;
    if (inline !== null) inline = after;
    else ids.set(hashing.sha256(after), index * ID_BYTES);
  }
  return { ...packed, table: { bits, inline, ids }, shards, counts };
}

/** What a commit says about single changes. */
export const keptIn = (patched: PatchedPlan): Uint8Array => concatBytes(patched.kept);

/**
 * Whether single changes are what a publish leaves of them: only names that it keeps, each as it lists them.
 * @param names those of the head; null if the edge does not say
 */
export function areSettled(patched: PatchedPlan | null, names: readonly PatchedName[] | null): boolean {
  if (patched === null || names === null) return true;
  const kept = new Set(patched.kept.map(toHex));
  return names.every(({ fingerprint, was }) => kept.has(toHex(encodeKept([{ fingerprint, listed: was }]))));
}

/** What has to be decided, in words; null if nothing has. */
export function openChanges(patched: PatchedPlan | null): string | null {
  if (patched === null || patched.decision !== null) return null;
  const { added, removed, changed } = patched;
  return `single changes since the last publish that the list does not reflect: ${added} added, ${removed} removed, ${changed} changed`;
}
