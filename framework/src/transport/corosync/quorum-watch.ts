/**
 * Tells quorum: libquorum's news of each ring, with votequorum's votes at that time. It decides nothing, and orders nothing against
 * the group's messages: the ring id says what a notification is about.
 */
import { Quorum, Votequorum, type CorosyncError } from "@lockstep/corosync";
import type { RingId, VoteInfo } from "../group-transport.js";
import type { CompleteOptions } from "./options.js";
import { VoteReader } from "./vote-reader.js";

export interface QuorumNews {
  /** Without votes: they could not be read yet, and are told as soon as they are. */
  changed(quorate: boolean, ring: RingId, votes: VoteInfo | undefined): void;
  ended(error: CorosyncError): void;
}

export class QuorumWatch {
  readonly #news: QuorumNews;
  readonly #options: CompleteOptions;
  #quorum: Quorum | undefined;
  #votequorum: Votequorum | undefined;
  /** Counts notifications: votes that a later one has overtaken are not told. */
  #latest = 0;
  /** The ring of the last notification that there is no quorum, until it is told. */
  #lostIn: RingId | undefined;
  #closed = false;

  /** Connects, without telling anything yet. @param signal Ends that. @throws CorosyncError */
  static async open(options: CompleteOptions, signal: AbortSignal, news: QuorumNews): Promise<QuorumWatch> {
    const watch = new QuorumWatch(options, news);
    try {
      await watch.#connect(signal);
    } catch (error) {
      await watch.close();
      throw error;
    }
    return watch;
  }

  private constructor(options: CompleteOptions, news: QuorumNews) {
    this.#options = options;
    this.#news = news;
  }

  /** From now on the news come, beginning with the present state. Nothing if Corosync is configured without quorum. */
  async start(): Promise<void> {
    if (this.#quorum?.provided === true) await this.#quorum.trackStart();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#quorum?.close(), this.#votequorum?.close()]);
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const bounds = { tryAgainMs: this.#options.patienceMs, closeMs: this.#options.farewellMs, signal };
    this.#quorum = await Quorum.open({
      ...bounds,
      listener: {
        quorumChanged: (quorate, ring, nodes) => void this.#tell(quorate, ring, nodes),
        ended: (error) => this.#news.ended(error),
      },
    });
    if (this.#quorum.provided) this.#votequorum = await Votequorum.open(bounds);
  }

  async #tell(quorate: boolean, ring: RingId, nodes: readonly number[]): Promise<void> {
    const votequorum = this.#votequorum;
    if (votequorum === undefined) return;
    this.#latest += 1;
    const mine = this.#latest;
    const wanted = (): boolean => mine === this.#latest && !this.#closed;
    if (!quorate) this.#lostIn = ring;
    // Votes of this ring that were told before count no more, whatever they are now.
    const votes = await new VoteReader(votequorum).read(nodes, wanted, () => this.#changed(quorate, ring, undefined));
    if (votes !== undefined) this.#changed(quorate, ring, votes);
  }

  /** That quorum was lost is told even if it was back before its votes were read: others may have gone on meanwhile. */
  #changed(quorate: boolean, ring: RingId, votes: VoteInfo | undefined): void {
    const lostIn = this.#lostIn;
    this.#lostIn = undefined;
    if (lostIn !== undefined && quorate) this.#news.changed(false, lostIn, undefined);
    this.#news.changed(quorate, ring, votes);
  }
}
