/** The door of `2-flow`. */
export * from './schema.ts';
export * from './dictionary.ts';
export * from './flow-batch.ts';
export * from './l7/namer.ts';
export * from './meter/header-slab.ts';
export * from './meter/meter.ts';
export * from './l7/dns-queries.ts';
export { createExporterNamer } from './l7/exporter-namer.ts';
export { createNoneNamer } from './l7/none-namer.ts';
export { createPrefixNamer } from './l7/prefix-namer.ts';
