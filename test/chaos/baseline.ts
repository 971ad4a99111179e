/**
 * What one writes who takes CPG's documentation at its word: apply what is delivered, answer when the own message comes back, trust that
 * members who go together from one configuration to the next have delivered the same. With the care that such programs take: only a
 * majority of the nodes writes, whoever comes back takes the state of those who stayed, requests are answered once.
 *
 * It is here to be compared with: chaos shows what it loses.
 */
import { Cpg } from "@lockstep/corosync";
import type { CpgConfigurationChange, CpgRingId, MessageBatch } from "@lockstep/corosync";
import { perform, valueOf } from "./machine.js";
import type { Change, ChangeResult } from "./machine.js";
import { Outbox } from "./outbox.js";
import type { Consistency, Reply } from "./server.js";

/** Everything that is replicated. */
interface BaselineState {
  readonly texts: Map<string, string>;
  readonly counters: Map<string, number>;
  readonly effects: Map<string, number>;
  readonly answers: Map<string, ChangeResult>;
  order: number;
  applied: number;
}

type Message =
  | { readonly type: "change"; readonly n: number; readonly change: Change; readonly requestId: string | undefined }
  /** A read that has to see what was delivered before it. */
  | { readonly type: "barrier"; readonly n: number }
  /** From one who needs the state, to the one who shall give its own, as it is where this message is delivered. */
  | { readonly type: "ask"; readonly askId: number; readonly donor: number; readonly applied: number }
  | { readonly type: "refuse"; readonly to: number; readonly askId: number }
  | { readonly type: "give"; readonly to: number; readonly askId: number; readonly index: number; readonly count: number; readonly text: string };

const chunkCharacters = 200_000;
const askAgainMs = 1_000;

export class Baseline {
  readonly #group: string;
  readonly #slots: number;
  readonly #waiting = new Map<number, (reply: Reply<ChangeResult> | undefined) => void>();
  #state: BaselineState = emptyState();
  #cpg: Cpg | undefined;
  #outbox: Outbox | undefined;
  #members: readonly number[] = [];
  /** It has been with a majority ever since it had the state. */
  #current = false;
  #progress = false;
  #messages = 0;
  #asks = 0;
  /** The own question whose place in the order has come: what is delivered after it is kept for later. */
  #taking: { readonly askId: number; readonly chunks: string[]; readonly later: { readonly sender: number; readonly message: Message }[] } | undefined;
  /** Members of this configuration that do not have the state, and how much they had applied. */
  readonly #asking = new Map<number, number>();

  constructor(group: string, slots: number) {
    this.#group = group;
    this.#slots = slots;
  }

  get active(): boolean {
    return this.#current;
  }

  get members(): readonly number[] {
    return this.#members;
  }

  get applied(): number {
    return this.#state.applied;
  }

  get state(): BaselineState {
    return this.#state;
  }

