/**
 * Export datagrams off the network, as many as one core can take: by recvmmsg on a thread of its own where the C
 * library can be called (`native-datagrams.ts`), else by Node's sockets (`plain-datagrams.ts`). It judges nothing: who
 * may send, and how much, is the reader's business. Whatever is lost on this host is counted.
 */
import { assertInvariant, EnvironmentError, type AddressWords } from '#base';
import { NativeDatagrams } from './native-datagrams.ts';
import { PlainDatagrams } from './plain-datagrams.ts';
import type {
  DatagramReceiverOptions, DatagramReceiverParts, DatagramSource, ReceiverCounts, ReceiverSocket,
} from './received-datagram.ts';

export class DatagramReceiver {
  /** Why it is not recvmmsg although that was asked for: a sentence; else undefined. */
  readonly fallBackReason: string | undefined;
  readonly #source: DatagramSource;
  #isStarted = false;

  /** Opens nothing yet. */
  constructor(options: DatagramReceiverOptions, parts: DatagramReceiverParts) {
    const listen = options.listen.filter(({ transport }) => transport === 'udp');
    const wanted = { ...options, listen };
    if (options.native) {
      try {
        this.#source = new NativeDatagrams(wanted, parts);
        return;
      } catch (thrown) {
        if (!(thrown instanceof EnvironmentError) || thrown.code !== 'no-native-calls') throw thrown;
        this.fallBackReason = thrown.message;
      }
    }
    this.#source = new PlainDatagrams(wanted, parts);
  }

  get kind(): ReceiverCounts['kind'] {
    return this.#source.kind;
  }

  /**
   * Opens a socket at every address, at all or at none.
   *
   * @throws EnvironmentError  `network`: a port is in use or not permitted, an address is not this machine's
   */
  async start(): Promise<void> {
    assertInvariant(!this.#isStarted, 'the receiver was started twice');
    this.#isStarted = true;
    await this.#source.start();
  }

  /** Hands on what the kernel and the ring still hold, also when paused; then closes. Counts stay. */
  stop(): Promise<void> {
    return this.#source.stop();
  }

  /**
   * Hands on nothing until `resume`: the ring fills, then the kernel's buffers, then datagrams are lost and counted.
   */
  pause(): void {
    this.#source.pause();
  }

  resume(): void {
    this.#source.resume();
  }

  /** Where it listens now, in the order of the options. */
  sockets(): readonly ReceiverSocket[] {
    return this.#source.sockets();
  }

  counts(): Promise<ReceiverCounts> {
    return this.#source.counts();
  }

  /** Datagrams of an address that were dropped because the ring was full. Addresses that were not kept apart share. */
  ringDropsOf(address: AddressWords): number {
    return this.#source.ringDropsOf(address);
  }
}
