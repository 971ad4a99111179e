/** Conformance: what becomes of messages while nobody fails. */
import assert from "node:assert/strict";
import type { ConformanceCase } from "./conformance-case.js";
import type { Actor } from "./scene.js";

/** Enough for many batches and several turns of any flow control, and seconds at most. */
const loadCount = 2_000;
/** Beyond this a queue without "busy" counts as unbounded. */
const unboundedBytes = 512 * 1024 * 1024;

export const messageCases: readonly ConformanceCase[] = [
  {
    name: "a message comes to all members, its sender among them, with the sender's address and its bytes",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      await actors[1].member.multicast("hello", 1000);
      await scene.until("all to get the message", () => actors.every((actor) => actor.messages().length > 0));
      for (const actor of actors) assert.deepEqual(actor.messages(), [{ kind: "message", sender: actors[1].address, text: "hello", bytes: 1000 }]);
    },
  },
  {
    name: "an empty message is a message",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      await actors[0].member.multicast("", 0);
      await scene.until("all to get the message", () => actors.every((actor) => actor.messages().length > 0));
      for (const actor of actors) assert.equal(actor.messages()[0]?.bytes, 0);
    },
  },
  {
    name: "a message of maxMessageBytes arrives whole; a longer one is MESSAGE_TOO_LARGE and nobody gets it",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      const bytes = await actors[0].member.maxMessageBytes();
      assert.ok(bytes >= 4096, `maxMessageBytes is ${String(bytes)}`);
      await scene.refused(actors[0].member.multicast("too large", bytes + 1), ["MESSAGE_TOO_LARGE"], "a message beyond maxMessageBytes");
      // Several: data that was delivered must outlive what is delivered next.
      await scene.within(actors[0].member.send({ label: "largest", count: 3, bytes }), "the largest messages to be taken");
      await scene.until("all to get the messages", () => actors.every((actor) => actor.messages().length >= 3));
      for (const actor of actors) assert.deepEqual(actor.messages().map((message) => [message.text, message.bytes]), [0, 1, 2].map((index) => [`largest:${String(index)}`, bytes]));
    },
  },
  {
    name: "while all send at once, all get everything, once, in one order, and each sender's messages in its order",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      const sizes = [20, 300, 3000];
      await scene.within(Promise.all(actors.map(async (actor, index) => actor.member.send({ label: String(actor.nodeId), count: loadCount, bytes: sizes[index] ?? 20 }))), "all messages to be taken");
      await scene.until("all messages to come", () => actors.every((actor) => actor.messages().length >= 3 * loadCount));
      for (const actor of actors) {
        assert.deepEqual(actor.texts(), actors[0].texts(), "the members got the messages in different orders");
        assertBursts(actor, actors);
      }
    },
  },
  {
    name: "a member that joins under load gets, from one message on, all that the others get",
    needs: [],
    async run(scene) {
      const first = await scene.join(scene.node(0));
      const load = first.member.send({ label: "load", count: loadCount, bytes: 300 });
      const second = await scene.join(scene.node(1));
      await scene.within(load, "all messages to be taken");
      await first.member.multicast("end", 0);
      await scene.until("both to get the last message", () => [first, second].every((actor) => actor.texts("end").length === 1));
      const joinedAt = first.events.findIndex((event) => event.kind === "change" && event.joined.some((member) => member.nodeId === second.nodeId));
      const after = first.events.slice(joinedAt).filter((event) => event.kind === "message").map((event) => event.text);
      assert.deepEqual(second.texts(), after, "the joiner did not get exactly the messages behind its change");
      assert.equal(first.texts("load").length, loadCount);
    },
  },
  {
    name: "a full queue answers busy, then writable() comes, each time, and nothing is lost or out of order",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      const bytes = Math.min(await actors[0].member.maxMessageBytes(), 64 * 1024);
      const expected: string[] = [];
      for (const label of ["m", "n", "o"]) {
        const sent = await scene.within(actors[0].member.sendUntilBusy({ label, count: unboundedBytes / bytes, bytes }), "busy, and writable() after it");
        expected.push(...Array.from({ length: sent }, (_, index) => `${label}:${String(index)}`));
      }
      await scene.until("all messages to come", () => actors.every((actor) => actor.messages().length >= expected.length));
      for (const actor of actors) assert.deepEqual(actor.texts(), expected);
      assert.ok(actors[0].events.some((event) => event.kind === "writable"));
    },
  },
  {
    name: "a listener may multicast from inside deliver(): the answer comes to all, in one order, and never at once",
    needs: [],
    async run(scene) {
      const actors = await scene.joinThree();
      await actors[1].member.answerPings();
      await actors[2].member.answerPings();
      await scene.within(actors[0].member.send({ label: "ping", count: 100, bytes: 0 }), "all messages to be taken");
      await scene.until("all answers to come", () => actors.every((actor) => actor.texts("pong").length >= 200));
      for (const actor of actors) assert.deepEqual(actor.texts(), actors[0].texts());
    },
  },
  {
    name: "multicast() before join() is TRANSPORT_CLOSED",
    needs: [],
    async run(scene) {
      const actor = await scene.open(scene.node(0));
      await scene.refused(actor.member.multicast("too early", 0), ["TRANSPORT_CLOSED"], "multicast() before join()");
      await actor.join(scene.group);
      await actor.member.multicast("now", 0);
      await scene.until("the message to come", () => actor.messages().length > 0);
      assert.deepEqual(actor.texts(), ["now"]);
    },
  },
];

function assertBursts(receiver: Actor, senders: readonly Actor[]): void {
  for (const { nodeId, address } of senders) {
    const own = receiver.messages(`${String(nodeId)}:`);
    assert.deepEqual(own.map((message) => message.text), Array.from({ length: loadCount }, (_, index) => `${String(nodeId)}:${String(index)}`));
    assert.ok(own.every(({ sender }) => sender.nodeId === address.nodeId && sender.pid === address.pid), "a message came under another sender's name");
  }
}
