/** The manual pages, shell completions and settings schema of `rollcall`, from the options, help and settings of its commands. */
import { Cli } from "../../src/cli/context.ts";
import { nodePlatform } from "../../src/cli/platform.ts";
import { programOf } from "../../src/cli/program.ts";
import { bashCompletion } from "./bash.ts";
import { type CommandReference, describeCommand } from "./describe.ts";
import { fishCompletion } from "./fish.ts";
import { bridgeManual, manual } from "./manual.ts";
import { settingsJsonSchema } from "./settings-schema.ts";
import { zshCompletion } from "./zsh.ts";

/** What the command `rollcall` of this tree accepts. */
export function commandReference(): CommandReference {
  let written = "";
  const platform = {
    ...nodePlatform(),
    write: (text: string) => {
      written += text;
    },
  };
  return describeCommand(programOf(new Cli(platform, false)), (print) => {
    written = "";
    print();
    return written;
  });
}

/** @returns path below dist/ and text of each page */
export function referencePages(): [path: string, text: string][] {
  const rollcall = commandReference();
  return [
    ["man/rollcall.1", manual(rollcall)],
    ["man/rollcall-bridge.1", bridgeManual(rollcall)],
    ["completion/rollcall.bash", bashCompletion(rollcall)],
    ["completion/_rollcall", zshCompletion(rollcall)],
    ["completion/rollcall.fish", fishCompletion(rollcall)],
    ["cli/rollcall.schema.json", JSON.stringify(settingsJsonSchema())],
  ];
}
