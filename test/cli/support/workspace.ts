import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll } from "vitest";
import { rollcall, type Said, type Surroundings } from "../../support/fake-platform.ts";
import { type Ended, startCli, startDev, temporaryFolder } from "../../support/processes.ts";

/** A folder and a domain that no other test uses, and the command in them. */
export interface Workspace {
  readonly cwd: string;
  readonly domain: string;
  /** Runs the command in this process; with `answer`, at a terminal. */
  run(args: string, more?: Partial<Surroundings>): Promise<Said>;
  /** Runs the built command as a process. */
  start(args: string, options?: { node?: string }): Promise<Ended>;
  /** Writes a file; `@D` becomes `@` and the domain. */
  write(name: string, text: string): void;
  /** Writes list.txt. @param names separated by spaces */
  names(names: string): void;
  /** Publishes names with `--yes` and further arguments, in enforce mode unless they say another. */
  publish(names: string, args?: string): Promise<Said>;
  verdict(local: string): Promise<string>;
}

/** Starts a local edge for the tests of a file. */
export function useEdge() {
  const root = temporaryFolder();
  const edge = { url: "", admin: "" };
  let count = 0;

  beforeAll(async () => {
    edge.url = (await startDev(join(root, "state"), { home: root })).url;
    edge.admin = readFileSync(join(root, "state", "admin-token"), "utf8").trim();
  });

  function fresh(): Workspace {
    const number = count++;
    const cwd = join(root, `work-${number}`);
    mkdirSync(cwd);
    const domain = `d${number}.example`;
    const env = { ROLLCALL_URL: edge.url, ROLLCALL_TOKEN: edge.admin };
    const run: Workspace["run"] = (args, more = {}) =>
      rollcall(args.split(" "), { cwd, ...more, env: { ...env, ...more.env } });
    const start: Workspace["start"] = (args, options) =>
      startCli(args.split(" "), { home: cwd, env, ...options }).ended;
    const write: Workspace["write"] = (name, text) =>
      writeFileSync(join(cwd, name), text.replaceAll("@D", `@${domain}`));
    const names: Workspace["names"] = (text) => write("list.txt", text.replaceAll(/(\S+) ?/g, "$1@D\n"));
    return {
      cwd,
      domain,
      run,
      start,
      write,
      names,
      publish: (list, args = "") => {
        names(list);
        const mode = /--(?:observe|defer|enforce)/.test(args) ? "" : "--enforce ";
        return run(`publish --domain ${domain} list.txt --yes ${mode}${args}`.trim());
      },
      verdict: async (local) => {
        const { stdout } = await run(`check ${local}@${domain} --json`);
        return (JSON.parse(stdout) as { verdict: string }).verdict;
      },
    };
  }
  return { edge, fresh };
}

export const TEN = "a b c d e f g h i postmaster";
