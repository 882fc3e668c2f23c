/** The door of `#flow/files`: flow records to and from files. */
export {
  chooseFormat, openFlowSink, openTarget, type FlowFormat, type FlowSink, type FlowSinkOptions,
} from './flow-sink.ts';
export { dropTemporaryFiles, standardOutput, type OutputTarget } from './output-target.ts';
export { readFlows, unknownFlowFile, FlowReading, type FlowReadOptions, type FlowSource } from './read-flows.ts';
export { isFilePrefix } from './file-catalog.ts';
export { type ParquetCompression } from './parquet-file.ts';
export type { FlowReadReport, RepairName } from './read-report.ts';
export { flowFileKindTexts, recogniseFlows, type FlowFileKind } from './recognise-flows.ts';
export { jsonAlwaysPresent } from './row-text.ts';
export { RotatingSink, type RotatingSinkCounts, type RotatingSinkOptions } from './rotating-sink.ts';
export { openTableSink, type TableSink, type TableValue } from './table-sink.ts';
