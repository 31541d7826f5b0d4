import type { Command } from "commander";
import { KEY_BYTES, toBase64Url } from "../../directory/index.ts";
import type { Cli } from "../context.ts";

const HELP = `
The key is printed once, alone on standard output, and stored nowhere. For a Worker, in the clone:
  (umask 077; rollcall key new > master-key)
  npx wrangler secret put ROLLCALL_MASTER_KEY < master-key
Keep a copy where you keep passwords. Under another key every list must be published again and every token created again;
docs/deploying.md has the steps.`;

/** `rollcall key new`: a master key, without anything else. */
export function keyCommand(cli: Cli): Command {
  const create = cli
    .command("new", "make a master key and print it")
    .addHelpText("after", HELP)
    .action(() => {
      const key = toBase64Url(cli.platform.randomBytes(KEY_BYTES));
      cli.output.line(key);
      cli.output.result({ key });
    });
  return cli.command("key", "make keys for the edge").addCommand(create);
}
