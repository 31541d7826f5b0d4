/** The load: wrk (Debian package `wrk`), with a script that draws names and checks every answer. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { DOMAIN } from "./lists.ts";
import { missingPackages, temporaryFolder } from "./processes.ts";

const run = promisify(execFile);

/** Debian packages that the load lacks here. */
export const lacksWrk = (): string[] => missingPackages({ wrk: "wrk" });

/** What every connection sends: requests about names drawn at random, `user0` to `user{names - 1}` for example. */
export interface Load {
  readonly token: string;
  readonly method: "GET" | "POST";
  /** What the names begin with. */
  readonly prefix: string;
  readonly names: number;
  /** Default: the domain of all lists; `%` in it is drawn too, from `domains`. */
  readonly domain?: string;
  readonly domains?: number;
  /** Recipients of one request, in a list; left out: one, by itself. */
  readonly batch?: number;
  /** Texts that every answer must contain, once for each recipient. */
  readonly expects: readonly string[];
  /** Default 32. */
  readonly connections?: number;
}

export interface Driven {
  /** Requests a second. */
  readonly rate: number;
  readonly requests: number;
}

/** @throws Error if any answer was not the expected one */
export async function drive(origin: string, load: Load, seconds: number): Promise<Driven> {
  using folder = temporaryFolder();
  const script = join(folder.path, "load.lua");
  writeFileSync(script, scriptOf(load));
  const { connections = 32 } = load;
  const { stdout } = await run("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, origin]);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  const rate = number(/Requests\/sec:\s+([\d.]+)/);
  const requests = number(/answers: (\d+)/);
  // wrk reports broken connections, but not that there were no answers at all.
  if (!(rate > 0) || !(requests > 0) || number(/wrong: (\d+)/) !== 0 || stdout.includes("Socket errors")) {
    throw new Error(`load failed:\n${stdout}`);
  }
  return { rate, requests };
}

function scriptOf(load: Load): string {
  const { token, method, prefix, names, batch, expects, domains = 1 } = load;
  const [before = "", after] = (load.domain ?? DOMAIN).split("%");
  const domain = after === undefined ? q(before) : `${q(before)} .. random(0, ${domains - 1}) .. ${q(after)}`;
  const name = `${q(`${prefix}`)} .. random(0, ${names - 1}) .. "@" .. ${domain}`;
  return `local random = math.random
local token = ${q(token)}
local host
answers = 0
wrong = 0
shown = ""
local threads = {}
local function holds(body, text, times)
  local at = 0
  for i = 1, times do
    at = string.find(body, text, at + 1, true)
    if not at then return false end
  end
  return true
end
-- Each thread has globals of its own: what it counted is read through the table of threads.
function setup(thread) table.insert(threads, thread) end
function init(args)
  host = wrk.headers["Host"]
  math.randomseed(os.time())
${batch === undefined ? "" : batchesOf(batch, name)}
end
function request()
  ${requestOf(method, batch, name)}
end
function response(status, headers, body)
  answers = answers + 1
  if status ~= 200${expects.map((text) => ` or not ${holds(text, batch)}`).join("")} then
    wrong = wrong + 1
    if shown == "" then shown = status .. " " .. string.sub(body, 1, 300) end
  end
end
function done(summary, latency, requests)
  local all, bad = 0, 0
  for _, thread in ipairs(threads) do
    all = all + thread:get("answers")
    bad = bad + thread:get("wrong")
    if thread:get("shown") ~= "" then io.write("the first: ", thread:get("shown"), "\\n") end
  end
  io.write("answers: ", all, "\\nwrong: ", bad, "\\n")
end
`;
}

/** A text in Lua. */
const q = (text: string): string => JSON.stringify(text);

/** Bodies of a thousand names are prepared: making one costs more than answering it. */
const batchesOf = (batch: number, name: string): string => `  bodies = {}
  for i = 1, 64 do
    local list = {}
    for j = 1, ${batch} do list[j] = '"' .. ${name} .. '"' end
    bodies[i] = "[" .. table.concat(list, ",") .. "]"
  end`;

function requestOf(method: Load["method"], batch: number | undefined, name: string): string {
  const head = (line: string): string =>
    `${q(line)} .. " HTTP/1.1\\r\\nHost: " .. host .. "\\r\\nAuthorization: Bearer " .. token .. "\\r\\n`;
  if (method === "GET") {
    // Percent-encoding changes only the @ of an address.
    const encoded = name.replace('"@"', '"%40"');
    return `return "GET /v1/rcpt/" .. ${encoded} .. ${head("")}\\r\\n"`;
  }
  const body = batch === undefined ? `'{"recipient":"' .. ${name} .. '"}'` : "bodies[random(1, #bodies)]";
  return `local body = ${body}
  return ${head("POST /v1/rcpt")}Content-Type: application/json\\r\\nContent-Length: " .. #body .. "\\r\\n\\r\\n" .. body`;
}

const holds = (text: string, batch: number | undefined): string =>
  batch === undefined ? `string.find(body, ${q(text)}, 1, true)` : `holds(body, ${q(text)}, ${batch})`;
