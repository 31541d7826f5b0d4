import { expect, it } from "vitest";
import { DirectoryError, damaged } from "../../src/directory/errors.ts";

it("an error of the directory says what is at fault", () => {
  const error = damaged("not a shard");
  expect(error).toBeInstanceOf(DirectoryError);
  expect(error).toMatchObject({ name: "DirectoryError", fault: "damaged", message: "not a shard" });
});
