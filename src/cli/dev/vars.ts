/** Reads and writes `.dev.vars`: the secrets and settings of a local Worker, one `NAME=value` per line. */

/**
 * @returns what the text sets; skips comments and blank lines, and removes quotes around values
 * @throws SyntaxError naming the line
 */
export function readVars(text: string): Record<string, string> {
  const vars: Record<string, string> = {};
  text.split(/\r?\n/).forEach((line, i) => {
    if (/^\s*(?:#.*)?$/.test(line)) return;
    const [, name, value = ""] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) throw new SyntaxError(`line ${i + 1} is not NAME=value`);
    const quoted = /^(["'])(.*)\1(?:\s+#.*)?$/.exec(value);
    vars[name] = quoted === null ? value.replace(/(?:^|\s+)#.*$/, "") : (quoted[2] as string);
  });
  return vars;
}

/** @returns the text of a `.dev.vars` that sets `vars` */
export const writeVars = (vars: Readonly<Record<string, string>>): string =>
  Object.entries(vars)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
