/**
 * Labels flow records that were seen outside a NAT, where the router's address is the source of all of them, with the
 * device of their twins inside (Meidan et al. 2019, §6). What is ambiguous or has no twin is counted and left out.
 */
import {
  Counts, formatAddress, formatMac, isMapped, OperatorError, protocolIcmp, protocolTcp, protocolUdp, type AddressWords,
} from '#base';
import { copyRows, createFlowBatch, type FlowBatch } from '#flow';
import { LabelAccount, noteLeftOut } from './label-account.ts';
import { TwinMatcher, type TwinMatcherOptions } from './twin-matcher.ts';
import type { InsideSighting, Sighting, TwinReceiver } from './twins.ts';

export type FlowLabelOptions = {
  /** Address of the router outside; absent: the source of most flows. */
  readonly router?: AddressWords | undefined;
  readonly matcher?: Partial<TwinMatcherOptions>;
  /** Names devices that carry no labels of their own. */
  readonly nameDevice?: NameDevice | undefined;
};

/** Who a MAC or an address is; undefined when neither is known. */
export type NameDevice = (mac: string, address: string) =>
  { readonly device: string; readonly deviceModel: string } | undefined;

/** Initiator packets and octets, then the responder's. */
type Counters = readonly [number, number, number, number];
type OutsideFlow = Sighting & { readonly batch: FlowBatch; readonly rowIndex: number; readonly counters: Counters;
  readonly protocol: number };
type InsideFlow = InsideSighting & { readonly deviceModel: string; readonly counters: Counters };
type Labelled = { readonly flow: OutsideFlow; readonly twin: InsideFlow };

/** Share of the outside flows that must have one source for it to be the router's. */
const routerShareMin = 0.5;
/** Losses that still leave a flow recognisable. */
const lostPacketsMax = 2;
const lostShareMax = 0.05;

export class FlowLabeller {
  readonly account = new LabelAccount();
  readonly #matcher: TwinMatcher<OutsideFlow, InsideFlow>;
  readonly #nameDevice: NameDevice | undefined;
  #router: AddressWords | undefined;
  #labelled: Labelled[] = [];

  constructor(options: FlowLabelOptions = {}) {
    this.#router = options.router;
    this.#nameDevice = options.nameDevice;
    const { account } = this;
    const receiver: TwinReceiver<OutsideFlow, InsideFlow> = {
      label: (flow, twin, evidence) => {
        account.labelled++;
        account.twins++;
        account.evidence.add(evidence);
        account.devices.add(twin.device);
        this.#labelled.push({ flow, twin });
      },
      leaveOut: (_, reason) => noteLeftOut(account, reason),
      leaveInside: () => {
        account.insideWithoutTwin++;
      },
      isNear: isNearFlow,
    };
    this.#matcher = new TwinMatcher(receiver, options.matcher);
  }

  /**
   * The labelled outside flows, roughly in the order of time.
   *
   * @param outside, inside  batches of both taps, each valid until the next; the columns of ports, counters and times
   *                         must be filled
   * @returns  batches that are the caller's to keep
   * @throws OperatorError  no address is the source of most outside flows, and none was given
   */
  async *label(outside: AsyncIterable<FlowBatch>, inside: AsyncIterable<FlowBatch>): AsyncGenerator<FlowBatch> {
    const sides = { outside: outside[Symbol.asyncIterator](), inside: inside[Symbol.asyncIterator]() };
    const isOpen = { outside: true, inside: true };
    try {
      while (isOpen.outside || isOpen.inside) {
        const side = isOpen.outside && (this.#matcher.wantsOutside || !isOpen.inside) ? 'outside' : 'inside';
        const next = await sides[side].next();
        if (next.done === true) isOpen[side] = false;
        else if (side === 'outside') this.#addOutside(next.value);
        else this.#addInside(next.value);
        yield* this.#takeLabelled();
      }
    } finally {
      await sides.outside.return?.();
      await sides.inside.return?.();
    }
    this.#matcher.end();
    yield* this.#takeLabelled();
    this.account.close(this.#matcher, this.#router);
  }

  #addOutside(given: FlowBatch): void {
    const { account } = this;
    account.outside += given.rowCount;
    const router = this.#router ??= findRouter(given);
    // The rows wait here for their twins, long after the batch is filled again.
    const batch = createFlowBatch(Math.max(given.rowCount, 1), given.dictionaries);
    copyRows(given, 0, given.rowCount, batch);
    const { sourceAddress, protocolIdentifier } = batch.columns;
    for (let rowIndex = 0; rowIndex < batch.rowCount; rowIndex++) {
      if (router.some((word, i) => sourceAddress[rowIndex * 4 + i] !== word)) account.notFromRouter++;
      else {
        this.#matcher.addOutside({ ...readSighting(batch, rowIndex), batch, rowIndex,
          counters: readCounters(batch, rowIndex), protocol: protocolIdentifier[rowIndex] as number });
      }
    }
  }

  #addInside(batch: FlowBatch): void {
    const { columns, dictionaries } = batch;
    this.account.inside += batch.rowCount;
    for (let rowIndex = 0; rowIndex < batch.rowCount; rowIndex++) {
      const mac = formatMac(columns.sourceMacAddress, rowIndex * 2);
      const address = formatAddress(columns.sourceAddress, rowIndex * 4);
      const known = this.#nameDevice?.(mac, address);
      const device = known?.device ?? (dictionaries.device.decode(columns.device[rowIndex] as number) ||
        (mac === '00:00:00:00:00:00' ? address : mac));
      const deviceModel = known?.deviceModel ??
        dictionaries.device_model.decode(columns.device_model[rowIndex] as number);
      this.#matcher.addInside({ ...readSighting(batch, rowIndex), device, deviceModel,
        counters: readCounters(batch, rowIndex) });
    }
  }

  *#takeLabelled(): Generator<FlowBatch> {
    if (this.#labelled.length === 0) return;
    const labelled = this.#labelled.sort((a, b) => a.flow.timeMs - b.flow.timeMs);
    this.#labelled = [];
    const [{ flow: { batch: { dictionaries } } }] = labelled as [Labelled];
    const out = createFlowBatch(labelled.length, dictionaries);
    for (const { flow, twin } of labelled) {
      copyRows(flow.batch, flow.rowIndex, flow.rowIndex + 1, out);
      out.columns.device[out.rowCount - 1] = dictionaries.device.encode(twin.device);
      out.columns.device_model[out.rowCount - 1] = dictionaries.device_model.encode(twin.deviceModel);
    }
    yield out;
  }
}

