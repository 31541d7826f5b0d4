import type { Command } from "commander";
import type { Cli, EdgeOptions } from "../context.ts";
import { instant } from "../output.ts";
import { domainOf } from "../publish-targets.ts";

/** `rollcall history`: the generations of a domain, newest first. */
export function historyCommand(cli: Cli): Command {
  return cli
    .edgeCommand("history", "show the generations of a domain, newest first")
    .argument("<domain>")
    .action((domain: string, options: EdgeOptions) => history(cli, domainOf(domain), options));
}

async function history(cli: Cli, domain: string, options: EdgeOptions): Promise<void> {
  const { output } = cli;
  const generations = await cli.client(options).generations(domain);
  const { dim, bold } = output.colors;
  const head = ["GENERATION", "TIME", "ACTION", "BY", "ACTIVE", "OTHER", "LEAVING", "NOTES"].map(dim);
  const rows = generations.map((it, i) => {
    const { disabled, full, moved } = it.counts;
    const notes = [it.mode === "enforce" ? null : it.mode, it.forced ? "override" : null, it.note];
    return [
      i === 0 ? bold(String(it.generation)) : String(it.generation),
      instant(it.time),
      it.action,
      it.by,
      String(it.counts.active),
      String(disabled + full + moved),
      String(it.departures),
      notes.filter((note) => note !== null).join(", "),
    ];
  });
  output.table([head, ...rows]);
  output.result({ domain, generations });
}
