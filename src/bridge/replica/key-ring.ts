import { DirectoryError, type DomainKey } from "../../directory/index.ts";

/** The keys of domains by epoch, in memory. */
export class KeyRing {
  readonly #keys = new Map<string, Map<number, DomainKey>>();

  get(domain: string, epoch: number): DomainKey | undefined {
    return this.#keys.get(domain)?.get(epoch);
  }

  put(key: DomainKey): void {
    const keys = this.#keys.get(key.domain) ?? new Map<number, DomainKey>();
    this.#keys.set(key.domain, keys.set(key.epoch, key));
  }

  /** Forgets a domain's keys of other epochs. */
  keep(domain: string, epoch: number): void {
    const keys = this.#keys.get(domain);
    for (const other of keys?.keys() ?? []) if (other !== epoch) keys?.delete(other);
  }

  forget(domain: string): void {
    this.#keys.delete(domain);
  }

  /** For the reader. @throws DirectoryError if the key is not here: a fault, never an empty list (law 5) */
  readonly keyFor = (domain: string, epoch: number): DomainKey => {
    const key = this.get(domain, epoch);
    if (key === undefined)
      throw new DirectoryError("key-mismatch", `the key of ${domain} for epoch ${epoch} is not here`);
    return key;
  };
}
