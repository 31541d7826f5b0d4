/* vitest runs this for each test file, also if a worker runs many of them. */
import { afterAll } from "vitest";
import { endOfFile } from "./support/after-file.ts";

afterAll(endOfFile);
