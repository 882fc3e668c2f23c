/**
 * The default namer: `service` or `service.owner` from protocol, ports and the owner of the global address. Keeps the
 * promise "no payload" literally: it never looks at a packet, only at finished flow records.
 */
import type { FlowBatch, Dictionaries } from '../flow-batch.ts';
import type { EmitFlows, Namer } from './namer.ts';
import { fingerprint32, formatFingerprint } from './owner-fingerprint.ts';
import { loadOwnerTable } from './owner-table-file.ts';
import { findOutside, findOwner, outsideNone, outsideResponder, type OwnerTable } from './owner-table.ts';
import { createServiceTable, findService, type ServiceTable } from './service-table.ts';

export type PrefixNamerOptions = {
  /** Default: the shipped table, read once. */
  readonly owners?: OwnerTable;
  readonly services?: ServiceTable;
};

/**
 * A namer that names each batch in place and emits it at once.
 *
 * Counts: `named`; `namedUnknown`: rows whose name is `Unknown`, for neither port nor owner is in a table.
 *
 * @param emit  is given the very batch that `name` was given
 * @throws EnvironmentError  the owner table cannot be read
 */
export function createPrefixNamer(emit: EmitFlows, options: PrefixNamerOptions = {}): Namer {
  const services = options.services ?? createServiceTable();
  const owners = options.owners ?? loadOwnerTable();
  const codes = new NameCodes(services.names, owners.names);
  let namedCount = 0;
  let unknownCount = 0;
  return {
    source: 'prefix',
    version: `services ${describeServices(services)}, owners ${owners.version}`,
    observe() {},
    name(flows) {
      const unknown = nameRows(flows, services, owners, codes.of(flows.dictionaries));
      unknownCount += unknown;
      namedCount += flows.rowCount - unknown;
      const source = flows.dictionaries.applicationNameSource.encode('prefix');
      flows.columns.applicationNameSource.fill(source, 0, flows.rowCount);
      emit(flows);
    },
    whenReady: () => undefined,
    end: async () => {},
    counts: () => ({ named: namedCount, namedUnknown: unknownCount }),
  };
}

/** Fingerprint of everything that decides a service's name. */
function describeServices(services: ServiceTable): string {
  const names = new TextEncoder().encode(services.names.join('\n'));
  const parts = [names, services.tcp, services.udp, services.protocols, services.local];
  return formatFingerprint(fingerprint32(Buffer.concat(parts)));
}

/** Names rows by numbers; a text is made when a pair is seen for the first time. @returns rows named `Unknown` */
function nameRows(flows: FlowBatch, services: ServiceTable, owners: OwnerTable, codes: NameCodes): number {
  const { protocolIdentifier, sourceTransportPort, destinationTransportPort } = flows.columns;
  const { sourceAddress, destinationAddress, applicationName } = flows.columns;
  let unknownCount = 0;
  for (let row = 0; row < flows.rowCount; row++) {
    const outside = findOutside(sourceAddress, destinationAddress, row * 4);
    const service = findService(services, protocolIdentifier[row] as number, destinationTransportPort[row] as number,
      sourceTransportPort[row] as number, outside !== outsideNone);
    const owner = outside === outsideNone ? 0 :
      findOwner(owners, outside === outsideResponder ? destinationAddress : sourceAddress, row * 4);
    if (service === 0 && owner === 0) unknownCount++;
    applicationName[row] = codes.find(service, owner);
  }
  return unknownCount;
}

/** Dictionary codes of (service, owner) pairs. Holds at most one number for each pair of table entries. */
class NameCodes {
  readonly #services: readonly string[];
  readonly #owners: readonly string[];
  /** [services × owners] dictionary code, 0 not yet known: no name is the empty text, whose code 0 is. */
  readonly #codes: Uint32Array;
  #dictionary: Dictionaries['applicationName'] | undefined;

  constructor(services: readonly string[], owners: readonly string[]) {
    this.#services = services;
    this.#owners = owners;
    this.#codes = new Uint32Array(services.length * owners.length);
  }

  /** This, for batches of the given dictionaries; codes are forgotten when those change. */
  of(dictionaries: Dictionaries): this {
    if (this.#dictionary !== dictionaries.applicationName) this.#codes.fill(0);
    this.#dictionary = dictionaries.applicationName;
    return this;
  }

  find(service: number, owner: number): number {
    return (this.#codes[service * this.#owners.length + owner] as number) || this.#enter(service, owner);
  }

  #enter(service: number, owner: number): number {
    const ending = owner === 0 ? '' : `.${this.#owners[owner]}`;
    const code = this.#dictionary?.encode(`${this.#services[service]}${ending}`) ?? 0;
    this.#codes[service * this.#owners.length + owner] = code;
    return code;
  }
}
