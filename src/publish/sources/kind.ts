import type * as v from "valibot";
import type { Source } from "./source.ts";

/** What a source may use of its host. */
export interface SourceHost {
  /** The source as messages show it: its path, or `source NAME`. */
  readonly shown: string;
  /** The domain whose list is read, in A-labels. */
  readonly domain: string;
  /** All domains of rollcall.toml, in A-labels. */
  readonly domains?: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves after `ms`; early, without an error, if `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** The absolute path of a path in the settings file, which starts from the file's folder. */
  path(text: string): string;
}

/** A kind of source: what `[sources.NAME]` of rollcall.toml may set, and how the source is opened. */
export interface SourceKind<E extends v.ObjectEntries = v.ObjectEntries> {
  /** Settings beside `kind`. A message of a check continues "NAME …", such as "must be a whole number". */
  readonly settings: E;
  /** Nothing is read or connected yet. @throws PublishError `input` for settings that do not fit each other */
  open(settings: v.InferOutput<v.StrictObjectSchema<E, undefined>>, host: SourceHost): Source;
}

/** Declares a kind, so that `open` gets the types of its settings. */
export const kind = <const E extends v.ObjectEntries>(declared: SourceKind<E>): SourceKind<E> => declared;
