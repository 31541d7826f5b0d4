// @ts-check
// The pages of the documentation as a package has them: every link leads to a file of the package, or is plain text.
import { dirname, join, normalize } from "node:path/posix";

const LINK = /(!?)\[((?:[^[\]]|\[[^\]]*\])*)\]\((?!\w+:)([^)\s#]+)((?:#[^)\s]+)?)\)/g;

/**
 * @param {string} text of a page
 * @param {string} page its path in the source tree
 * @param {(path: string) => string | null} place where the package has a file or folder of the source tree: as a path in
 * that tree if it lies as there, or absolute; null if the package does not have it
 */
export function packagedPage(text, page, place) {
  return text.replace(LINK, (link, image, label, target, anchor) => {
    const path = normalize(join(dirname(page), target)).replace(/\/$/, "");
    const found = place(path);
    if (found === path) return link;
    if (found !== null) return `${image}[${label}](${found}${anchor})`;
    return label;
  });
}
