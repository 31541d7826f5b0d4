/** Lists that are published with the command. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { rollcall, type Said } from "../../support/fake-platform.ts";
import { temporaryFolder } from "../../support/processes.ts";
import { ADMIN, type LawEdge } from "./edges.ts";

/** Runs `rollcall …` against an edge. */
export type Command = (args: string, answer?: string) => Promise<Said>;

/** A publisher's host: a folder, and the command for one edge. */
export class Publisher {
  readonly cwd = temporaryFolder();
  readonly #url: string;
  readonly #env: Readonly<Record<string, string>>;
  /** Domains whose mode a test has set. */
  readonly #withMode = new Set<string>();

  constructor(edge: Pick<LawEdge, "url">, env: Readonly<Record<string, string>> = {}) {
    this.#url = edge.url;
    this.#env = env;
  }

  run(args: string, answer?: string): Promise<Said> {
    return rollcall(args.split(" "), {
      cwd: this.cwd,
      env: { ROLLCALL_URL: this.#url, ROLLCALL_TOKEN: ADMIN, ...this.#env },
      ...(answer === undefined ? {} : { answer }),
    });
  }

  /** Writes a list. @param names by a space: `alice bob,disabled` */
  write(domain: string, names: string): string {
    const lines = names.split(" ").map((each) => {
      const [local, state = "active"] = each.split(",");
      return `${local}@${domain},${state}\n`;
    });
    writeFileSync(join(this.cwd, `${domain}.csv`), `address,state\n${lines.join("")}`);
    return `${domain}.csv`;
  }

  /** Tries to publish names. */
  tryPublish(domain: string, names: string, args = ""): Promise<Said> {
    // A mode that a test sets stays until it sets another.
    const isSaid = /--(?:observe|defer)/.test(args);
    if (isSaid) this.#withMode.add(domain);
    const mode = isSaid || this.#withMode.has(domain) ? "" : "--enforce ";
    return this.run(
      `publish --domain ${domain} ${this.write(domain, names)} --yes --json ${mode}${args}`.trim(),
    );
  }

  /** Publishes names. @returns the generation's number */
  async publish(domain: string, names: string, args = ""): Promise<number> {
    const said = await this.tryPublish(domain, names, args);
    expect(said).toMatchObject({ code: 0, stderr: "" });
    const { domains } = JSON.parse(said.stdout) as { domains: { generation: number }[] };
    return domains[0]?.generation as number;
  }

  /** A token of a role. */
  async token(args: string): Promise<string> {
    const said = await this.run(`token create ${args}`);
    expect(said).toMatchObject({ code: 0 });
    return said.stdout.trim();
  }
}

/** The given number of mailbox names. */
export const many = (count: number, prefix = "user"): string =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`).join(" ");

/** Mailboxes of a domain whose list does not fit into its manifest: it has two shards. */
export const LARGE = 14_000;
