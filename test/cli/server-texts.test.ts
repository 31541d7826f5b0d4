/* What an edge sends is shown on one line, and forges none, whatever command asks. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { Cli } from "../../src/cli/context.ts";
import type { Platform } from "../../src/cli/platform.ts";
import { programOf } from "../../src/cli/program.ts";
import { oneLine, withPlainTexts } from "../../src/cli/server-texts.ts";
import type { HttpReply } from "../../src/client/index.ts";
import { rollcall } from "../support/fake-platform.ts";
import { DOMAIN } from "../support/lists.ts";
import { temporaryFolder } from "../support/processes.ts";

const FORGED = "a note\n\u001b[32m7  2026-01-01  by admin\u001b[0m\r\u202eevil\u2066\u2028\u0085";

/** Controls except the end of a line, turns of direction, and a line that was forged. */
const UNWANTED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|^7 {2}2026/m;

async function shown(body: string): Promise<string> {
  const reply: HttpReply = { status: 200, header: () => null, bytes: new TextEncoder().encode(body) };
  const request = {} as Parameters<ReturnType<typeof withPlainTexts>>[0];
  return new TextDecoder().decode((await withPlainTexts(async () => reply)(request)).bytes);
}

describe("texts of an edge", () => {
  it("have no controls, colours or turns of direction", () => {
    expect(oneLine(FORGED)).toBe("a note??[32m7  2026-01-01  by admin?[0m??evil???");
    expect(oneLine("Grüße 😀 \u05d0")).toBe("Grüße 😀 \u05d0");
  });

  it("are made so in every member of a JSON answer, escaped or not, but not what was asked", async () => {
    const answer = {
      generations: [{ note: FORGED, by: FORGED }],
      recipient: "a\u202e@b.test",
      n: 7,
      none: null,
    };
    const plain = { ...answer, generations: [{ note: oneLine(FORGED), by: oneLine(FORGED) }] };
    expect(JSON.parse(await shown(JSON.stringify(answer)))).toEqual(plain);
    expect(JSON.parse(await shown('{"note":"x\u202ey"}'))).toEqual({ note: "x?y" });
  });

  it("are left alone if there is nothing to change, or if they are no JSON", async () => {
    for (const body of ['{"note": "fine"}', "no {JSON}\n", "{broken\n"]) expect(await shown(body)).toBe(body);
  });
});

/** Every command that talks to an edge and ends by itself, as the program's own table has it. */
const program = programOf(new Cli({ env: {}, root: "/nonexistent" } as Platform, false));
const leaves = (command: Command, name: string): { name: string; command: Command }[] =>
  command.commands.length === 0
    ? [{ name, command }]
    : command.commands.flatMap((each) => leaves(each, `${name} ${each.name()}`.trim()));
const ASKING = leaves(program, "").filter(({ command }) =>
  command.options.some(({ long }) => long === "--url"),
);

/** Arguments that let a command reach the edge, where its own table does not say. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  mode: [DOMAIN, "observe"],
  brake: [DOMAIN, "--release"],
  publish: ["list.txt", "--domain", DOMAIN, "--observe"],
  plan: ["list.txt", "--domain", DOMAIN],
  "token create": ["--role", "check", "--domain", DOMAIN],
};

describe("all commands that ask an edge", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "list.txt"), `ada@${DOMAIN}\n`);
  writeFileSync(join(folder, "rollcall.toml"), `[domains."${DOMAIN}"]\nlist = "list.txt"\n`);
  const error = { code: "forbidden", message: FORGED, domain: FORGED, refusals: { [DOMAIN]: FORGED } };
  const SERVERS = {
    "an error of the edge": () => Response.json({ error }, { status: 403 }),
    "an error with an unknown code": () =>
      Response.json({ error: { ...error, code: FORGED } }, { status: 409 }),
    "an answer without the members it must have": () => Response.json({ [FORGED]: FORGED }),
    "a page of a proxy": () => new Response(`<title>${FORGED}</title>`, { status: 403 }),
    "no JSON": () => new Response(FORGED),
  };

  const counts = { active: 1, disabled: 0, full: 0, moved: 0 };
  const made = { generation: 7, time: 0, action: "commit", by: FORGED, forced: false, note: FORGED };
  const token = {
    id: FORGED,
    role: "publish",
    domains: [FORGED],
    note: FORGED,
    key_id: FORGED,
    key_fits: true,
  };
  it.each([
    {
      name: `history ${DOMAIN}`,
      answer: {
        domain: DOMAIN,
        generations: [{ ...made, mode: "enforce", counts, departures: 0 }],
        next: null,
      },
    },
    {
      name: "audit",
      answer: {
        audit: [{ time: 0, action: FORGED, by: FORGED, subject: FORGED, detail: FORGED }],
        next: null,
      },
    },
    {
      name: "token list",
      answer: { tokens: [{ ...token, created: 0, expires: null, revoked: null }], next: null },
    },
  ])("rollcall $name shows an answer as one line each", async ({ name, answer }) => {
    const env = { ROLLCALL_TOKEN: "t-of-a-test" };
    const fetch = async (): Promise<Response> => Response.json(answer);
    const args = [...name.split(" "), "--url", "https://edge.example"];
    const said = await rollcall(args, { cwd: folder, env, fetch });
    expect(said.code).toBe(0);
    expect(said.stdout).not.toMatch(UNWANTED);
    expect(said.stdout).toContain(oneLine(FORGED));
    expect(said.stdout.trimEnd().split("\n")).toHaveLength(2);
  });

  it("are read from the program", () => {
    expect(ASKING.length).toBeGreaterThan(15);
    expect(ASKING.map(({ name }) => name)).toEqual(expect.arrayContaining(["check", "audit", "token list"]));
  });

  it.each(ASKING.filter(({ name }) => name !== "bridge"))(
    "rollcall $name shows no control character of it",
    async ({ name, command }) => {
      const own = command.registeredArguments.map((argument) =>
        argument.name() === "domain" ? DOMAIN : `ada@${DOMAIN}`,
      );
      const args = [...name.split(" "), ...(ARGUMENTS[name] ?? own), "--url", "https://edge.example"];
      const yes = command.options.some(({ long }) => long === "--yes") ? ["--yes"] : [];
      let asked = 0;
      for (const answer of Object.values(SERVERS)) {
        const fetch = async (): Promise<Response> => {
          asked++;
          return answer();
        };
        const env = { ROLLCALL_TOKEN: "t-of-a-test" };
        const said = await rollcall([...args, ...yes], { cwd: folder, env, fetch });
        expect(`${said.stdout}${said.stderr}`).not.toMatch(UNWANTED);
      }
      expect(asked, `${name} asked nothing`).toBeGreaterThan(0);
    },
  );
});
