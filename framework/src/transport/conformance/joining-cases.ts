/** Conformance: joining a group, and what may not be joined. */
import assert from "node:assert/strict";
import type { ConformanceCase } from "./conformance-case.js";

export const joiningCases: readonly ConformanceCase[] = [
  {
    name: "join() resolves with the own address, after the listener was told of a change with it",
    needs: [],
    async run(scene) {
      const actor = await scene.join(scene.node(1));
      assert.equal(actor.address.nodeId, scene.node(1));
      assert.ok(actor.address.pid > 0);
      assert.deepEqual(actor.events[0], { kind: "change", members: [actor.address], left: [], joined: [{ ...actor.address, reason: "join" }] });
    },
  },
  {
    name: "a joiner's first change lists all members, and only itself as joined; the others are told the same",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      for (const [index, actor] of actors.entries()) {
        const members = actors.slice(0, index + 1).map((other) => other.address);
        const change = { kind: "change", left: [], joined: [{ ...actor.address, reason: "join" }] };
        for (const witness of actors.slice(0, index + 1)) {
          const told = witness.changes().find(({ joined }) => joined.some((joiner) => joiner.nodeId === actor.nodeId));
          assert.deepEqual({ ...told, members: new Set(told?.members) }, { ...change, members: new Set(members) }, witness.toString());
        }
        assert.deepEqual(actor.changes()[0]?.joined, change.joined);
      }
    },
  },
  {
    name: "after a member's first change comes the ring, once, and it is the same for all",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      for (const actor of actors) {
        assert.deepEqual(actor.events.slice(0, 2).map((event) => event.kind), ["change", "ring"]);
        assert.equal(actor.rings().length, 1);
        assert.deepEqual(actor.rings(), actors[0].rings());
      }
      assert.equal(actors[0].ringNodes(), scene.bed.nodes.join(" "));
    },
  },
  {
    name: "members that join all at once end with the same members, and each hears of the ring after its own join",
    needs: [],
    async run(scene) {
      // Corosync may tell a member of the ring before its own join, when another one joins: several tries, for it is a race.
      for (let round = 0; round < 5; round++) {
        const group = `${scene.group}-${round}`;
        const actors = await Promise.all(scene.bed.nodes.map(async (nodeId) => scene.join(nodeId, group)));
        await scene.until("all to know of all, and of their ring", () => actors.every((actor) => actor.memberNodes() === scene.bed.nodes.join(" ") && actor.rings().length > 0));
        for (const actor of actors) assert.equal(actor.events[0]?.kind, "change", "the own join comes first");
      }
    },
  },
  {
    name: "two members of a group on one node have different pids, and both get everything",
    needs: [],
    async run(scene) {
      const [first, second] = [await scene.join(scene.node(0)), await scene.join(scene.node(0))];
      assert.notEqual(first.address.pid, second.address.pid);
      await first.member.multicast("to both", 0);
      await scene.until("both to get the message", () => [first, second].every((actor) => actor.texts().length === 1));
    },
  },
  {
    name: "groups do not hear each other",
    needs: [],
    async run(scene) {
      const here = await scene.join(scene.node(0));
      const there = await scene.join(scene.node(0), `${scene.group}-2`);
      await here.member.multicast("here", 0);
      await there.member.multicast("there", 0);
      await scene.until("each to get its own message", () => [here, there].every((actor) => actor.texts().length > 0));
      // Ordered behind both: what would have leaked has come by now.
      await here.member.multicast("here again", 0);
      await there.member.multicast("there again", 0);
      await scene.until("each to get its second message", () => [here, there].every((actor) => actor.texts().length > 1));
      assert.deepEqual(here.texts(), ["here", "here again"]);
      assert.deepEqual(there.texts(), ["there", "there again"]);
      assert.equal(here.changes().length, 1);
    },
  },
  {
    name: "a second join() on a transport is refused, and does not disturb the first",
    needs: [],
    async run(scene) {
      const actor = await scene.join(scene.node(0));
      const codes = ["TRANSPORT_CLOSED", "CONFIGURATION_INVALID"] as const;
      await scene.refused(actor.member.join(scene.group), codes, "a second join() of the same group");
      await scene.refused(actor.member.join(`${scene.group}-2`), codes, "a second join() of another group");
      await actor.member.multicast("still here", 0);
      await scene.until("the message to come", () => actor.texts().length === 1);
      await actor.member.leave();
      await scene.refused(actor.member.join(scene.group), codes, "join() after leave()");
    },
  },
  {
    name: "a group name that is empty, has a NUL, or is longer than 127 bytes is refused",
    needs: [],
    async run(scene) {
      for (const [name, what] of [["", "empty"], ["a\0b", "with a NUL"], ["é".repeat(64), "of 128 bytes"]] as const) {
        const actor = await scene.open(scene.node(0));
        await scene.refused(actor.member.join(name), ["CONFIGURATION_INVALID"], `a group name ${what}`);
      }
    },
  },
  {
    name: "a group name of 127 bytes is taken",
    needs: [],
    async run(scene) {
      const actor = await scene.join(scene.node(0), `${scene.group}-`.padEnd(127, "x"));
      assert.equal(actor.changes().length, 1);
    },
  },
  {
    name: "configuredNodes() lists all configured nodes, before joining and after",
    needs: [],
    async run(scene) {
      const actor = await scene.open(scene.node(0));
      const listed = async (): Promise<number[]> => [...await scene.within(actor.member.configuredNodes(), "configuredNodes() to resolve")].sort((a, b) => a - b);
      assert.deepEqual(await listed(), scene.bed.nodes);
      await actor.join(scene.group);
      assert.deepEqual(await listed(), scene.bed.nodes);
    },
  },
];
