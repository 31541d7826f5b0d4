import {
  type BlobTable,
  blobId,
  compareLists,
  type Difference,
  ID_BYTES,
  isSameTable,
  type ListContent,
  type Visit,
} from "../directory/index.ts";

/** A list whose shards are stored elsewhere. */
export interface RemoteList {
  readonly table: BlobTable;
  /** Bytes of the shard with this id. */
  read(id: string): Promise<Uint8Array>;
}

/** Groups of shards to read ahead of the comparison. */
const AHEAD = 6;

/**
 * Compares a list stored elsewhere with one in memory, one group of shards at a time, so that only a few groups of the
 * remote list are in memory. Does not read shards that both lists have.
 *
 * @param shards bytes of the later list's shards, in order
 * @param progress called after each group
 */
export async function compareWithRemote(
  before: RemoteList,
  after: { readonly table: BlobTable; readonly shards: readonly Uint8Array[] },
  visit?: Visit,
  progress?: (done: number, of: number) => void,
): Promise<Difference> {
  const total: Difference = { added: 0, removed: 0, changed: 0, lost: 0 };
  const bits = Math.min(before.table.bits, after.table.bits);
  const groups = 2 ** bits;
  const ahead: Promise<ListContent>[] = [];
  for (let group = 0; group < groups; group++) {
    while (ahead.length < AHEAD && group + ahead.length < groups) {
      const reading = readGroup(before, after.table, group + ahead.length, bits);
      // Awaited in its turn; until then a failure must not count as unhandled.
      reading.catch(() => undefined);
      ahead.push(reading);
    }
    const part = compareLists((await ahead.shift()) as ListContent, groupAtHand(after, group, bits), visit);
    total.added += part.added;
    total.removed += part.removed;
    total.changed += part.changed;
    total.lost += part.lost;
    progress?.(group + 1, groups);
  }
  return total;
}

/** The shards of one group, as a list of their own. */
function sliceOf(table: BlobTable, group: number, bits: number): BlobTable {
  const each = 2 ** (table.bits - bits);
  const from = group * each * ID_BYTES;
  return {
    bits: table.bits - bits,
    inline: table.inline,
    ids: table.ids.subarray(from, from + each * ID_BYTES),
  };
}

async function readGroup(
  before: RemoteList,
  after: BlobTable,
  group: number,
  bits: number,
): Promise<ListContent> {
  const table = sliceOf(before.table, group, bits);
  const known = sliceOf(after, group, bits);
  if (table.inline !== null || isSameTable(table, known)) return { table, read: unread };
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 2 ** table.bits; i++) parts.push(await before.read(blobId(table, i)));
  return { table, read: (index) => parts[index] as Uint8Array };
}

const unread = (): Uint8Array => {
  throw new Error("a shard that both lists share was read");
};

function groupAtHand(
  list: { readonly table: BlobTable; readonly shards: readonly Uint8Array[] },
  group: number,
  bits: number,
): ListContent {
  const table = sliceOf(list.table, group, bits);
  const from = group * 2 ** table.bits;
  return { table, read: (index) => list.shards[from + index] as Uint8Array };
}
