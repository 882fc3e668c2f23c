/**
 * One TCP dialog (RFC 9293) as it is seen at the home's gateway: handshake, segments with right sequence and
 * acknowledgment numbers, now and then a retransmission, and an end by FIN or RST.
 */
import { assertInvariant, tcpAck, tcpFin, tcpPsh, tcpRst, tcpSyn } from '#base';
import { pathOf, seconds, send, type DeviceWorld } from './device-world.ts';
import { buildTcp } from './packet-builder.ts';
import type { Host } from './servers.ts';
import type { Process } from './world-clock.ts';

export type TcpDialogOptions = {
  readonly isV6: boolean;
  /** Share of data segments that are sent twice. */
  readonly retransmitShare: number;
};

type End = {
  readonly host: Host;
  readonly port: number;
  readonly isDevice: boolean;
  /** Next sequence number to send. */
  sequence: number;
  /** Next sequence number expected of the other end. */
  expected: number;
  readonly timestampBase: number;
  lastTimestamp: number;
};

/** Segments that go out before an acknowledgment is waited for. */
const burstSegments = 10;
const retransmitAfterMicroseconds = 220_000;
const noBytes = new Uint8Array(0);
const zeroByte = new Uint8Array(1);

/** A dialog that the device opens; its methods are processes that end when that part of the dialog is over. */
export class TcpDialog {
  readonly #world: DeviceWorld;
  readonly #options: TcpDialogOptions;
  readonly #initiator: End;
  readonly #responder: End;
  readonly #hasTimestamps: boolean;

  constructor(world: DeviceWorld, server: Host, port: number, options: TcpDialogOptions) {
    const { random, device } = world;
    this.#world = world;
    this.#options = options;
    const newEnd = (host: Host, endPort: number): End => ({
      host, port: endPort, isDevice: host === device, sequence: random.uint32(), expected: 0,
      timestampBase: random.uint32(), lastTimestamp: 0,
    });
    this.#initiator = newEnd(device, device.stack.takePort());
    this.#responder = newEnd(server, port);
    this.#hasTimestamps = device.stack.traits.hasTcpTimestamps && server.stack.traits.hasTcpTimestamps;
    world.truth.tcpDialogs++;
  }

  /** The handshake, RFC 9293 §3.5. */
  *open(): Process {
    this.#emit(this.#initiator, tcpSyn, noBytes);
    yield this.#roundTrip();
    this.#emit(this.#responder, tcpSyn | tcpAck, noBytes);
    yield this.#deviceTurn();
    this.#emit(this.#initiator, tcpAck, noBytes);
  }

  /** Asks a closed port: the answer is a reset. The dialog is over then. */
  *openRefused(): Process {
    this.#emit(this.#initiator, tcpSyn, noBytes);
    yield this.#roundTrip();
    this.#responder.sequence = 0;
    this.#emit(this.#responder, tcpRst | tcpAck, noBytes);
  }

  /** Asks a host that never answers: SYN again and again (RFC 6298 §5.5). The dialog is over then. */
  *openUnanswered(tries: number): Process {
    const { sequence } = this.#initiator;
    for (let i = 0; i < tries; i++) {
      this.#initiator.sequence = sequence;
      this.#emit(this.#initiator, tcpSyn, noBytes);
      if (i > 0) this.#world.truth.retransmissions++;
      yield seconds(2 ** i);
    }
  }

  /** Data from the device, with the server's acknowledgments. @param bytes  read only, kept until the end */
  *request(bytes: Uint8Array): Process {
    yield* this.#transfer(this.#initiator, this.#responder, bytes);
  }

  /** Data from the server, with the device's acknowledgments. @param bytes  read only, kept until the end */
  *response(bytes: Uint8Array): Process {
    yield* this.#transfer(this.#responder, this.#initiator, bytes);
  }

  /** A keep-alive probe from the device and its answer (RFC 9293 §3.8.4). */
  *keepAlive(): Process {
    this.#initiator.sequence = (this.#initiator.sequence - 1) >>> 0;
    this.#emit(this.#initiator, tcpAck, zeroByte);
    yield this.#roundTrip();
    this.#emit(this.#responder, tcpAck, noBytes);
  }

  /** An end by FIN from both sides, the device first (RFC 9293 §3.6). */
  *close(): Process {
    this.#emit(this.#initiator, tcpFin | tcpAck, noBytes);
    yield this.#roundTrip();
    this.#emit(this.#responder, tcpFin | tcpAck, noBytes);
    yield this.#deviceTurn();
    this.#emit(this.#initiator, tcpAck, noBytes);
  }

