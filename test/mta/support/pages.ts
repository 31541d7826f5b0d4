/** The files of integrations/postfix: the very lines that people paste are those that are tested. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./command.ts";

const FOLDER = join(ROOT, "integrations", "postfix");
export const DOCS = join(ROOT, "docs", "mta");

/** The three ways to ask, by the name of the file. */
export const WAYS = ["relay-recipient-maps", "access-map", "policy-service"] as const;
export type Way = (typeof WAYS)[number];

/** The addresses in the files, for one's own. */
const SOCKETMAP = "127.0.0.1:10023";
const POLICY = "127.0.0.1:10024";
const BACKEND = "[192.0.2.10]:25";

/** Ports of 127.0.0.1. */
export interface Ports {
  readonly socketmap: number;
  readonly policy: number;
  readonly backend: number;
}

/** A file's lines with the addresses of this test, and nothing else changed. */
export function page(way: Way, ports: Ports): string {
  const text = readFileSync(join(FOLDER, `${way}.cf`), "utf8");
  const [from, to] =
    way === "policy-service"
      ? [POLICY, `127.0.0.1:${ports.policy}`]
      : [SOCKETMAP, `127.0.0.1:${ports.socketmap}`];
  if (!text.includes(from) || !text.includes(BACKEND))
    throw new Error(`${way}.cf does not name its addresses`);
  return text.replaceAll(from, to).replaceAll(BACKEND, `[127.0.0.1]:${ports.backend}`);
}
