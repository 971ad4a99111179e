/** The wait-for graph as pictures: SVG with a small layered layout of its own (who waits stands above whom it waits for), or DOT. */
import type { Party, WaitEdge, WaitForGraph } from "../machine/views.js";

interface Node {
  readonly key: string;
  readonly label: string;
  readonly title: string;
  layer: number;
  column: number;
}

/** More would be no picture. */
export const pictureEdges = 500;

const box = { width: 190, height: 44, gapX: 30, gapY: 86, margin: 24 } as const;

export function svgOf({ edges, truncated }: WaitForGraph): string {
  const shown = edges.slice(0, pictureEdges);
  const nodes = layOut(shown);
  const width = Math.max(320, ...Array.from(nodes.values(), ({ column }) => left(column) + box.width + box.margin));
  const height = Math.max(80, ...Array.from(nodes.values(), ({ layer }) => top(layer) + box.height + box.margin + 20));
  const note = truncated || edges.length > shown.length ? `${shown.length} of more edges` : edges.length === 0 ? "nobody waits" : "";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...shown.map((edge) => drawEdge(edge, nodes)),
    ...Array.from(nodes.values(), drawNode),
    `<text x="${box.margin}" y="${height - 10}" fill="#555">${note}</text>`,
    "</svg>\n",
  ].join("\n");
}

export function dotOf({ edges }: WaitForGraph): string {
  const lines = edges.map(({ from, to, lock }) => `  ${quote(labelOf(from))} -> ${quote(labelOf(to))} [label=${quote(lock)}];`);
  return `digraph waitFor {\n${lines.join("\n")}${lines.length === 0 ? "" : "\n"}}\n`;
}

/** A layer is one more than the deepest that it waits for; a circle, which the machine does not let last, is cut where it is met. */
function layOut(edges: readonly WaitEdge[]): ReadonlyMap<string, Node> {
  const nodes = new Map<string, Node>();
  const waitsFor = new Map<string, string[]>();
  for (const { from, to } of edges) {
    for (const party of [from, to]) if (!nodes.has(keyOf(party))) nodes.set(keyOf(party), nodeOf(party));
    waitsFor.set(keyOf(from), [...(waitsFor.get(keyOf(from)) ?? []), keyOf(to)]);
  }
  const depths = depthsOf(nodes.keys(), waitsFor);
  const deepest = Math.max(0, ...depths.values());
  const columns = new Map<number, number>();
  for (const node of nodes.values()) {
    node.layer = deepest - (depths.get(node.key) ?? 0);
    node.column = columns.get(node.layer) ?? 0;
    columns.set(node.layer, node.column + 1);
  }
  return nodes;
}

/** Without recursion: a queue of hundreds is a path of hundreds. */
function depthsOf(keys: Iterable<string>, waitsFor: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  const underWay = new Set<string>();
  for (const key of keys) {
    const stack = [key];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const nexts = waitsFor.get(top) ?? [];
      const open = nexts.find((next) => !depths.has(next) && !underWay.has(next));
      if (!depths.has(top) && open !== undefined) {
        underWay.add(top);
        stack.push(open);
        continue;
      }
      if (!depths.has(top)) depths.set(top, Math.max(-1, ...nexts.map((next) => depths.get(next) ?? -1)) + 1);
      underWay.delete(top);
      stack.pop();
    }
  }
  return depths;
}

function drawNode({ label, title, layer, column }: Node): string {
  const [x, y] = [left(column), top(layer)];
  return `<g><title>${escape(title)}</title><rect x="${x}" y="${y}" width="${box.width}" height="${box.height}" rx="6" fill="#eef3fb" stroke="#4a6fa5"/>` +
    `<text x="${x + box.width / 2}" y="${y + box.height / 2 + 4}" text-anchor="middle">${escape(shorten(label, 28))}</text></g>`;
}

function drawEdge({ from, to, lock }: WaitEdge, nodes: ReadonlyMap<string, Node>): string {
  const [a, b] = [nodes.get(keyOf(from)), nodes.get(keyOf(to))];
  if (a === undefined || b === undefined) return "";
  const [x1, y1, x2, y2] = [left(a.column) + box.width / 2, top(a.layer) + box.height, left(b.column) + box.width / 2, top(b.layer)];
  return `<path d="M${x1} ${y1}L${x2} ${y2}" fill="none" stroke="#555" marker-end="url(#arrow)"/>` +
    `<text x="${(x1 + x2) / 2 + 5}" y="${(y1 + y2) / 2}" fill="#a33">${escape(shorten(lock, 30))}</text>`;
}

function nodeOf(party: Party): Node {
  const { session, owner, request } = party;
  return { key: keyOf(party), label: labelOf(party), title: `session ${session}${owner === null ? "" : `, owner ${owner}`}, request ${request}`, layer: 0, column: 0 };
}

function keyOf({ session, owner, request }: Party): string {
  return JSON.stringify([session, owner, request]);
}

function labelOf({ session, owner, request }: Party): string {
  return `${owner ?? session.slice(0, 8)} · ${request}`;
}

function left(column: number): number {
  return box.margin + column * (box.width + box.gapX);
}

function top(layer: number): number {
  return box.margin + layer * (box.height + box.gapY);
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", String.raw`\\`).replaceAll('"', String.raw`\"`)}"`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
