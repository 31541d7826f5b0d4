/**
 * A plugin of Stryker that leaves the texts of errors alone. They are for people, who need them to be clear and not to
 * stay word for word; what kind of error it is, is a code, and is mutated.
 */

/** What the plugin uses of a path in Babel's tree. */
interface TreePath {
  readonly key: string | number | null;
  readonly listKey?: string;
  readonly node: { readonly type: string };
  readonly parentPath: TreePath | null;
  readonly parent: {
    readonly type: string;
    readonly callee?: { readonly type: string; readonly name?: string };
    readonly arguments?: readonly unknown[];
  };
}

const TEXTS = new Set(["StringLiteral", "TemplateLiteral"]);
const MAKES_ERROR = /(?:Error|Failure)$|^damaged$|^badRequest$/;

export const strykerPlugins = [
  {
    kind: "Ignore",
    name: "error-texts",
    value: {
      shouldIgnore({ node, parent, listKey, key }: TreePath): string | undefined {
        if (!TEXTS.has(node.type) || listKey !== "arguments") return undefined;
        const name = parent.callee?.name ?? "";
        const isLast = key === (parent.arguments?.length ?? 0) - 1;
        const isText = name === "failure" ? key === 1 : isLast && MAKES_ERROR.test(name);
        return isText ? "text of an error" : undefined;
      },
    },
  },
];
