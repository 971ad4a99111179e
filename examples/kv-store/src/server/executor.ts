/**
 * Runs the commands of one connection so that they seem to run one after the other, whatever is pipelined. No sockets.
 *
 * A read sees the writes before it and none behind it. Writes follow each other without waiting: the order of submitting
 * is the order of the log. Reads that come together wait together, for one linearizable look at the state and for the
 * writes before them. Only a write behind a read waits for the read's answer.
 *
 * A read is answered when its reply's turn has come to be sent, from the state of that moment, which is newer than what it
 * waited for: a peer that takes nothing has no replies made that would fill the memory.
 */
import { errorReply } from "../commands/command-error.js";
import type { Call, CommandSpec, LocalCommand, ReadCommand, WriteCommand } from "../commands/spec.js";
import { error as errorLine, type Reply } from "../resp/reply.js";
import { refusal } from "./refusal.js";
import type { ReadyReply, ReplyQueue } from "./reply-queue.js";
import type { Service } from "./service.js";
import type { Session } from "./session.js";

interface WaitingWrite {
  readonly spec: WriteCommand;
  readonly call: Call;
  readonly bytes: number;
}

export class Executor {
  readonly #service: Service;
  readonly #session: Session;
  readonly #replies: ReplyQueue;
  /** Called when there is something to send, or to resume. */
  readonly #settled: () => void;
  #readsInFlight = 0;
  #writesInFlight = 0;
  #waitingWrite: WaitingWrite | undefined;
  /** What the reads of this turn wait for. */
  #gate: Promise<unknown> | undefined;
  /** Reads that wait for the writes before them. */
  #whenWritten: (() => void)[] = [];

  constructor(service: Service, session: Session, replies: ReplyQueue, settled: () => void) {
    this.#service = service;
    this.#session = session;
    this.#replies = replies;
    this.#settled = settled;
  }

  /** A write waits for reads before it: nothing more may be taken. */
  get blocked(): boolean {
    return this.#waitingWrite !== undefined;
  }

  /** Bytes of the write that waits. */
  get waitingBytes(): number {
    return this.#waitingWrite?.bytes ?? 0;
  }

  /** Starts a command; its reply is added to the queue now or later. */
  take(args: readonly string[]): void {
    this.#service.statistics.commandsProcessed += 1;
    const call: Call = { args, protocol: this.#session.protocol, session: this.#session, service: this.#service };
    this.#session.lastAtMs = Date.now();
    try {
      const spec = this.#service.commands.find(args);
      this.#session.lastCommand = spec;
      this.#start(spec, call);
    } catch (cause) {
      // No answer, and nothing more is taken.
      if (speaksHttp(args)) this.#session.closing = true;
      else this.#replies.add(this.#failure(cause));
    }
  }

  /** Everything that had arrived has been taken: later reads look at a later state. */
  endTurn(): void {
    this.#gate = undefined;
  }

  /** Starts the write that waited, if its time has come. */
  resume(): void {
    const waiting = this.#waitingWrite;
    if (waiting === undefined || this.#readsInFlight > 0) return;
    this.#waitingWrite = undefined;
    this.#write(waiting.spec, waiting.call);
  }

  /** Drops the write that waited, which then never began. */
  abandon(): void {
    this.#waitingWrite = undefined;
  }

  #start(spec: CommandSpec, call: Call): void {
    if (spec.kind === "local" && spec.inTurn !== true) this.#replies.add(spec.handler(call));
    else if (spec.kind === "local") this.#tell(spec, call);
    else if (spec.kind === "read") this.#read(spec, call);
    else if (this.#readsInFlight > 0) this.#waitingWrite = { spec, call, bytes: bytesOf(call.args) };
    else this.#write(spec, call);
  }

  #write(spec: WriteCommand, call: Call): void {
    if (this.#refuses("write")) return;
    this.#writesInFlight += 1;
    const settle = this.#openSlot(call);
    const ended = (reply: Reply): void => {
      this.#writesInFlight -= 1;
      if (this.#writesInFlight === 0) for (const resolve of this.#whenWritten.splice(0)) resolve();
      settle(reply);
    };
    spec.handler(call).then(ended, (cause: unknown) => ended(this.#failure(cause)));
  }

  /** As a read, but of what there is: it waits for nothing but its turn. */
  #tell(spec: LocalCommand, call: Call): void {
    this.#readsInFlight += 1;
    this.#replies.add(() => this.#answer(() => spec.handler(call)));
  }

  #read(spec: ReadCommand, call: Call): void {
    if (this.#refuses("read")) return;
    this.#readsInFlight += 1;
    const answer = (): Reply => this.#answer(() => spec.handler(call, this.#service.replica.state));
    this.#gate ??= this.#openGate();
    if (this.#gate === undefined) {
      this.#replies.add(answer);
      return;
    }
    const settle = this.#openSlot(call);
    this.#gate.then(() => settle(answer), (cause: unknown) => settle(this.#readEnded(this.#failure(cause))));
  }

  #answer(make: () => Reply): Reply {
    try {
      return this.#readEnded(make());
    } catch (cause) {
      return this.#readEnded(this.#failure(cause));
    }
  }

  #readEnded(reply: Reply): Reply {
    this.#readsInFlight -= 1;
    if (this.#waitingWrite !== undefined) this.#settled();
    return reply;
  }

  /** Undefined if there is nothing to wait for. */
  #openGate(): Promise<unknown> | undefined {
    const written = this.#writesInFlight === 0 ? undefined : new Promise<void>((resolve) => this.#whenWritten.push(resolve));
    if (this.#service.reads === "sequential") return written;
    // The state grows only newer: what is applied when both have ended holds what either waited for.
    const confirmed = this.#service.replica.query.current({ consistency: "linearizable" });
    return written === undefined ? confirmed : Promise.all([confirmed, written]);
  }

  #refuses(kind: "read" | "write"): boolean {
    const refused = refusal(this.#service, kind);
    if (refused === undefined) return false;
    this.#service.statistics.errorReplies += 1;
    this.#replies.add(errorLine(refused));
    return true;
  }

  /** A place for the reply to come; what it returns puts it there. */
  #openSlot({ args }: Call): (reply: ReadyReply) => void {
    const slot = this.#replies.open(bytesOf(args));
    return (reply) => {
      slot.reply = reply;
      this.#settled();
    };
  }

  #failure(cause: unknown): Reply {
    this.#service.statistics.errorReplies += 1;
    return errorLine(errorReply(cause));
  }
}

function bytesOf(args: readonly string[]): number {
  let bytes = 0;
  for (const argument of args) bytes += argument.length;
  return bytes;
}

/**
 * A page in somebody's browser can have it send HTTP to this port, with commands as its body: the first lines give it away, as no
 * command has these names. Redis does the same (server.c: securityWarningCommand).
 */
function speaksHttp([name = ""]: readonly string[]): boolean {
  return ["post", "host:"].includes(name.toLowerCase());
}
