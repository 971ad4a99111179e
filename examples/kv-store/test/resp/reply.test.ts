import { describe, expect, it } from "vitest";
import * as reply from "../../src/resp/reply.js";
import { ReplyQueue } from "../../src/server/reply-queue.js";

describe("replies", () => {
  it("have the forms of RESP2", () => {
    expect(reply.bulk("a\r\nb")).toBe("$4\r\na\r\nb\r\n");
    expect(reply.nil(2)).toBe("$-1\r\n");
    expect(reply.integer("9223372036854775807")).toBe(":9223372036854775807\r\n");
    expect(reply.map([[reply.bulk("a"), reply.integer(1)]], 2)).toBe("*2\r\n$1\r\na\r\n:1\r\n");
    expect(reply.set([reply.simple("x")], 2)).toBe("*1\r\n+x\r\n");
    expect(reply.verbatim("hi", 2)).toBe("$2\r\nhi\r\n");
  });

  it("have the forms of RESP3", () => {
    expect(reply.nil(3)).toBe("_\r\n");
    expect(reply.map([[reply.bulk("a"), reply.integer(1)]], 3)).toBe("%1\r\n$1\r\na\r\n:1\r\n");
    expect(reply.set([reply.simple("x")], 3)).toBe("~1\r\n+x\r\n");
    expect(reply.verbatim("hi", 3)).toBe("=6\r\ntxt:hi\r\n");
  });

  it("keep an error to one line of single bytes", () => {
    expect(reply.error("ERR a\r\nb\u2026 \xff")).toBe("-ERR a  b? \xff\r\n");
  });
});

describe("ReplyQueue", () => {
  const always = (): boolean => true;

  it("gives replies in the order of the commands, whichever is ready first", () => {
    const queue = new ReplyQueue();
    queue.add("1");
    const second = queue.open(10);
    queue.add("3");
    const fourth = queue.open(5);
    expect(queue.take(100, always)).toBe("1");
    fourth.reply = "4";
    expect(queue.take(100, always)).toBe("");
    expect(queue.requestBytes).toBe(15);
    second.reply = "2";
    expect(queue.take(100, always)).toBe("234");
    expect([queue.size, queue.requestBytes]).toEqual([0, 0]);
  });

  it("gives no more at a time than asked for, and loses nothing over thousands", () => {
    const queue = new ReplyQueue();
    const slots = Array.from({ length: 5000 }, () => queue.open(1));
    slots.forEach((slot, i) => { slot.reply = `${i};`; });
    let all = "";
    for (let text = queue.take(50, always); text !== ""; text = queue.take(50, always)) {
      expect(text.length).toBeLessThan(60);
      all += text;
    }
    expect(all).toBe(slots.map((_, i) => `${i};`).join(""));
  });

  it("makes one reply at a time, in turn, when it may not go on", () => {
    const queue = new ReplyQueue();
    const made: string[] = [];
    for (const text of ["1", "2", "3"]) queue.open(1).reply = () => { made.push(text); return text; };
    expect([queue.take(100, () => false), made]).toEqual(["1", ["1"]]);
    expect([queue.take(100, () => made.length < 2), made]).toEqual(["2", ["1", "2"]]);
    expect(queue.take(100, always)).toBe("3");
  });
});
