/** The namer that names nothing (`--l7 none`): every flow leaves with an empty name. Looks at no packet. */
import type { EmitFlows, Namer } from './namer.ts';

/**
 * A namer that empties the names and emits each batch at once. Counts: `unnamed`, all rows.
 *
 * @param emit  is given the very batch that `name` was given
 */
export function createNoneNamer(emit: EmitFlows): Namer {
  let unnamedCount = 0;
  return {
    source: 'none',
    version: '',
    observe() {},
    name(flows) {
      unnamedCount += flows.rowCount;
      flows.columns.applicationName.fill(0, 0, flows.rowCount);
      const source = flows.dictionaries.applicationNameSource.encode('none');
      flows.columns.applicationNameSource.fill(source, 0, flows.rowCount);
      emit(flows);
    },
    whenReady: () => undefined,
    end: async () => {},
    counts: () => ({ named: 0, unnamed: unnamedCount }),
  };
}
