/** Conformance: members that leave, end, freeze or lose their node. */
import assert from "node:assert/strict";
import type { ChangeReason } from "../group-transport.js";
import type { ConformanceCase } from "./conformance-case.js";
import type { Actor, Scene } from "./scene.js";

/** A transport may be wrong about one message now and then. */
const comings = 3;

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
      await others[0]?.member.multicast("without the closed one", 0);
      await scene.until("the rest to get the next message", () => others.every((other) => other.texts().length === 1));
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
    name: "while a member comes and goes under load, all are told the same messages and changes, in one order",
    needs: [],
    run: async (scene) => comeAndGo(scene, async (passer) => scene.within(passer.member.leave(), "leave() to resolve")),
  },
  {
    name: "while processes are killed under load, all are told the same messages and changes, in one order",
    needs: ["processes"],
    run: async (scene) => comeAndGo(scene, async (passer) => scene.killProcess(passer)),
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
      await scene.until("the member on the new node to be known, and the ring", () => [...others, next].every((actor) => actor.memberNodes() === scene.bed.nodes.slice(0, 3).join(" ") && actor.ringNodes() === scene.bed.nodes.join(" ")));
      const [before, after] = [victim, next].map((actor) => actor.rings().at(-1)?.id.seq ?? 0n);
      assert.ok(before !== undefined && after !== undefined && after > before, `node ${String(victim.nodeId)} went from ring ${String(before)} to ring ${String(after)}: they only grow along the history of a node`);
      for (const other of others) assert.deepEqual(other.rings().at(-1), next.rings().at(-1));
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

/** Two members stay, and send all the time; others come on the third node, send something, and go. */
async function comeAndGo(scene: Scene, go: (passer: Actor) => Promise<unknown>): Promise<void> {
  const stayers = [await scene.join(scene.node(0)), await scene.join(scene.node(1))] as const;
  const passers: Actor[] = [];
  for (const stayer of stayers) await stayer.member.startLoad(String(stayer.nodeId), 300);
  for (let coming = 1; coming <= comings; coming++) {
    const passer = await scene.join(scene.node(2));
    passers.push(passer);
    await scene.within(passer.member.send({ label: `passer ${String(coming)}`, count: 20, bytes: 300 }), "the messages of the one that came to be taken");
    await scene.until("all to hear the one that came, and that one the load", () => [passer, ...stayers].every((actor) => actor.texts(`passer ${String(coming)}:`).length === 20 && stayers.every(({ nodeId }) => actor.texts(`${String(nodeId)}:`).length > 10)));
    await go(passer);
    await scene.until("the others to be told that it went", () => stayers.every((stayer) => stayer.changes().filter(({ left }) => left.length > 0).length === coming));
  }
  for (const stayer of stayers) await scene.within(stayer.member.stopLoad(), "the load to end");
  for (const stayer of stayers) await stayer.member.multicast(`end:${String(stayer.nodeId)}`, 0);
  await scene.until("both to get the last messages", () => stayers.every((stayer) => stayer.texts("end").length === 2));
  const told = inOrder(stayers[0], stayers[1]);
  assert.deepEqual(inOrder(stayers[1], stayers[1]), told, "the two that stayed were told different things, or in different orders");
  for (const passer of passers) {
    const own = inOrder(passer, passer);
    const at = told.indexOf(own[0] ?? "");
    assert.deepEqual(own, told.slice(at, at + own.length), "one that came and went was not told what the others were told meanwhile");
  }
  for (const { nodeId } of stayers) {
    const heard = stayers[0].texts(`${String(nodeId)}:`);
    assert.deepEqual(heard, heard.map((_, index) => `${String(nodeId)}:${String(index)}`), "messages of the load are missing");
  }
}

/** What a member was told from the coming of another on, or its own: messages and changes. */
function inOrder({ events }: Actor, from: Actor): string[] {
  const comes = (event: Actor["events"][number]): boolean => event.kind === "change" && event.joined.some(({ nodeId, pid }) => nodeId === from.address.nodeId && pid === from.address.pid);
  return events.slice(events.findIndex(comes)).flatMap((event) => {
    if (event.kind === "message") return `${event.text} from ${String(event.sender.nodeId)}/${String(event.sender.pid)}`;
    if (event.kind !== "change") return [];
    const members = event.members.map(({ nodeId, pid }) => `${String(nodeId)}/${String(pid)}`).sort();
    return `members ${members.join(" ")}, left ${JSON.stringify(event.left)}, joined ${JSON.stringify(event.joined)}`;
  });
}
