/** How a rule of the real code is left out: by other words in their place. */

export interface Patch {
  readonly file: string;
  /** Must be there exactly once. */
  readonly find: string;
  readonly put: string;
}

export interface Mutant {
  readonly name: string;
  /** What the rule is for. */
  readonly rule: string;
  readonly patches: readonly Patch[];
}

const patchOf =
  (folder: string) =>
  (file: string, find: string, put: string): Patch => ({ file: `src/${folder}/${file}`, find, put });

export const edge = patchOf("edge");
export const reader = patchOf("reader");
export const registry = patchOf("registry");
export const bridge = patchOf("bridge");
export const client = patchOf("client");
export const directory = patchOf("directory");
export const publish = patchOf("publish");

export const mutant = (name: string, rule: string, ...patches: Patch[]): Mutant => ({ name, rule, patches });

/**
 * The files that patches change, one patch after the other.
 * @throws Error if a patch does not fit
 */
export function patched(patches: readonly Patch[], read: (file: string) => string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, put } of patches) {
    const parts = (texts.get(file) ?? read(file)).split(find);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${find}`);
    texts.set(file, parts.join(put));
  }
  return texts;
}
