/** Pieces of manual pages in the macros of man(7). */

/** A heading of a section. */
export const section = (title: string): string => `.SH ${title}`;

/** A heading within a section. */
export const subsection = (title: string): string => `.SS ${quoted(title)}`;

/** A term with its explanation, such as an option. */
export const term = (name: string, about: string): string =>
  `.TP\n.B ${quoted(name)}\n${about === "" ? "\\&" : line(about)}`;

/** The usage of a command: its name in bold, the rest as it is. */
export const usage = (name: string, rest: string): string => `.P\n.B ${line(name)}\n${line(rest)}`;

/** Text as in the help: paragraphs, and indented lines, which keep their form. */
export function prose(text: string): string {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const lines: string[] = [".P"];
      let isIndented = false;
      for (const each of block.split("\n")) {
        if (each.startsWith("  ") !== isIndented) {
          isIndented = !isIndented;
          lines.push(...(isIndented ? [".RS", ".nf"] : [".fi", ".RE"]));
        }
        lines.push(isIndented ? line(each.slice(2)) : line(each));
      }
      if (isIndented) lines.push(".fi", ".RE");
      return lines.join("\n");
    })
    .join("\n");
}

/** One line of text, in which nothing has a special meaning. */
export function line(text: string): string {
  const plain = escaped(text);
  return /^[.']/.test(plain) ? `\\&${plain}` : plain;
}

/** An argument of a macro. */
const quoted = (text: string): string => `"${escaped(text).replaceAll('"', "\\(dq")}"`;

function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\(ga")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll(
      /[^\x20-\x7e]/gu,
      (c) => `\\[u${(c.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}
