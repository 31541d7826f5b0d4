/* Pages of the audit trail. */
import { beforeEach, expect, it } from "vitest";
import { auditPage, writeAudit } from "../../src/registry/log/audit.ts";
import type { RegistryStorage } from "../../src/registry/ports.ts";
import type { AuditPage } from "../../src/registry/protocol.ts";
import { Desk } from "./support.ts";

let storage: RegistryStorage;
beforeEach(async () => {
  const { world } = await new Desk().open();
  storage = world.registry().storage;
  storage.sql("DELETE FROM audit");
});

const page = (filter: AuditPage["filter"], limit = 10, before: number | null = null) => {
  const { lines, next } = auditPage(storage, { before, limit, filter });
  return { lines: lines.map(({ action, subject }) => `${action} ${subject}`), next };
};

it("have what a token did, and what was done with it", () => {
  writeAudit(storage, 1, "token create", "admin", "t1", null);
  writeAudit(storage, 2, "commit", "t1", "a.example", null);
  writeAudit(storage, 3, "commit", "t2", "a.example", null);
  writeAudit(storage, 4, "token revoke", "admin", "t1", null);
  expect(page({ token: "t1" }).lines).toEqual(["token revoke t1", "commit a.example", "token create t1"]);
  expect(page({ token: "t1", action: "commit" }).lines).toEqual(["commit a.example"]);
  expect(page({ token: "t1", domain: "a.example" }).lines).toEqual(["commit a.example"]);
  expect(page({ domain: "b.example" })).toEqual({ lines: [], next: null });
});

it("go on where the last one ended, also if a filter finds nothing in as many lines as one looks at", () => {
  writeAudit(storage, 1, "commit", "t1", "rare.example", null);
  storage.sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
       INSERT INTO audit (time, action, made_by, subject, detail) SELECT 2, 'commit', 't2', 'b.example', NULL FROM n`,
  );
  const found: string[] = [];
  let pages = 0;
  for (let before: number | null = null, isMore = true; isMore; isMore = before !== null) {
    const { lines, next } = page({ domain: "rare.example" }, 10, before);
    found.push(...lines);
    before = next;
    pages++;
  }
  expect([found, pages]).toEqual([["commit rare.example"], 3]);
  // A page that is full says where it ended.
  const first = page({ domain: "b.example" }, 3);
  expect(first.lines).toHaveLength(3);
  expect(page({ domain: "b.example" }, 3, first.next).next).toBe((first.next as number) - 3);
});
