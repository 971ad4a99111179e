/** Reading votes from a votequorum that fails now and then, which a real one does only where descriptors or memory run out. */
import { CorosyncError, type Votequorum, type VotequorumInfo } from "@lockstep/corosync";
import { describe, expect, it } from "vitest";
import { VoteReader } from "../../src/transport/corosync/vote-reader.js";

const always = (): boolean => true;
const never = (): void => expect.fail("no attempt failed");

/** Three nodes with a vote each. Each request is answered by the next of these errors, and well when there are no more; node 9 is unknown. */
function votequorum(...failures: readonly (Error | undefined)[]): Pick<Votequorum, "info"> & { asked: number } {
  return votequorumWith({}, failures);
}

function votequorumWith(flags: Partial<VotequorumInfo>, failures: readonly (Error | undefined)[] = []): Pick<Votequorum, "info"> & { asked: number } {
  const left = [...failures];
  const info = { votes: 1, quorum: 2, twoNode: true, deviceVotes: 1, deviceCastsVote: true, lastManStanding: false, allowDownscale: false, ...flags } as VotequorumInfo;
  return {
    asked: 0,
    async info(nodeId = 0) {
      this.asked++;
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      if (nodeId === 9) throw new CorosyncError("NOT_EXIST", "votequorum_getinfo");
      return info;
    },
  };
}

const noMemory = new CorosyncError("NO_MEMORY", "votequorum_getinfo");
const allVotes = { votes: new Map([[1, 1], [2, 1], [3, 1]]), deviceVotes: 1, quorum: 2, twoNode: true, shrinks: false };

describe("reading votes", () => {
  it("tells all votes of the ring, and leaves out a node only if votequorum says that it does not know it", async () => {
    expect(await new VoteReader(votequorum()).read([1, 2, 3, 9], always, never)).toEqual(allVotes);
  });

  it.each(["lastManStanding", "allowDownscale"] as const)("tells that the quorum shrinks with %s", async (flag) => {
    expect(await new VoteReader(votequorumWith({ [flag]: true })).read([1, 2, 3], always, never)).toEqual({ ...allVotes, shrinks: true });
  });

  it("goes on until everything is answered, in whatever request it failed, and says once that it failed", async () => {
    let failed = 0;
    const source = votequorum(noMemory, undefined, noMemory, undefined, undefined, undefined, noMemory);
    expect(await new VoteReader(source).read([1, 2, 3], always, () => { failed++; })).toEqual(allVotes);
    expect(failed).toBe(1);
    expect(source.asked).toBe(1 + 2 + 4 + 4);
  });

  it("gives up as soon as it is not wanted, also between two attempts", async () => {
    let wanted = true;
    const source = votequorum(...Array.from({ length: 1000 }, () => noMemory));
    expect(await new VoteReader(source).read([1], () => wanted, () => { wanted = false; })).toBeUndefined();
    expect(source.asked).toBe(1);
    expect(await new VoteReader(source).read([1], () => false, never)).toBeUndefined();
    expect(source.asked).toBe(1);
  });
});
