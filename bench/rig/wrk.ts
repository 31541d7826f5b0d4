/** The load: wrk (Debian package `wrk`), with a script that goes through a list of requests. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What every connection sends, over and over. */
export interface Load {
  readonly token: string;
  /** Bodies of `POST /v1/rcpt`, or, where there are none, paths to GET. */
  readonly bodies?: readonly string[];
  readonly paths?: readonly string[];
  /** Text that every answer must hold; a plain substring. */
  readonly expects: string;
}

/** @returns requests a second; throws where any answer was not the expected one */
export async function drive(origin: string, load: Load, seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-wrk-"));
  try {
    const script = join(folder, "load.lua");
    writeFileSync(script, scriptOf(load));
    const { stdout } = await run("wrk", ["-t1", "-c32", `-d${seconds}s`, "-s", script, origin]);
    const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
    const wrong = /wrong answers: (\d+)/.exec(stdout)?.[1];
    if (rate === undefined || wrong !== "0") throw new Error(`load failed:\n${stdout}`);
    return Number(rate);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function scriptOf({ token, bodies, paths, expects }: Load): string {
  const method = bodies === undefined ? "GET" : "POST";
  const items = (bodies ?? paths ?? []).map((item) => JSON.stringify(item)).join(",\n");
  const request =
    bodies === undefined ? 'wrk.format("GET", items[i])' : 'wrk.format("POST", "/v1/rcpt", nil, items[i])';
  // One thread: globals of the script are that thread's own, and it tells its count through the thread table.
  return `local items = {${items}}
wrk.method = "${method}"
wrk.headers["Authorization"] = "Bearer ${token}"
${bodies === undefined ? "" : 'wrk.headers["Content-Type"] = "application/json"'}
local threads = {}
function setup(thread) table.insert(threads, thread) end
local made = {}
local at = 0
wrong = 0
function init(args)
  for i = 1, #items do made[i] = ${request} end
end
function request()
  at = at % #made + 1
  return made[at]
end
function response(status, headers, body)
  if status ~= 200 or not string.find(body, ${JSON.stringify(expects)}, 1, true) then wrong = wrong + 1 end
end
function done(summary, latency, requests)
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + thread:get("wrong") end
  io.write("wrong answers: ", sum, "\\n")
end
`;
}
