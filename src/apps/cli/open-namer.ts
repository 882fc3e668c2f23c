/** Opens the namer that `--l7` asks for. What nDPI needs is loaded only when it is asked for. */
import {
  createExporterNamer, createNoneNamer, createPrefixNamer, type EmitFlows, type L7Source, type Namer,
} from '#flow';

/**
 * @param ndpi  of nDPI's namer: `holdMsMax` makes it one for live flows
 * @throws EnvironmentError  libndpi is absent
 */
export async function openNamer(
  source: L7Source, emit: EmitFlows, ndpi: { readonly holdMsMax?: number; readonly fruitlessStartsMax?: number } = {},
): Promise<Namer> {
  if (source === 'prefix') return createPrefixNamer(emit);
  if (source === 'exporter') return createExporterNamer(emit);
  if (source === 'none') return createNoneNamer(emit);
  const { createNdpiNamer } = await import('#flow/ndpi');
  return await createNdpiNamer(ndpi, emit);
}
