/* The configuration files for Stalwart, which does not run here: what they say, member by member. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { ROUTES } from "../../src/api/index.ts";

const FOLDER = join(import.meta.dirname, "..", "..", "integrations", "stalwart");
const read = (file: string): string => readFileSync(join(FOLDER, file), "utf8");

/** Members of `MtaHook` in the schema of Stalwart 0.16.19 (resources/schema/schema.json.gz). */
const MEMBERS = [
  "allowInvalidCerts",
  "enable",
  "httpAuth",
  "httpHeaders",
  "maxResponseSize",
  "stages",
  "tempFailOnError",
  "timeout",
  "url",
];

/** ms until each has answered: the bridge's timeout, and CHECK_TIMEOUT of src/reader/reader.ts. */
const BRIDGE_MS = 3_000;
const EDGE_MS = 4_500;

describe.each([
  ["bridge.ndjson", "http://127.0.0.1:10027", { "@type": "Unauthenticated" }, BRIDGE_MS],
  [
    "edge.ndjson",
    "https://rollcall.example.workers.dev",
    { "@type": "Bearer", bearerToken: { "@type": "File", filePath: "/etc/stalwart/rollcall-token" } },
    EDGE_MS,
  ],
])("%s", (file, origin, httpAuth, longest) => {
  const operation = JSON.parse(read(file)) as Record<string, unknown>;
  const { rollcall: hook } = operation.value as { readonly rollcall: Record<string, unknown> };

  it("is one operation in one line, which may be applied again", () => {
    expect(read(file).trimEnd()).not.toContain("\n");
    expect(operation).toMatchObject({ "@type": "upsert", object: "MtaHook", matchOn: ["url"] });
  });

  it("sets every member of the object, and no other", () => {
    expect(Object.keys(hook).sort()).toEqual(MEMBERS);
  });

  it("asks at RCPT only, about example.com only, and defers on errors", () => {
    expect(hook).toMatchObject({
      url: `${origin}${ROUTES.postHook.path}`,
      stages: { rcpt: true },
      httpAuth,
      tempFailOnError: true,
      allowInvalidCerts: false,
    });
    expect(JSON.stringify(hook.enable)).toBe(
      `{"match":[{"if":"rcpt_domain == 'example.com'","then":"true"}],"else":"false"}`,
    );
    expect(Object.keys(hook.stages as object)).toEqual(["rcpt"]);
    expect(hook.timeout).toBeGreaterThan(longest);
    expect(hook.timeout).toBeLessThan(5_000);
  });
});

describe("bridge-0.15.toml", () => {
  it("says the same in the settings of 0.15", () => {
    expect(JSON.stringify(parse(read("bridge-0.15.toml")).session)).toBe(
      JSON.stringify({
        hook: {
          rollcall: {
            url: `http://127.0.0.1:10027${ROUTES.postHook.path}`,
            enable: [JSON.parse(`{"if": "rcpt_domain == 'example.com'", "then": true}`), { else: false }],
            stages: ["rcpt"],
            timeout: "4s",
            "allow-invalid-certs": false,
            options: { "tempfail-on-error": true, "max-response-size": 65_536 },
          },
        },
      }),
    );
  });
});
