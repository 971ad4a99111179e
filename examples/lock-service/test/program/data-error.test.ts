/** What is said about data that cannot be used. */
import { LockstepError } from "@lockstep/framework";
import { expect, it } from "vitest";
import { explainStores } from "../../src/data-error.js";

it("where there is no database for data on disk, it is said how to do without", () => {
  const error = new LockstepError("STORE_UNAVAILABLE", "It does not load.");
  expect(explainStores((replica) => `/d/replica-${replica}`, 3, [{ replica: 1, error }])?.message).toBe("It does not load.\nTo keep nothing on disk, start it with --memory, or on Corosync without --data.");
});
