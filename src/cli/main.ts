/** Entry point of the command `rollcall`. */
import { nodePlatform } from "./platform.ts";
import { run } from "./program.ts";
import { saveMemory } from "./v8-flags.ts";

if (process.argv.includes("bridge")) saveMemory();
const platform = nodePlatform();
platform.setExitCode(await run(platform, process.argv.slice(2)));
