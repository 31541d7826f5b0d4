import { ClientError, type DomainPage } from "../client/index.ts";
import { toALabel } from "../directory/index.ts";

const MINUTE = 60_000;
/** Pauses between two looks, ms, before chance is added. */
const PAUSE = 5 * MINUTE;
/** An edge of the release before shows lists to publishers only. */
const PAUSE_FORBIDDEN = 6 * 60 * MINUTE;
/** Domains that are shown: metrics have a line for each. */
export const MAX_LISTS = 1_000;
/** Pages of one look, should they be small. */
const MAX_PAGES = 50;

/** How a domain's list stands at the Registry. */
export interface ListState {
  readonly domain: string;
  readonly generation: number;
  /** When it was published, Unix milliseconds. */
  readonly time: number;
}

/**
 * What came of a look: `forbidden` from an edge that does not show lists to a check token, `unauthorized` where it does
 * not take the token at all.
 */
export type LookResult = "ok" | "failed" | "forbidden" | "unauthorized";

export interface ListsOptions {
  /** One page of the domains that the token covers. @throws ClientError */
  page(after: string | null): Promise<DomainPage>;
  /** Between 0 and 1. */
  chance(): number;
  looked(result: LookResult): void;
}

/** The lists of the domains that the token covers, as they were when the Registry was last asked for them. */
export class Lists {
  readonly #options: ListsOptions;
  #states: readonly ListState[] = [];

  constructor(options: ListsOptions) {
    this.#options = options;
  }

  get states(): readonly ListState[] {
    return this.#states;
  }

  /** Pause before the first look, ms: bridges that start together do not ask together. */
  get first(): number {
    return this.#with(MINUTE / 2);
  }

  /** Asks again. What was known stays where no answer comes. @returns the pause before the next look, ms */
  async look(): Promise<number> {
    const result = await this.#read();
    this.#options.looked(result);
    return this.#with(result === "forbidden" ? PAUSE_FORBIDDEN : PAUSE);
  }

  async #read(): Promise<LookResult> {
    const states: ListState[] = [];
    try {
      let after: string | null = null;
      for (let pages = 0; pages < MAX_PAGES && states.length < MAX_LISTS; pages++) {
        const page: DomainPage = await this.#options.page(after);
        states.push(...page.domains.filter(isListed));
        if (page.next === null || page.next === after) break;
        after = page.next;
      }
    } catch (error) {
      const kind = error instanceof ClientError ? error.kind : null;
      return kind === "forbidden" || kind === "unauthorized" ? kind : "failed";
    }
    this.#states = states.slice(0, MAX_LISTS);
    return "ok";
  }

  #with(pause: number): number {
    return pause * (0.8 + 0.4 * this.#options.chance());
  }
}

/** What the edge says is a label of metrics: it has to be what it should be. */
function isListed(value: unknown): value is ListState {
  if (typeof value !== "object" || value === null) return false;
  const { domain, generation, time, deleted_until: deleted } = value as Record<string, unknown>;
  if (typeof domain !== "string" || toALabel(domain) !== domain) return false;
  return Number.isSafeInteger(generation) && Number.isFinite(time) && (deleted ?? null) === null;
}
