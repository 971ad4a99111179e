/** Conformance: rings that break and merge. What members that go together deliver on the way is not promised: see docs/protocol.md. */
import assert from "node:assert/strict";
import type { ConformanceCase } from "./conformance-case.js";
import type { Actor, Scene } from "./scene.js";

export const ringCases: readonly ConformanceCase[] = [
  {
    name: "members that are cut off from each other see each other go with nodedown, and then the ring of their side",
    needs: ["network"],
    async run(scene) {
      const [lone, ...others] = await scene.joinThree();
      const before = [lone, ...others].map((actor) => actor.events.length);
      await isolate(scene, lone, others);
      for (const [index, actor] of [lone, ...others].entries()) {
        const told = actor.events.slice(before[index]).filter((event) => event.kind === "change" || event.kind === "ring");
        assert.equal(told.at(-1)?.kind, "ring", `the ring does not end the change.\n${actor.toString()}`);
        const gone = told.flatMap((event) => event.kind === "change" ? event.left : []);
        const expected = actor === lone ? others : [lone];
        assert.deepEqual(new Set(gone), new Set(expected.map(({ address }) => Object.assign({ reason: "nodedown" }, address))));
      }
    },
  },
  {
    name: "members that meet again see each other come with nodeup, and then one ring, the same for all",
    needs: ["network"],
    async run(scene) {
      const [lone, ...others] = await scene.joinThree();
      await isolate(scene, lone, others);
      const before = [lone, ...others].map((actor) => actor.events.length);
      await reunite(scene, [lone, ...others]);
      for (const [index, actor] of [lone, ...others].entries()) {
        const told = actor.events.slice(before[index]).filter((event) => event.kind === "change" || event.kind === "ring");
        assert.equal(told.at(-1)?.kind, "ring", `the ring does not end the change.\n${actor.toString()}`);
        const come = told.flatMap((event) => event.kind === "change" ? event.joined : []);
        const expected = actor === lone ? others : [lone];
        for (const { address } of expected) assert.ok(come.some((member) => member.nodeId === address.nodeId && member.pid === address.pid && member.reason === "nodeup"), actor.toString());
        assert.deepEqual(actor.rings().at(-1), lone.rings().at(-1));
      }
    },
  },
  {
    name: "each side of a cut goes on by itself, and after healing there is one order again",
    needs: ["network"],
    async run(scene) {
      const [lone, ...others] = await scene.joinThree();
      const all = [lone, ...others];
      await isolate(scene, lone, others);
      await lone.member.multicast("alone", 0);
      await scene.within(Promise.all(others.map(async (actor) => actor.member.send({ label: "together", count: 50, bytes: 0 }))), "all messages to be taken");
      await scene.until("each side to get its own", () => lone.texts("alone").length === 1 && others.every((actor) => actor.texts("together").length === 100));
      assert.deepEqual(others[0]?.texts(), others[1]?.texts());
      assert.deepEqual(lone.texts("together"), []);
      await reunite(scene, all);
      await scene.within(Promise.all(all.map(async (actor) => actor.member.send({ label: "after", count: 50, bytes: 0 }))), "all messages to be taken");
      await scene.until("all to get all", () => all.every((actor) => actor.texts("after").length === 150));
      for (const actor of all) assert.deepEqual(actor.texts("after"), lone.texts("after"));
    },
  },
  {
    name: "a majority is quorate and a minority is not, each told with its ring",
    needs: ["network", "tellsQuorum"],
    async run(scene) {
      const [lone, ...others] = await scene.joinThree();
      await scene.until("all to be quorate", () => [lone, ...others].every((actor) => quorum(actor) === true));
      await isolate(scene, lone, others);
      await scene.until("the majority to be quorate, and the minority not", () => quorum(lone) === false && others.every((actor) => quorum(actor) === true));
      await reunite(scene, [lone, ...others]);
      await scene.until("all to be quorate", () => [lone, ...others].every((actor) => quorum(actor) === true));
    },
  },
  {
    name: "leave() resolves on a cut-off member too, and it is not there after healing",
    needs: ["network"],
    async run(scene) {
      const [lone, ...others] = await scene.joinThree();
      await isolate(scene, lone, others);
      await scene.within(lone.member.leave(), "leave() to resolve");
      await scene.bed.network?.heal();
      const back = await scene.join(lone.nodeId);
      const all = [back, ...others];
      await scene.until("all to be in one ring", () => all.every((actor) => actor.ringNodes() === scene.bed.nodes.join(" ") && actor.changes().at(-1)?.members.length === 3));
      assert.equal(lone.events.at(-1)?.kind, "closed");
    },
  },
  {
    name: "through cuts under load nobody gets a message twice, or out of its sender's order",
    needs: ["network"],
    async run(scene) {
      const actors = await scene.joinThree();
      for (const actor of actors) await actor.member.startLoad(String(actor.nodeId), 300);
      const [lone, ...others] = actors;
      await scene.until("the load to flow", () => actors.every((actor) => actor.messages().length > 100));
      await isolate(scene, lone, others);
      await reunite(scene, actors);
      for (const actor of actors) await scene.within(actor.member.stopLoad(), "the load to end");
      await scene.within(Promise.all(actors.map(async (actor) => actor.member.multicast(`end:${String(actor.nodeId)}`, 0))), "the last messages to be taken");
      await scene.until("all to get the last messages", () => actors.every((actor) => actor.texts("end").length === 3));
      assert.ok(actors.every((actor) => actor.changes().length > 2));
      for (const actor of actors) for (const sender of actors) assertIncreasing(actor, sender);
    },
  },
];

/** Cuts one member off, and waits until both sides know. */
async function isolate(scene: Scene, lone: Actor, others: readonly Actor[]): Promise<void> {
  const rest = scene.bed.nodes.filter((nodeId) => nodeId !== lone.nodeId);
  await scene.bed.network?.cut([[lone.nodeId], rest]);
  await scene.until("both sides of the cut to be told", () =>
    lone.changes().at(-1)?.members.length === 1 && lone.ringNodes() === String(lone.nodeId)
    && others.every((actor) => actor.memberNodes() === others.map(({ nodeId }) => nodeId).join(" ") && actor.ringNodes() === rest.join(" ")));
}

async function reunite(scene: Scene, actors: readonly Actor[]): Promise<void> {
  await scene.bed.network?.heal();
  await scene.until("all to be in one ring again", () => actors.every((actor) => actor.changes().at(-1)?.members.length === actors.length && actor.ringNodes() === scene.bed.nodes.join(" ")));
}

/** What the member was last told of quorum, if it is about the ring that it is on. */
function quorum(actor: Actor): boolean | undefined {
  const ring = actor.rings().at(-1)?.id;
  const told = actor.events.findLast((event) => event.kind === "quorum");
  return told?.ring.seq === ring?.seq && told?.ring.nodeId === ring?.nodeId ? told?.quorate : undefined;
}

function assertIncreasing(receiver: Actor, sender: Actor): void {
  let last = -1;
  for (const { text } of receiver.messages(`${String(sender.nodeId)}:`)) {
    const index = Number(text.split(":")[1]);
    assert.ok(index > last, `node ${String(receiver.nodeId)} got message ${String(index)} of node ${String(sender.nodeId)} behind message ${String(last)}`);
    last = index;
  }
}
