/** Law 7, by the publish: what a change costs an isolate is what changed, and its manifest. */
import { FITTING, LINGERING } from "../../testing/limits.ts";
import { getOrMake } from "../basics/maps.ts";
import type { JudgedIsolate } from "./answerer.ts";
import type { JudgeContext } from "./context.ts";

/** A manifest that was shown to an isolate, with the names of its blobs. */
export interface Shown {
  readonly domain: string;
  readonly incarnation: number;
  readonly generation: number;
  readonly blobs: ReadonlySet<string>;
}

/** What one isolate has of one domain, and what it asked for since the domain last changed. */
interface Account {
  newest: Shown | null;
  /** Blobs that it was shown, and that every newer manifest went on naming. */
  blobs: Set<string>;
  /** Changes of the domain so far. */
  changes: number;
  /** Since when it is counted, and what: reads of the manifest and questions for it. */
  since: number;
  asked: number;
  /** Faults that had met the isolate by then, and times that it had shown a domain. */
  hurts: number;
  shows: number;
}

/** Of a domain that is not known to be served: reads that some may cost until it is. */
const COLD_LOADS = 16;
/** A change is looked for in KV and at the Registry, once for what is needed and once more if that rose meanwhile. */
const PER_CHANGE = 4;
/** An idle isolate looks again once a window, in KV and at the Registry. */
const PER_WINDOW = 2;

const ASSERTION = "a publish costs what changed";

export class BudgetJudge {
  readonly #parts: JudgeContext;
  readonly #accounts = new WeakMap<JudgedIsolate, Map<string, Account>>();

  constructor(parts: JudgeContext) {
    this.#parts = parts;
  }

  /** A manifest arrived. */
  manifestArrived(host: JudgedIsolate, shown: Shown): void {
    const account = this.#account(host, shown.domain);
    const { newest } = account;
    if (newest !== null && !isNewer(shown, newest)) return;
    account.newest = shown;
    account.blobs = new Set([...account.blobs].filter((blob) => shown.blobs.has(blob)));
  }

  /** A blob arrived. It is in memory from now on, if the isolate has room, and no fault that met it lingers. */
  blobArrived(host: JudgedIsolate, domain: string, blob: string): void {
    if (host.settings.cacheBytes < FITTING) return;
    if (this.#parts.now() - host.hurtAt <= LINGERING) return;
    const { newest, blobs } = this.#account(host, domain);
    if (newest === null || !newest.blobs.has(blob)) return;
    this.#parts.tally.event(`${ASSERTION}: parts of lists read`);
    if (blobs.has(blob)) {
      const words = `${host.name} reads ${blob} again for ${domain} ${newest.generation}`;
      this.#parts.violation(ASSERTION, `${words}, which it has had since before that`);
    }
    blobs.add(blob);
  }

  /** A manifest is asked for, in KV or at the Registry. */
  manifestAsked(host: JudgedIsolate, domain: string): void {
    const { model, now, violation } = this.#parts;
    const history = model.history(domain);
    const changes = history.generations.length;
    // It was never published: a few reads until that is known, which the cost judge bounds.
    if (changes === 0 || host.settings.cacheBytes < FITTING) return;
    const account = this.#account(host, domain);
    const isFirst = account.changes === 0;
    if (account.changes !== changes || account.hurts !== host.hurts)
      Object.assign(account, { changes, since: now(), asked: 0, hurts: host.hurts, shows: host.shows });
    if (now() - host.hurtAt <= LINGERING || history.isDamageFelt(now())) return;
    account.asked++;
    const windows = (now() - account.since) / host.settings.window + 1;
    const bound = PER_CHANGE + PER_WINDOW * windows + (isFirst ? COLD_LOADS : 0) + host.shows - account.shows;
    if (account.asked <= bound) return;
    const times = `${account.asked} times since change ${changes} of it`;
    violation(
      ASSERTION,
      `${host.name} asks for the manifest of ${domain} ${times}, bound ${bound.toFixed(0)}`,
    );
  }

  #account(host: JudgedIsolate, domain: string): Account {
    const accounts = getOrMake(this.#accounts, host, () => new Map<string, Account>());
    return getOrMake(accounts, domain, () => ({
      newest: null,
      blobs: new Set<string>(),
      changes: 0,
      since: this.#parts.now(),
      asked: 0,
      hurts: host.hurts,
      shows: host.shows,
    }));
  }
}

const isNewer = (a: Shown, b: Shown): boolean =>
  a.incarnation === b.incarnation ? a.generation > b.generation : a.incarnation > b.incarnation;