  /** An end by reset. */
  *reset(isByDevice: boolean): Process {
    yield this.#deviceTurn();
    this.#emit(isByDevice ? this.#initiator : this.#responder, tcpRst | tcpAck, noBytes);
  }

  *#transfer(from: End, to: End, bytes: Uint8Array): Process {
    const { random } = this.#world;
    const overheadBytes = this.#hasTimestamps ? 12 : 0;
    const segmentBytes = from.host.stack.segmentBytesMax(this.#options.isV6) - overheadBytes;
    for (let at = 0, count = 1; at < bytes.length; at += segmentBytes, count++) {
      const isLast = at + segmentBytes >= bytes.length;
      const payload = bytes.subarray(at, at + segmentBytes);
      const before = from.sequence;
      this.#emit(from, isLast ? tcpPsh | tcpAck : tcpAck, payload);
      if (random.chance(this.#options.retransmitShare)) {
        yield retransmitAfterMicroseconds + random.integer(0, 50_000);
        from.sequence = before;
        this.#emit(from, tcpPsh | tcpAck, payload);
        this.#world.truth.retransmissions++;
      }
      const isBurstOver = isLast || count % burstSegments === 0;
      if (from.isDevice) {
        yield isBurstOver ? this.#roundTrip() : this.#gap();
        if (isBurstOver) this.#emit(to, tcpAck, noBytes);
      } else {
        yield this.#deviceTurn();
        if (isBurstOver || count % 2 === 0) this.#emit(to, tcpAck, noBytes);
        yield isBurstOver ? this.#roundTrip() : this.#gap();
      }
    }
  }

  #emit(from: End, flags: number, payload: Uint8Array): void {
    const world = this.#world;
    const isSyn = (flags & tcpSyn) !== 0;
    const to = from === this.#initiator ? this.#responder : this.#initiator;
    const path = pathOf(world, from.host, to.host, this.#options.isV6);
    const options = isSyn ? this.#synOptions(from, to) : this.#hasTimestamps
      ? this.#timestampOption(from, to) : noBytes;
    const hasAck = (flags & tcpAck) !== 0;
    const frame = buildTcp(path, {
      ports: { source: from.port, destination: to.port },
      sequence: from.sequence,
      acknowledgment: hasAck ? from.expected : 0,
      flags,
      window: (flags & tcpRst) !== 0 ? 0 : from.host.stack.traits.windowBytes,
      options,
    }, payload);
    const isTwice = (flags & (tcpSyn | tcpFin)) !== 0 ? 1 : 0;
    from.sequence = (from.sequence + payload.length + isTwice) >>> 0;
    to.expected = from.sequence;
    send(world, frame, from.isDevice);
  }

  /** Maximum segment size, SACK permitted, window scale (RFC 9293 §3.2, RFC 2018, RFC 7323). */
  #synOptions(from: End, to: End): Uint8Array {
    const segmentBytes = from.host.stack.segmentBytesMax(this.#options.isV6);
    const timestamp = this.#hasTimestamps ? this.#timestampOption(from, to).subarray(2) : Uint8Array.of(1, 1);
    const options = [2, 4, segmentBytes >> 8, segmentBytes & 255, 4, 2, ...timestamp, 1, 3, 3, 7];
    assertInvariant(options.length % 4 === 0, 'TCP options are whole words');
    return Uint8Array.from(options);
  }

  /** Two NOPs and the timestamps (RFC 7323 §3.2), a clock of milliseconds with its own beginning. */
  #timestampOption(from: End, to: End): Uint8Array {
    from.lastTimestamp = (from.timestampBase + Math.floor(this.#world.clock.nowMicroseconds / 1000)) >>> 0;
    const own = from.lastTimestamp;
    const echo = to.lastTimestamp;
    return Uint8Array.of(1, 1, 8, 10, own >>> 24, own >>> 16, own >>> 8, own, echo >>> 24, echo >>> 16, echo >>> 8,
      echo);
  }

  #roundTrip(): number {
    return this.#responder.host.roundTripMicroseconds + this.#world.random.integer(0, 4_000);
  }

  #deviceTurn(): number {
    return this.#world.random.integer(80, 900);
  }

  #gap(): number {
    return this.#world.random.integer(60, 400);
  }
}
