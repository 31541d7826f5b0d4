/** How a rule of the real code is left out: by other words in their place. */

export interface Patch {
  readonly file: string;
  /** Has to stand there exactly once. */
  readonly find: string;
  readonly put: string;
}

export interface Mutant {
  readonly name: string;
  /** What the rule is for. */
  readonly rule: string;
  readonly patches: readonly Patch[];
  /** The first seed that is tried; 1 where it is left out. */
  readonly seed?: number;
}

export const edge = (file: string, find: string, put: string): Patch => ({
  file: `src/edge/${file}`,
  find,
  put,
});
export const reader = (file: string, find: string, put: string): Patch => ({
  file: `src/reader/${file}`,
  find,
  put,
});
export const registry = (file: string, find: string, put: string): Patch => ({
  file: `src/registry/${file}`,
  find,
  put,
});
export const bridge = (file: string, find: string, put: string): Patch => ({
  file: `src/bridge/${file}`,
  find,
  put,
});
export const client = (file: string, find: string, put: string): Patch => ({
  file: `src/client/${file}`,
  find,
  put,
});
export const directory = (file: string, find: string, put: string): Patch => ({
  file: `src/directory/${file}`,
  find,
  put,
});

export const mutant = (name: string, rule: string, ...patches: Patch[]): Mutant => ({ name, rule, patches });
