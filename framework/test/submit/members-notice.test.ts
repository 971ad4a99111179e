/** Who tells the machine of the members of a view, and when another one does. */
import { describe, expect, it } from "vitest";
import { MembersNotice } from "../../src/submit/members-notice.js";

const patienceMs = 2_000;
const members = [1, 3, 5].map((slot) => ({ slot, incarnation: String(slot).padStart(16, "0") }));

/** As slot 3, the second, in a view that was installed at 10 000 ms, and whose log ends at position 7. */
function second(): MembersNotice {
  const notice = new MembersNotice(patienceMs);
  notice.viewInstalled(members, 3, 7, 10_000);
  return notice;
}

describe("the notice of a view's members", () => {
  it("is sent once by who is asked to", () => {
    const notice = second();
    expect(notice.take()).toBeUndefined();
    notice.send(members);
    expect([notice.take(), notice.take()]).toEqual([members, undefined]);
  });

  it("is sent by the next one when it does not come, each a while after the one before it", () => {
    const notice = second();
    notice.tick(10_000 + 2 * patienceMs - 1);
    expect(notice.take()).toBeUndefined();
    notice.tick(10_000 + 2 * patienceMs);
    expect(notice.take()).toEqual(members);
    notice.tick(60_000);
    expect(notice.take()).toBeUndefined();
  });

  it("is that of this view: one at or before the end of the log that the view began with is another's", () => {
    for (const [position, expected] of [[6, members], [7, members], [8, undefined]] as const) {
      const notice = second();
      notice.applied(position);
      notice.tick(60_000);
      expect(notice.take(), `after one at ${position}`).toEqual(expected);
    }
  });

  it("is not sent when its view is over: in the next one it would contradict that one's own", () => {
    const notice = second();
    notice.send(members);
    notice.viewInstalled(members.slice(1), 3, 9, 20_000);
    expect(notice.take()).toBeUndefined();
    notice.tick(20_000 + patienceMs);
    expect(notice.take()).toEqual(members.slice(1));
  });
});
