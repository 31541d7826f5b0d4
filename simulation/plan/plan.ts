/** What a plan is made of: all that happens in a world, known before anything does. */

import type { EntryState } from "../../src/directory/index.ts";
import type { Episode } from "../../testing/faults.ts";
import type { Release } from "../../testing/releases.ts";

export { DAY, HOUR, MINUTE, SECOND } from "../../testing/units.ts";

/** How a deployment is set up. */
export interface Setup {
  readonly window: number;
  readonly acceptGrace: number;
  readonly partitions: number;
  readonly history: number;
  /** Heads that a Registry lists at most to an isolate that starts. */
  readonly mostHeads: number;
  readonly grace: number;
  /** KV writes a day of one partition, of which copies of single changes take half. */
  readonly kvWrites: number;
  readonly locations: readonly string[];
  readonly domains: readonly string[];
  /** Whether more names leave a list at once than its manifest holds. */
  readonly hasExodus: boolean;
  /** Of each domain. */
  readonly shapes: readonly Shape[];
}

/** Of a domain: bits of its table of shards, and how many names it has about. */
export interface Shape {
  readonly bits: number;
  readonly names: number;
}

export const CHANGES = [
  "add",
  "add",
  "add",
  "remove",
  "remove",
  "remove",
  "swap",
  "states",
  "remove many",
  "replace",
  "policy",
  "mode",
  "rotate",
  "alias",
  "alias",
  "unalias",
  "rollback",
  "delete",
  "delete",
  "with alias",
  "orphan",
  "orphan",
] as const;
/**
 * `found` publishes a list if there is none, `set` the list that the step names; `patterns` changes those of a list;
 * `release` ends the brake, if it holds.
 */
export type Change = (typeof CHANGES)[number] | "found" | "set" | "patterns" | "release";

/** Whom questions go to, and what about, if that is not left to chance. */
interface Focus {
  readonly focus?: number;
  readonly domains?: readonly string[];
  /** About somebody who is on no list. */
  readonly nobody?: boolean;
}

/** One change of one domain. */
export interface Publication {
  readonly domain: string;
  readonly change: Change;
  /** Whether it overrides the guard. */
  readonly forces: boolean;
  /** The names and patterns of a change that sets them. */
  readonly list?: readonly string[];
  /** Departure grace of a change that sets them, seconds. */
  readonly grace?: number;
  /** The target of an alias, if that is not left to chance. */
  readonly target?: string;
  /** Whether it keeps single changes that its list does not know, if that is not left to chance. */
  readonly keeps?: boolean;
}

/** Single changes of one domain, in one request. Left to chance if it has no states. */
export interface Patch {
  readonly domain: string;
  /** New states by name; null: the name is removed. */
  readonly states?: readonly (readonly [name: string, state: EntryState | null])[];
  /** Whether removed names are refused at once. */
  readonly now?: boolean;
  /** Whether it overrides the guard without having been refused. */
  readonly overrides?: boolean;
  /** Whether a refusal of the guard is overridden. */
  readonly forces: boolean;
}

/** What happens to a mail host with a replica. `clock`: by how much its wall clock is wrong then, ms. */
export type HostTrouble =
  | {
      readonly what: "off";
      readonly how: "killed" | "power fails" | "dies while it writes";
      readonly ms: number;
      readonly clock: number;
    }
  | { readonly what: "sleep"; readonly ms: number; readonly clock: number }
  | { readonly what: "clock"; readonly by: number }
  | {
      readonly what: "disk";
      readonly fault: "full" | "read-only" | "unreadable" | "slow";
      readonly ms: number;
    }
  /** `copy` is what a later `older copy` puts back. */
  | {
      readonly what: "damage";
      readonly how: "flip" | "missing" | "swap" | "copy" | "older copy";
      /** How the path of the file begins. */
      readonly files: string;
    }
  /** It gets another token, for these domains; null: all. */
  | { readonly what: "token"; readonly domains: readonly string[] | null }
  | { readonly what: "revocation" }
  /** It ends for good. */
  | { readonly what: "end" };

/** One thing that happens. `id` names its stream of numbers. */
export type Step = { readonly id: number; readonly at: number } & (
  | {
      readonly kind: "isolate";
      readonly location: string;
      readonly cacheBytes: number;
      readonly window: number;
      /** Names an isolate that is kept for some steps alone; no other traffic comes to it. */
      readonly focus?: number;
    }
  /** Of the isolate of a focus, or of any. */
  | { readonly kind: "death"; readonly focus?: number }
  | ({ readonly kind: "publish" } & Publication)
  | ({ readonly kind: "patch" } & Patch)
  | { readonly kind: "restart"; readonly partition: number }
  | { readonly kind: "episode"; readonly episode: Episode }
  | ({
      readonly kind: "checks";
      readonly count: number;
      readonly how: "one by one" | "batch" | "http";
    } & Focus)
  | {
      readonly kind: "strangers";
      readonly count: number;
      readonly what: "domains" | "names";
      /** Asks an isolate that has just started. */
      readonly isCold?: boolean;
    }
  /** With a focus its connection leads to that isolate, and it is asked by the steps of that focus alone. */
  | {
      readonly kind: "bridge";
      readonly location: string;
      readonly focus?: number;
      readonly acceptGrace?: number;
      /** With a replica: domains that its token covers, null for all. */
      readonly covers?: readonly string[] | null;
    }
  /** To the host of a focus. */
  | { readonly kind: "host"; readonly trouble: HostTrouble; readonly focus: number }
  /** The connections of a focus lead to the isolate of another one from now on. */
  | { readonly kind: "route"; readonly focus: number; readonly to: number }
  | ({ readonly kind: "bridge checks"; readonly count: number; readonly again?: boolean } & Focus)
  /** What a Registry has stored of a domain's head is damaged: bytes of its manifest, or the head is gone. */
  | { readonly kind: "damage"; readonly domain: string; readonly of: "manifest" | "head" }
  /** Somebody restores an older list of a domain whose head is damaged. */
  | { readonly kind: "repair"; readonly domain: string }
  /** A Registry loses its storage for good. */
  | { readonly kind: "loss"; readonly partition: number }
  /** The operator deletes the old one's roster from KV, so that it can be initialised. */
  | { readonly kind: "initialise"; readonly partition: number }
  /** A rollout reaches a Registry, or is taken back. */
  | { readonly kind: "rollout"; readonly partition: number; readonly release: Release }
  | { readonly kind: "token"; readonly role: "check" | "publish" }
  | { readonly kind: "revocation" }
);

export interface Plan {
  readonly seed: number;
  readonly setup: Setup;
  readonly steps: readonly Step[];
  /** Milliseconds until faults stop. */
  readonly length: number;
  /** When a pause without traffic begins, and what the hosts of replicas do meanwhile. */
  readonly pause: { readonly at: number; readonly trouble: HostTrouble } | null;
}

export type Bare = Step extends infer S ? (S extends Step ? Omit<S, "id" | "at"> : never) : never;

/** Adds a step to a plan. */
export type Add = (at: number, step: Bare) => void;
