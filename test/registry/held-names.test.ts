import { expect, it } from "vitest";
import { noteBrake, noteHeld } from "../../src/registry/names/held-names.ts";
import { Desk } from "./support.ts";

it("a brake began when it first took hold, whatever else is held or published later", async () => {
  const { storage } = (await new Desk().open()).world.registry();
  const brakes = () => storage.sql("SELECT held, since, gone, asked FROM brakes");
  noteHeld(storage, "a.example", 20);
  noteBrake(storage, "a.example", { since: 5, left: 20, asked: 10 });
  expect(brakes()).toEqual([{ held: 20, since: 5, gone: 20, asked: 10 }]);
  noteHeld(storage, "a.example", 18);
  noteBrake(storage, "a.example", { since: 9, left: 30, asked: 12 });
  expect(brakes()).toEqual([{ held: 18, since: 5, gone: 30, asked: 12 }]);
  noteHeld(storage, "a.example", 0);
  expect(brakes()).toEqual([]);
});
