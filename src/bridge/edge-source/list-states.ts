import { ClientError, type DomainPage } from "../../client/index.ts";
import { toALabel } from "../../directory/index.ts";

const MINUTE = 60_000;
/** Pause between two refreshes, ms, before jitter. */
const PAUSE = 5 * MINUTE;
/** Pause if the edge does not show lists to this token. */
const PAUSE_FORBIDDEN = 6 * 60 * MINUTE;
/** Most domains: metrics have a line for each. */
const MAX_LISTS = 1_000;
/** Most pages in one refresh, in case they are small. */
const MAX_PAGES = 50;

/** The state of a domain's list at the Registry. */
export interface ListState {
  readonly domain: string;
  readonly generation: number;
  /** When it was published, Unix milliseconds. */
  readonly time: number;
  /** Names that left and that the brake holds. */
  readonly held: number;
  /** When its list-wide grace ends, Unix milliseconds; 0 without one. */
  readonly refusesFrom: number;
}

/**
 * The result of a refresh: `forbidden` from an edge that does not show lists to a check token, `unauthorized` from an edge
 * that does not accept the token at all.
 */
export type RefreshResult = (typeof REFRESH_RESULTS)[number];
export const REFRESH_RESULTS = ["ok", "failed", "forbidden", "unauthorized"] as const;

export interface ListStatesOptions {
  /** One page of the domains that the token covers. @throws ClientError */
  page(after: string | null): Promise<DomainPage>;
  /** For jitter, between 0 and 1. */
  chance(): number;
  refreshed(result: RefreshResult): void;
}

/** The state of the lists that the token covers, as of the last successful refresh. */
export class ListStates {
  readonly #options: ListStatesOptions;
  #states: readonly ListState[] = [];

  constructor(options: ListStatesOptions) {
    this.#options = options;
  }

  get states(): readonly ListState[] {
    return this.#states;
  }

  /** Pause before the first refresh, ms. Bridges that start together do not ask together. */
  get firstPause(): number {
    return this.#withJitter(MINUTE / 2);
  }

  /** Asks the edge; the old states stay if there is no answer. @returns the pause before the next refresh, ms */
  async refresh(): Promise<number> {
    const result = await this.#read();
    this.#options.refreshed(result);
    return this.#withJitter(result === "forbidden" ? PAUSE_FORBIDDEN : PAUSE);
  }

  async #read(): Promise<RefreshResult> {
    const states: ListState[] = [];
    try {
      let after: string | null = null;
      for (let pages = 0; pages < MAX_PAGES && states.length < MAX_LISTS; pages++) {
        const page: DomainPage = await this.#options.page(after);
        states.push(...page.domains.filter(isListed).map(stateOf));
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

  #withJitter(pause: number): number {
    return pause * (0.8 + 0.4 * this.#options.chance());
  }
}

const stateOf = ({
  domain,
  generation,
  time,
  brake,
  refuses_from,
}: DomainPage["domains"][number]): ListState => ({
  domain,
  generation,
  time,
  held: brake?.held ?? 0,
  refusesFrom: refuses_from ?? 0,
});

/** What the edge sends becomes a label in metrics, so it is checked. */
function isListed(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { domain, generation, time, deleted_until: deleted } = value as Record<string, unknown>;
  if (typeof domain !== "string" || toALabel(domain) !== domain) return false;
  return Number.isSafeInteger(generation) && Number.isFinite(time) && (deleted ?? null) === null;
}
