/** Rules about a log on disk. Their mistakes get edits when the code that keeps them is there. */
import type { Mutation } from "../mutation.js";

function later(id: string, rule: string): Mutation {
  return { id, rule, section: "Not built", edits: [], caught: { by: "durable store" } };
}

export const durability: readonly Mutation[] = [
  later("acknowledges-before-the-disk-has-it", "With a durable log, what is acknowledged has been flushed."),
  later("writes-down-what-is-not-verified", "With a durable log, what is acknowledged has been verified before."),
  later("announces-only-what-it-acknowledges", "With a durable log, a new position is announced even when the acknowledged one did not move, or nothing would be verified."),
  later("takes-a-ballot-without-promises", "With a durable log, nobody takes a ballot before more than half of the slots have written down that they promise it."),
  later("writes-the-ballot-before-the-entries", "With a durable log, the entries up to the target are flushed before the one record that takes the ballot, and recovery cuts the log to that record."),
  later("switches-to-a-transfer-before-it-is-written", "With a durable log, a transfer is staged aside and switched in by the same record that takes the ballot."),
  later("goes-on-without-one-who-was-there", "With a durable log, the presence of all slots is not enough if one that is blank now was active before."),
  later("forgets-that-it-is-outdated", "With a durable log, under policy corosync, that a member is outdated is written down."),
];
