/**
 * The namer that keeps the name which the exporter sent (`--l7 exporter`): nProbe's L7_PROTO_NAME, Cisco's
 * applicationName. Old spellings become today's; nothing else is changed, and no packet is looked at.
 */
import type { Dictionary } from '../dictionary.ts';
import type { EmitFlows, Namer } from './namer.ts';

/** Old spellings of nDPI services: the first part of a name. nDPI before 3.2 said SSL for TLS. */
const aliases: ReadonlyMap<string, string> = new Map([['SSL', 'TLS'], ['SSL_No_Cert', 'TLS']]);

/** Today's spelling of an exporter's name: `SSL.Amazon` → `TLS.Amazon`. */
export function canonicalizeName(name: string): string {
  const dot = name.indexOf('.');
  const service = dot < 0 ? name : name.slice(0, dot);
  const alias = aliases.get(service);
  return alias === undefined ? name : alias + name.slice(service.length);
}

/**
 * A namer that spells names as today and emits each batch at once. Counts: `named`; `unnamed`: rows without a name, as
 * all are that natlens metered itself.
 *
 * @param emit  is given the very batch that `name` was given
 */
export function createExporterNamer(emit: EmitFlows): Namer {
  let namedCount = 0;
  let unnamedCount = 0;
  let dictionary: Dictionary | undefined;
  /** Code of the spelling of today, by the code of a name; both are bounded by the dictionary. */
  let today: number[] = [0];
  return {
    source: 'exporter',
    version: '',
    observe() {},
    name(flows) {
      const names = flows.columns.applicationName;
      if (dictionary !== flows.dictionaries.applicationName) today = [0];
      dictionary = flows.dictionaries.applicationName;
      for (let row = 0; row < flows.rowCount; row++) {
        const code = names[row] as number;
        if (code === 0) {
          unnamedCount++;
          continue;
        }
        namedCount++;
        names[row] = today[code] ??= dictionary.encode(canonicalizeName(dictionary.decode(code)));
      }
      const source = flows.dictionaries.applicationNameSource.encode('exporter');
      const sources = flows.columns.applicationNameSource;
      // A record that says who named it (one of our own files) goes on saying so.
      for (let row = 0; row < flows.rowCount; row++) if (sources[row] === 0) sources[row] = source;
      emit(flows);
    },
    whenReady: () => undefined,
    end: async () => {},
    counts: () => ({ named: namedCount, unnamed: unnamedCount }),
  };
}
