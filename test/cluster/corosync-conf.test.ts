/** What is put into corosync.conf besides the bed's own. */
import { expect, it } from "vitest";
import { corosyncConf, corosyncTransport, totemSettings } from "./corosync-conf.js";

const conf = (pairs: readonly string[]): string => corosyncConf({ nodeIds: [1], totem: totemSettings(pairs), quorum: {}, device: false, directory: "/nowhere" });

it("uses knet unless it is told otherwise, and says which it uses", () => {
  expect(conf([])).toMatch(/^transport: knet$/m);
  expect(corosyncTransport(totemSettings([]))).toBe("knet");
  expect(conf(["transport=udpu", "token=1500"])).toMatch(/^transport: udpu$/m);
  expect(conf(["transport=udpu", "token=1500"])).toMatch(/^token: 1500$/m);
  expect(conf(["transport=udpu"])).not.toMatch(/knet$/m);
  expect(corosyncTransport(totemSettings(["transport=udpu"]))).toBe("udpu");
});

it.each(["nonsense", "transport=", "=udpu", "Two words=1"])("refuses %j, and says what it takes", (pair) => {
  expect(() => totemSettings([pair])).toThrow(`--totem takes KEY=VALUE, such as transport=udpu, not ${JSON.stringify(pair)}.`);
});