/** The source of most flows of a batch. */
function findRouter({ columns, rowCount }: FlowBatch): AddressWords {
  const sources = new Counts();
  let [most, mostCount] = [0, 0];
  for (let rowIndex = 0; rowIndex < rowCount; rowIndex++) {
    if (!isMapped(columns.sourceAddress, rowIndex * 4)) continue;
    const word = columns.sourceAddress[rowIndex * 4 + 3] as number;
    sources.add(String(word));
    const count = sources.get(String(word));
    if (count > mostCount) [most, mostCount] = [word, count];
  }
  if (mostCount > 0 && mostCount >= routerShareMin * sources.total()) return [0, 0, 0xffff, most];
  throw new OperatorError('bad-option',
    'No address is the source of most flows outside: name the address of the router with --router.');
}

function readSighting({ columns }: FlowBatch, rowIndex: number): Sighting {
  const { destinationAddress, protocolIdentifier, destinationTransportPort, sourceTransportPort } = columns;
  const protocol = protocolIdentifier[rowIndex] as number;
  const at = rowIndex * 4;
  const isIcmp = protocol === protocolIcmp;
  const peer = isMapped(destinationAddress, at) ? `${destinationAddress[at + 3]}`
    : destinationAddress.subarray(at, at + 4).join('-');
  const port = isIcmp ? columns.icmpTypeCodeIPv4[rowIndex] : destinationTransportPort[rowIndex];
  return {
    timeMs: columns.flowStartMilliseconds[rowIndex] as number,
    endMs: columns.flowEndMilliseconds[rowIndex] as number,
    key: `${peer} ${port} ${protocol}`,
    signature: `${readCounters({ columns }, rowIndex).join(' ')} ${columns.tcpControlBits[rowIndex]} ` +
      `${columns.reverseTcpControlBits[rowIndex]}`,
    port: protocol === protocolTcp || protocol === protocolUdp ? sourceTransportPort[rowIndex] as number : -1,
  };
}

function readCounters({ columns }: Pick<FlowBatch, 'columns'>, rowIndex: number): Counters {
  return [columns.initiatorPackets[rowIndex] as number, columns.initiatorOctets[rowIndex] as number,
    columns.responderPackets[rowIndex] as number, columns.responderOctets[rowIndex] as number];
}

/**
 * Losses are on the way: outside there are as many packets of the home as inside or fewer, and of the peer as many or
 * more. Echo flows are left out: outside, those of two devices to one peer are one flow (RFC 5508 tells them apart by
 * an identifier that flow records do not have).
 */
function isNearFlow(outside: OutsideFlow, inside: InsideFlow): boolean {
  if (outside.protocol !== protocolTcp && outside.protocol !== protocolUdp) return false;
  const [sent, sentOctets, received, receivedOctets] = outside.counters;
  const [insideSent, insideSentOctets, insideReceived, insideReceivedOctets] = inside.counters;
  const isFew = (more: number, fewer: number): boolean =>
    more >= fewer && more - fewer <= Math.max(lostPacketsMax, lostShareMax * more) && fewer > 0 === more > 0;
  return isFew(insideSent, sent) && insideSentOctets >= sentOctets && isFew(received, insideReceived) &&
    receivedOctets >= insideReceivedOctets;
}
