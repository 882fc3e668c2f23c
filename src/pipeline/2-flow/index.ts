/** The door of `2-flow`. */
export * from './schema.ts';
export * from './dictionary.ts';
export * from './flow-batch.ts';
export * from './batch-splitter.ts';
export * from './l7/namer.ts';
export { flowPorts } from './meter/flow-key.ts';
export * from './meter/header-slab.ts';
export * from './meter/meter.ts';
export { copyPacket, PacketSampler, samplingWays, type Sampling, type SamplingWay } from './meter/packet-sampler.ts';
export { isGlobalUnicast, isPrivate } from './meter/initiator.ts';
export * from './l7/dns-queries.ts';
export { createExporterNamer } from './l7/exporter-namer.ts';
export { createNoneNamer } from './l7/none-namer.ts';
export { createPrefixNamer } from './l7/prefix-namer.ts';
export {
  describeLosses, encoderDefaults, FlowEncoder, makeAnnouncement, type EncoderCounts, type FlowEncoderOptions,
} from './encode/flow-encoder.ts';
export { ExportDecoder } from './decode/export-decoder.ts';
export { findElement, listElements } from './decode/element-table.ts';
export { listRecords, type ListedField, type ListedRecord } from './decode/list-records.ts';
export { quirks } from './decode/quirks.ts';
export {
  exportDecoderDefaults, exportProblemCodes, type DomainAccount, type DomainCounts, type DomainUnit,
  type ExportCounts, type ExportDecoderOptions, type ExportProblemCode, type WaitingTemplate,
} from './decode/export-types.ts';
export {
  FlowPairer, flowPairerDefaults, type FlowPairerCounts, type FlowPairerOptions,
} from './pair/flow-pairer.ts';