  /** Joins; resolves with the reason when the daemon is gone. @throws CorosyncError if it does not answer. */
  async live(): Promise<unknown> {
    let end: (reason: unknown) => void = () => undefined;
    const ended = new Promise<unknown>((resolve) => { end = resolve; });
    const cpg = await Cpg.open({
      listener: {
        messages: (batch) => this.#deliver(batch),
        configurationChanged: (change) => this.#configurationChanged(change),
        ringChanged: (_ring: CpgRingId) => undefined,
        ended: (error) => end(error),
      },
    });
    this.#cpg = cpg;
    this.#outbox = new Outbox(cpg);
    const asking = setInterval(() => this.#askAgain(), askAgainMs);
    try {
      await cpg.join(this.#group);
      return await ended;
    } finally {
      clearInterval(asking);
      this.#members = [];
      this.#loseCurrency();
      await cpg.close();
    }
  }

  async change(change: Change, requestId: string | undefined): Promise<Reply<ChangeResult>> {
    if (!this.#current) return { code: "NOT_CURRENT", effect: "none" };
    const reply = await this.#order((n) => ({ type: "change", n, change, requestId }));
    return reply ?? { code: "LOST", effect: "unknown" };
  }

  async read(key: string, consistency: Consistency): Promise<Reply<string | number | null>> {
    if (consistency === "linearizable") {
      if (!this.#current || (await this.#order((n) => ({ type: "barrier", n }))) === undefined) return { code: "NOT_CURRENT", effect: "none" };
    }
    return { value: valueOf(this.#state, key) };
  }

  /** Resolves when the own message has come back; with undefined if this member is out before that. */
  async #order(make: (n: number) => Message): Promise<Reply<ChangeResult> | undefined> {
    this.#messages++;
    const n = this.#messages;
    const answered = new Promise<Reply<ChangeResult> | undefined>((resolve) => { this.#waiting.set(n, resolve); });
    this.#outbox?.send(make(n));
    return answered;
  }

  // What the group says.

  #deliver(batch: MessageBatch): void {
    for (let i = 0; i < batch.length; i++) {
      const message = JSON.parse(Buffer.from(batch.data(i)).toString()) as Message;
      this.#take(batch.senderNodeId(i), message);
    }
  }

  #take(sender: number, message: Message): void {
    switch (message.type) {
      case "ask": return this.#asked(sender, message);
      case "refuse": return this.#refused(message);
      case "give": return this.#given(message);
      case "change":
      case "barrier":
        if (this.#current) this.#apply(sender, message);
        else this.#taking?.later.push({ sender, message });
        return;
      default: return message satisfies never;
    }
  }

  #apply(sender: number, message: Extract<Message, { n: number }>): void {
    const result = message.type === "change" ? this.#perform(message.change, message.requestId) : "written";
    if (sender !== this.#cpg?.local.nodeId) return;
    this.#waiting.get(message.n)?.({ value: result });
    this.#waiting.delete(message.n);
  }

  #perform(change: Change, requestId: string | undefined): ChangeResult {
    this.#state.applied++;
    const answered = requestId === undefined ? undefined : this.#state.answers.get(requestId);
    if (answered !== undefined) return answered;
    const result = perform(this.#state, change);
    if (requestId !== undefined) this.#state.answers.set(requestId, result);
    return result;
  }

  #configurationChanged({ members }: CpgConfigurationChange): void {
    this.#members = members.map(({ nodeId }) => nodeId).sort((a, b) => a - b);
    this.#asking.clear();
    this.#taking = undefined;
    if (!this.#isMajority) this.#loseCurrency();
    this.#ask();
  }

  get #isMajority(): boolean {
    return this.#members.length > this.#slots / 2;
  }

  #loseCurrency(): void {
    this.#current = false;
    this.#taking = undefined;
    for (const answer of this.#waiting.values()) answer(undefined);
    this.#waiting.clear();
  }

  // Taking and giving the state.

  #ask(): void {
    const own = this.#cpg?.local.nodeId;
    if (this.#current || !this.#isMajority || own === undefined) return;
    this.#asks++;
    const others = this.#members.filter((nodeId) => nodeId !== own);
    this.#outbox?.send({ type: "ask", askId: this.#asks, donor: others[this.#asks % others.length] ?? own, applied: this.#state.applied });
  }

  #askAgain(): void {
    if (!this.#progress) this.#ask();
    this.#progress = false;
  }

  #asked(sender: number, { askId, donor, applied }: Extract<Message, { type: "ask" }>): void {
    const own = this.#cpg?.local.nodeId;
    this.#asking.set(sender, applied);
    if (sender === own && askId === this.#asks && !this.#current) this.#taking = { askId, chunks: [], later: [] };
    if (donor === own) this.#give(sender, askId);
    // Nobody here has been with a majority: the one that got furthest goes on.
    const nobodyIsCurrent = this.#isMajority && this.#members.every((nodeId) => this.#asking.has(nodeId));
    if (!nobodyIsCurrent) return;
    const furthest = Math.max(...this.#asking.values());
    const first = this.#members.find((nodeId) => this.#asking.get(nodeId) === furthest) ?? 0;
    this.#asking.delete(first);
    if (first === own) this.#becomeCurrent();
  }

  #give(to: number, askId: number): void {
    if (!this.#current) return this.#outbox?.send({ type: "refuse", to, askId });
    const { texts, counters, effects, answers, order, applied } = this.#state;
    const text = JSON.stringify({ texts: [...texts], counters: [...counters], effects: [...effects], answers: [...answers], order, applied });
    const count = Math.ceil(text.length / chunkCharacters);
    for (let index = 0; index < count; index++) {
      this.#outbox?.send({ type: "give", to, askId, index, count, text: text.slice(index * chunkCharacters, (index + 1) * chunkCharacters) });
    }
  }

  #refused({ to, askId }: Extract<Message, { type: "refuse" }>): void {
    if (to === this.#cpg?.local.nodeId && askId === this.#taking?.askId) this.#ask();
  }

  #given({ to, askId, index, count, text }: Extract<Message, { type: "give" }>): void {
    const taking = this.#taking;
    if (taking === undefined || to !== this.#cpg?.local.nodeId || askId !== taking.askId) return;
    taking.chunks[index] = text;
    this.#progress = true;
    if (taking.chunks.filter((chunk) => chunk !== undefined).length < count) return;
    this.#state = parseState(taking.chunks.join(""));
    this.#becomeCurrent();
  }

  #becomeCurrent(): void {
    const later = this.#taking?.later ?? [];
    this.#taking = undefined;
    this.#current = true;
    for (const { sender, message } of later) this.#take(sender, message);
  }
}

function emptyState(): BaselineState {
  return { texts: new Map(), counters: new Map(), effects: new Map(), answers: new Map(), order: 0, applied: 0 };
}

function parseState(text: string): BaselineState {
  const { texts, counters, effects, answers, order, applied } = JSON.parse(text) as { [K in keyof BaselineState]: BaselineState[K] extends Map<infer K, infer V> ? [K, V][] : BaselineState[K] };
  return { texts: new Map(texts), counters: new Map(counters), effects: new Map(effects), answers: new Map(answers), order, applied };
}
