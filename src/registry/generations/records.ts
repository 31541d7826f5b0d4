import type { GenerationRecord } from "../../api/index.ts";
import { acceptedCount, blobsOf, type ManifestRecord } from "../../directory/index.ts";
import { Blobs } from "../blobs/blobs.ts";
import { Damage } from "../failure.ts";
import { copyAtOnce, partLacks } from "../kv/keys.ts";
import type { RegistryStorage } from "../ports.ts";
import { insert } from "../storage/rows.ts";
import { clearDamage } from "./damages.ts";
import { keepSummary } from "./summaries.ts";
import { type Proof, VerifiedReads } from "./verified-reads.ts";

export { type Head, liveManifest, lostHead, type Proof } from "./verified-reads.ts";

/** Who made a generation, and how. */
export interface CommitMeta {
  readonly action: GenerationRecord["action"];
  readonly by: string;
  readonly forced: boolean;
  readonly note: string | null;
}

/** The Registry's tables of generations and heads. */
export class Records extends VerifiedReads {
  readonly #storage: RegistryStorage;
  readonly blobs: Blobs;

  constructor(storage: RegistryStorage, proof: Proof) {
    super(storage, proof);
    this.#storage = storage;
    this.blobs = new Blobs(storage);
  }

  /** Makes a generation the head, keeps its blobs, and notes those that it no longer names. */
  putHead(manifest: ManifestRecord, meta: CommitMeta, now: number): void {
    const { domain } = manifest;
    const before = new Set(this.namedByHead(domain));
    clearDamage(this.#storage, domain);
    this.#storage.sql(
      "UPDATE generations SET superseded = ? WHERE domain = ? AND superseded IS NULL",
      now,
      domain,
    );
    insert(this.#storage, "generations", {
      domain,
      number: manifest.generation,
      time: manifest.time,
      action: meta.action,
      made_by: meta.by,
      forced: meta.forced ? 1 : 0,
      note: meta.note,
      accepted: acceptedCount(manifest.counts),
      manifest: manifest.bytes,
    });
    keepSummary(this.#storage, manifest.generation, manifest);
    const { generation: number, deletedUntil: deleted } = manifest;
    const alias = deleted === null ? manifest.policy.alias : null;
    insert(
      this.#storage,
      "heads",
      { domain, number, deleted, alias },
      "ON CONFLICT DO UPDATE SET number = excluded.number, deleted = excluded.deleted, alias = excluded.alias",
    );
    if (meta.action !== "patch") copyAtOnce(this.#storage, domain);
    const after = new Set(blobsOf(manifest));
    this.blobs.leave(
      domain,
      [...before].filter((id) => !after.has(id)),
      number,
      now,
    );
    this.blobs.name(
      domain,
      [...after].filter((id) => !before.has(id)),
      number,
    );
  }

  /** Blobs that the head names. If it is damaged, all whose rows say so. */
  namedByHead(domain: string): string[] {
    try {
      const head = this.head(domain);
      return head === null ? [] : blobsOf(head.manifest);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      return this.blobs.saidToBeNamed(domain);
    }
  }

  /** Domains that are aliases of `target`. */
  aliasesOf(target: string): string[] {
    return this.#storage
      .sql("SELECT domain FROM heads WHERE alias = ?", target)
      .map((row) => row.domain as string);
  }

  /** The head names these blobs, whose rows do not say so: they were lost and put again. They are copied to KV again. */
  nameAgain(domain: string, ids: readonly string[], number: number): void {
    this.blobs.name(domain, ids, number);
    partLacks(this.#storage, domain);
  }
}
