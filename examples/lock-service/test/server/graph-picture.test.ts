import { describe, expect, it } from "vitest";
import type { WaitEdge } from "../../src/machine/views.js";
import { dotOf, pictureEdges, svgOf } from "../../src/server/graph-picture.js";

const party = (request: string, owner: string | null = null) => ({ session: `session-${request}`, owner, request });
const edge = (from: string, to: string, lock: string): WaitEdge => ({ from: party(from), to: party(to), lock });
const pictureOf = (edges: readonly WaitEdge[]): string => svgOf({ edges, truncated: false });

/** Of the boxes, by request: the y of each. */
function rows(svg: string): ReadonlyMap<string, number> {
  return new Map(Array.from(svg.matchAll(/request ([^<]+)<\/title><rect x="\d+" y="(\d+)"/g), ([, request = "", y]) => [request, Number(y)]));
}

describe("the picture of the wait-for graph", () => {
  it("has who waits above whom it waits for", () => {
    const y = rows(pictureOf([edge("b", "a", "x"), edge("c", "b", "x"), edge("d", "a", "y"), edge("c", "d", "z")]));
    expect([...y.keys()].sort()).toEqual(["a", "b", "c", "d"]);
    const [a = 0, b = 0, c = 0, d = 0] = ["a", "b", "c", "d"].map((name) => y.get(name));
    expect(c < b && b < a && d < a && c < d).toBe(true);
  });

  it("shows a circle, and ends", () => {
    expect(rows(pictureOf([edge("a", "b", "x"), edge("b", "c", "y"), edge("c", "a", "z")])).size).toBe(3);
  });

  it("shows names as text, whatever is in them", () => {
    const svg = pictureOf([{ from: party("r<script>", `o"&`), to: party("s"), lock: "</svg><script>alert(1)</script>" }]);
    expect(svg).not.toMatch(/<script/);
    expect(svg).toContain("o&quot;&amp; · r&lt;script&gt;");
    expect(dotOf({ edges: [edge(`a"b`, String.raw`c\d`, "x")], truncated: false })).toContain(String.raw`-> "session- · c\\d" [label="x"]`);
  });

  it("says that nobody waits, and that there is more than it shows", () => {
    expect(pictureOf([])).toContain("nobody waits");
    const many = Array.from({ length: pictureEdges + 1 }, (_, i) => edge(`r${i + 1}`, `r${i}`, "x"));
    expect(pictureOf(many)).toContain(`${pictureEdges} of more edges`);
    expect(dotOf({ edges: [], truncated: false })).toBe("digraph waitFor {\n}\n");
  });
});
