/** Conformance: members that leave, end, freeze or lose their node. */
import assert from "node:assert/strict";
import type { ChangeReason } from "../group-transport.js";
import type { ConformanceCase } from "./conformance-case.js";
import type { Actor, Scene } from "./scene.js";

export const departureCases: readonly ConformanceCase[] = [
  {
    name: "leave() is told to the others with the reason leave, behind all that the leaver had sent",
    needs: [],
    async run(scene) {
      const [leaver, ...others] = await scene.joinThree();
      await scene.within(leaver.member.send({ label: "m", count: 100, bytes: 300 }), "all messages to be taken");
      await scene.within(leaver.member.leave(), "leave() to resolve");
      await assertDeparture(scene, leaver, others, "leave");
      for (const other of others) assert.equal(other.texts("m").length, 100);
    },
  },
  {
    name: "after leave() closed() comes last and without an error, and multicast() is TRANSPORT_CLOSED",
    needs: [],
    async run(scene) {
      const [leaver, witness] = await scene.joinThree();
      await scene.within(leaver.member.leave(), "leave() to resolve");
      await scene.until("closed() to come", () => leaver.events.at(-1)?.kind === "closed");
      assert.deepEqual(leaver.events.at(-1), { kind: "closed", code: "none" });
      await scene.refused(leaver.member.multicast("too late", 0), ["TRANSPORT_CLOSED"], "multicast() after leave()");
      await witness.member.multicast("without the leaver", 0);
      await scene.until("the rest to get the next message", () => witness.texts().length === 1);
      await leaver.refresh();
      assert.deepEqual(leaver.events.at(-1), { kind: "closed", code: "none" });
    },
  },
  {
    name: "close() leaves, can be repeated, and makes multicast() TRANSPORT_CLOSED",
    needs: [],
    async run(scene) {
      const [closer, ...others] = await scene.joinThree();
      await scene.within(Promise.all([closer.member.close(), closer.member.close()]), "two calls of close() to resolve");
      await scene.within(closer.member.close(), "a third close() to resolve");
      await assertDeparture(scene, closer, others, "leave");
      await scene.refused(closer.member.multicast("too late", 0), ["TRANSPORT_CLOSED"], "multicast() after close()");
      assert.equal(closer.events.filter((event) => event.kind === "closed").length, 1);
    },
  },
  {
    name: "close() without join() resolves, and the transport cannot be joined any more",
    needs: [],
    async run(scene) {
      const actor = await scene.open(scene.node(0));
      await scene.within(actor.member.close(), "close() to resolve");
      await scene.refused(actor.member.join(scene.group), ["TRANSPORT_CLOSED", "CONFIGURATION_INVALID"], "join() after close()");
    },
  },
  {
    name: "close() while join() is under way ends both, and leaves no member behind",
    needs: [],
    async run(scene) {
      const witness = await scene.join(scene.node(0));
      const actor = await scene.open(scene.node(1));
      const joining = actor.member.join(scene.group).then(() => "resolved", () => "rejected");
      await scene.within(actor.member.close(), "close() to resolve");
      await scene.within(joining, "join() to resolve or reject");
      const later = await scene.join(scene.node(2));
      await scene.until("the two to be alone", () => witness.memberNodes() === `${String(witness.nodeId)} ${String(later.nodeId)}`);
    },
  },
  {
    name: "a node can join again with a new transport after leave()",
    needs: [],
    async run(scene) {
      const witness = await scene.join(scene.node(0));
      const first = await scene.join(scene.node(1));
      await scene.within(first.member.leave(), "leave() to resolve");
      const second = await scene.join(scene.node(1));
      await second.member.multicast("back", 0);
      await scene.until("both to get the message", () => [witness, second].every((actor) => actor.texts("back").length === 1));
      await first.refresh();
      assert.deepEqual(first.texts(), []);
      assert.deepEqual(witness.changes().slice(1).map(({ left, joined }) => [...left, ...joined].map((member) => member.reason)), [["join"], ["leave"], ["join"]]);
    },
  },
  {
    name: "a killed process is told to the others as procdown",
    needs: ["processes"],
    async run(scene) {
      const [victim, ...others] = await scene.joinThree();
      await scene.killProcess(victim);
      await assertDeparture(scene, victim, others, "procdown");
      assert.equal(others[0]?.rings().length, 1, "a process that dies makes no new ring");
      const next = await scene.join(victim.nodeId);
      await scene.until("the next member on the node to be known", () => others.every((other) => other.changes().at(-1)?.joined[0]?.pid === next.address.pid));
    },
  },
  {
    name: "a frozen process stays a member, and is told everything, in order, when it goes on",
    needs: ["processes"],
    async run(scene) {
      const [frozen, sender, witness] = await scene.joinThree();
      await scene.freeze(frozen);
      await scene.within(sender.member.send({ label: "m", count: 200, bytes: 1000 }), "all messages to be taken");
      await scene.until("the others to get the messages", () => [sender, witness].every((actor) => actor.texts().length === 200));
      assert.equal(sender.memberNodes(), witness.memberNodes());
      assert.equal(sender.changes().at(-1)?.members.length, 3);
      await scene.thaw(frozen);
      await scene.until("the frozen member to get the messages", () => frozen.texts().length === 200);
      assert.deepEqual(frozen.texts(), witness.texts());
      await frozen.member.multicast("awake", 0);
      await scene.until("all to hear it", () => [frozen, sender, witness].every((actor) => actor.texts("awake").length === 1));
    },
  },
  {
    name: "when its node's group communication ends, a member is closed with an error, and the others see nodedown",
    needs: ["nodeFaults"],
    async run(scene) {
      const [victim, ...others] = await scene.joinThree();
      await scene.killNode(victim.nodeId);
      await assertDeparture(scene, victim, others, "nodedown");
      await scene.until("closed() to come", () => victim.events.at(-1)?.kind === "closed");
      const last = victim.events.at(-1);
      assert.ok(last?.kind === "closed" && last.code !== "none" && last.code !== "unknown", `closed() came with ${JSON.stringify(last)}, not with a LockstepError`);
      await scene.refused(victim.member.multicast("too late", 0), ["TRANSPORT_CLOSED"], "multicast() on a dead node");
      await scene.within(victim.member.leave(), "leave() to resolve");
      await scene.within(victim.member.close(), "close() to resolve");
      await scene.startNode(victim.nodeId);
      const next = await scene.join(victim.nodeId);
      await scene.until("the member on the new node to be known", () => [...others, next].every((actor) => actor.memberNodes() === scene.bed.nodes.slice(0, 3).join(" ")));
    },
  },
];

async function assertDeparture(scene: Scene, gone: Actor, others: readonly Actor[], reason: ChangeReason): Promise<void> {
  const departures = (actor: Actor): readonly { readonly nodeId: number; readonly pid: number; readonly reason: ChangeReason }[] => actor.changes().flatMap(({ left }) => left);
  await scene.until("the others to be told", () => others.every((actor) => departures(actor).length > 0));
  for (const actor of others) {
    assert.deepEqual(departures(actor), [{ ...gone.address, reason }]);
    const at = actor.events.findIndex((event) => event.kind === "change" && event.left.length > 0);
    const late = actor.events.slice(at).filter((event) => event.kind === "message" && event.sender.nodeId === gone.nodeId);
    assert.deepEqual(late, [], "messages came behind their sender's departure");
  }
}
