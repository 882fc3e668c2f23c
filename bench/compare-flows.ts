/**
 * Labelled flows for `compare-detectors.ts`: the shared captures, metered and named by ourselves, or the shared tables,
 * which another metering made and nDPI named. Of both, flows of one device to global addresses, in order of time.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { addressWords, parseAddress, parseMac } from '#base';
import { openByteSource, readCapture } from '#capture';
import {
  copyRows, createDictionaries, createFlowBatch, createPrefixNamer, isGlobalUnicast, Meter, type Dictionaries,
  type FlowBatch,
} from '#flow';
import { readFlows } from '#flow/files';

/** Flows of one unit, and what it is. */
export type UnitFlows = {
  readonly unit: string;
  readonly model: string;
  /** A computer is everyone's confuser, and no device model. */
  readonly isIot: boolean;
  /** Rows of the batch, ascending in time. */
  readonly rows: Uint32Array;
};

export type LabFlows = { readonly batch: FlowBatch; readonly units: readonly UnitFlows[] };

const nonIot = 'nonIoT';
/** The computers of the Zeek logs; all else in them are attacks from outside. */
const computers = ['147.32.81.167', '147.32.83.234', '147.32.83.165', '147.32.83.161'];

type Label = { readonly unit: string; readonly model: string };

/** Batches grow to what there is: a lab's flows are read once, and small. */
class FlowCollection {
  readonly dictionaries = createDictionaries();
  readonly #pieces: FlowBatch[] = [];
  readonly #labels: Label[] = [];

  /** Copies the rows that have a label and lead out of the home. */
  add(flows: FlowBatch, labelOf: (row: number) => Label | undefined): void {
    const piece = createFlowBatch(flows.rowCount, this.dictionaries);
    for (let row = 0; row < flows.rowCount; row++) {
      const label = labelOf(row);
      if (label === undefined || !isGlobalUnicast(flows.columns.destinationAddress, row * addressWords)) continue;
      copyRows(flows, row, row + 1, piece);
      this.#labels.push(label);
    }
    this.#pieces.push(piece);
  }

  finish(): LabFlows {
    const batch = createFlowBatch(this.#labels.length, this.dictionaries);
    for (const piece of this.#pieces) copyRows(piece, 0, piece.rowCount, batch);
    const { flowStartMilliseconds: start } = batch.columns;
    const byUnit = Map.groupBy(this.#labels.keys(), (row) => this.#labels[row]?.unit as string);
    const units = [...byUnit].map(([unit, rows]) => {
      const { model } = this.#labels[rows[0] as number] as Label;
      const inOrder = Uint32Array.from(rows).sort((a, b) => (start[a] as number) - (start[b] as number) || a - b);
      return { unit, model, isIot: !model.startsWith(nonIot), rows: inOrder };
    });
    return { batch, units };
  }
}

/** Flows of the captures in `inventory.csv`, and of computers where their Zeek logs lie beside them. */
export async function readCaptures(data: string): Promise<LabFlows> {
  const collection = new FlowCollection();
  const { dictionaries } = collection;
  let labelOf: (flows: FlowBatch, row: number) => Label | undefined;
  // One namer for all: it makes its tables when it is created.
  const namer = createPrefixNamer((flows) => collection.add(flows, (row) => labelOf(flows, row)));
  const [, ...lines] = readFileSync(join(data, 'captures/inventory.csv'), 'utf8').trim().split(/\r?\n/);
  for (const line of lines) {
    const [pattern = '', macText = '', model = ''] = line.split(',');
    const [high, low] = parseMac(macText) ?? [];
    const label = { unit: `${model} ${macText}`, model };
    labelOf = ({ columns: { sourceMacAddress: from } }, row) =>
      from[row * 2] === high && from[row * 2 + 1] === low ? label : undefined;
    for (const path of globSync(pattern, { cwd: data }).sort()) {
      await meterCapture(join(data, path), dictionaries, (flows) => namer.name(flows));
    }
  }
  const labels = new Map(computers.map((address) =>
    [parseAddress(address)?.[3], { unit: `${nonIot} ${address}`, model: nonIot }]));
  labelOf = ({ columns: { sourceAddress } }, row) => labels.get(sourceAddress[row * addressWords + 3]);
  for (const path of globSync('hosts/*conn.log.labeled', { cwd: data }).sort()) {
    const source = await openByteSource(join(data, path));
    for await (const flows of readFlows(source, 'zeek', { dictionaries }).batches()) namer.name(flows);
    await source.close();
  }
  return collection.finish();
}

async function meterCapture(
  path: string, dictionaries: Dictionaries, emit: (flows: FlowBatch) => void,
): Promise<void> {
  const source = await openByteSource(path);
  const meter = new Meter({}, emit, { dictionaries });
  for await (const packets of readCapture(source, { allocate: meter.allocateWindow }).batches()) meter.add(packets);
  meter.end();
  await source.close();
}

const tableNames = ['fit', 'ssi', 'blinkhub', 'nku', 'sentinel', 'strato'];
const tableColumns = {
  flowStartMilliseconds: 'start_ms', flowEndMilliseconds: 'end_ms', initiatorOctets: 'in_bytes',
  responderOctets: 'out_bytes', initiatorPackets: 'in_pkts', responderPackets: 'out_pkts', ipClassOfService: 'src_tos',
  reverseIpClassOfService: 'dst_tos', protocolIdentifier: 'protocol', destinationTransportPort: 'l4_dst_port',
  tcpControlBits: 'flags_fwd', reverseTcpControlBits: 'flags_rev',
} as const;

/** Flows of the shared tables. */
export function readTables(folder: string): LabFlows {
  const collection = new FlowCollection();
  for (const name of tableNames) {
    const path = join(folder, `${name}.csv.gz`);
    const [header = '', ...lines] = gunzipSync(readFileSync(path)).toString().trim().split(/\r?\n/);
    const names = header.split(',');
    // Only the last column, which is not read, may hold a comma.
    const table = lines.map((line) => line.split(','));
    const read = (column: string): string[] => table.map((cells) => cells[names.indexOf(column)] as string);
    const flows = createFlowBatch(lines.length, collection.dictionaries);
    flows.rowCount = lines.length;
    for (const [column, from] of Object.entries(tableColumns)) {
      flows.columns[column as keyof typeof tableColumns].set(read(from).map(Number));
    }
    read('dst_ip').forEach((text, row) => {
      flows.columns.destinationAddress.set(parseAddress(text) ?? [], row * addressWords);
    });
    flows.columns.applicationName.set(read('l7').map((text) => flows.dictionaries.applicationName.encode(text)));
    const [units, models] = [read('unit'), read('model')];
    collection.add(flows, (row) => ({ unit: `${models[row]} ${units[row]}`, model: models[row] as string }));
  }
  return collection.finish();
}
