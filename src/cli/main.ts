/** Entry point of the command `rollcall`. */
import "./v8-flags.ts";
import { nodePlatform } from "./platform.ts";
import { run } from "./program.ts";

const platform = nodePlatform();
platform.setExitCode(await run(platform, process.argv.slice(2)));
