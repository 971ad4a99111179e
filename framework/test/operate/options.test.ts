/** The command line of `lockstep`: what it means, and that what is wrong with it is said. */
import { describe, expect, it } from "vitest";
import { OptionError, parseOptions } from "../../src/operate/options.js";

describe("the command line", () => {
  it("says what to do", () => {
    expect(parseOptions(["backup", "--data", "d", "--to", "f", "--by", "ada"])).toEqual({ run: "backup", data: "d", to: "f", by: "ada", dryRun: false });
    expect(parseOptions(["backup", "--data", "d", "--to", "f"])).toMatchObject({ by: expect.stringMatching(/.+@.+/) as string });
    expect(parseOptions(["verify", "f", "--json"])).toEqual({ run: "verify", file: "f", json: true });
    expect(parseOptions(["restore", "f", "--data", "d", "--group", "g", "--slot", "2", "--slots", "3, 2,1", "--by", "ada", "--dry-run"]))
      .toEqual({ run: "restore", file: "f", data: "d", group: "g", slot: 2, slots: [1, 2, 3], policy: "majority", by: "ada", dryRun: true });
    expect(parseOptions(["inspect", "--data", "d"])).toEqual({ run: "inspect", data: "d", json: false });
    expect(parseOptions(["status", "--data", "d"])).toEqual({ run: "status", data: "d", json: false });
    expect(parseOptions(["new-start", "--data", "d", "--by", "ada"])).toEqual({ run: "new-start", data: "d", slots: undefined, by: "ada", mode: "ask" });
    expect(parseOptions(["new-start", "--data", "d", "--by", "ada", "--slots", "1,4", "--yes"])).toMatchObject({ slots: [1, 4], mode: "yes" });
    expect(parseOptions(["--help"])).toEqual({ run: "help" });
  });

  it.each([
    [[], "say what to do"],
    [["destroy"], "no command \"destroy\""],
    [["toString"], "no command"],
    [["backup", "--data", "d"], "--to FILE is missing"],
    [["backup", "--data", "d", "--to", "f", "more"], "no use for \"more\""],
    [["backup", "--data", "d", "--to", "f", "--yes"], "takes no --yes"],
    [["backup", "--data", "d", "--to", "f", "--by", ""], "--by must name"],
    [["backup", "--data", "d", "--to", "f", "--by", "ada\nbob"], "in one line"],
    [["new-start", "--data", "d", "--yes", "--by", "a".repeat(301)], "at most 300"],
    [["verify"], "FILE is missing"],
    [["verify", "a", "b"], "no use for \"b\""],
    [["restore", "f", "--data", "d", "--group", "g", "--slots", "1,2"], "--slot N"],
    [["restore", "f", "--data", "d", "--group", "g", "--slot", "3", "--slots", "1,2"], "must be one of"],
    [["restore", "f", "--data", "d", "--group", "g", "--slot", "1", "--slots", "1,1"], "different node ids"],
    [["restore", "f", "--data", "d", "--group", "g", "--slot", "1", "--slots", "1,x"], "not \"x\""],
    [["restore", "f", "--data", "d", "--group", "g".repeat(200), "--slot", "1", "--slots", "1"], "group must be"],
    [["restore", "f", "--data", "d", "--group", "g", "--slot", "1", "--slots", "1", "--policy", "any"], "majority or corosync"],
    [["inspect", "--data", ""], "--data DIR is missing"],
    [["new-start", "--data", "d", "--yes", "--dry-run"], "not both"],
    [["new-start", "--data", "d", "--yes", "--data", "e"], "--data is given twice"],
    [["status", "--nonsense"], "nonsense"],
  ])("is refused with a reason: %j", (args, reason) => {
    expect(() => parseOptions(args)).toThrow(OptionError);
    expect(() => parseOptions(args)).toThrow(reason);
  });
});
