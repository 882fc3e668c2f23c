/** The door of `lab`. */
export * from './evaluate/results.ts';
export * from './dataset/manifest.ts';
export { readDataset, type Dataset } from './dataset/read-dataset.ts';
export { loadTraces, type Traces } from './dataset/read-traces.ts';
export type { TraceCounts } from './dataset/trace-collection.ts';
export { buildDataset, type BuildOptions, type BuildProgress } from './dataset/build-dataset.ts';
export { dropTemporaryFolders } from './dataset/dataset-folder.ts';
export { checkCatalog, checkPartitions, DuplicateCheck } from './dataset/leak-checks.ts';
export { readInventory, type Inventory, type InventoryDevice } from './inventory/inventory.ts';
export type { DeviceKind } from './inventory/inventory-table.ts';
export {
  runExperiment, type Experiment, type ExperimentOptions, type ExperimentProgress,
} from './evaluate/experiment.ts';
export { formatResults } from './evaluate/write-results.ts';
export { acceptedShare, areaUnderCurve, fprAtTpr } from './evaluate/metrics.ts';
export { drawReport, printPdf, readReport, stopPrinting, type FoundReport } from './report/report.ts';
export { FlowLabeller, type FlowLabelOptions, type NameDevice } from './label/label-flows.ts';
export { LabelAccount, type LabelSummary } from './label/label-account.ts';
export { labelPackets, packetLabelColumns, type PacketLabelOptions } from './label/label-packets.ts';
export { readDeviceNames } from './label/name-devices.ts';
export { natCaptures, natTruthColumns, type NatCaptureOptions, type NatSummary } from './label/nat-captures.ts';
export { natPortPolicies, type NatPortPolicy } from './label/nat-bindings.ts';
export type { TwinMatcherOptions } from './label/twin-matcher.ts';
export { describeDataset, type DatasetDescription } from './dataset/describe-dataset.ts';
export { formatCard, renderCard } from './dataset/render-card.ts';
export { queryDataset, type QueryAnswer } from './dataset/query-dataset.ts';
export {
  HomeFlows, type HomeEvidenceOptions, type HomeFlowCounts, type HomeVerdict,
} from './evaluate/home-evidence.ts';
export {
  addFieldNull, calibrateClassifier, calibrateDefaults, type CalibrateOptions, type CalibrationOutcome,
} from './calibrate/calibrate-classifier.ts';
export {
  readTokens, recordUnit, type CalibrationUnit, type ClassifierTokens, type UnitRecordings,
} from './calibrate/calibration-units.ts';
export { listLibraryFiles, loadCalibrationUnits, type LoadedUnits } from './calibrate/load-units.ts';
export { createRecording, type Recording } from './homes/recording.ts';
export { gatherTokens } from './homes/home-windows.ts';
export { createWeightSum } from './baseline/window-scores.ts';
export { ownFloorOf, ownWindowScores } from './homes/own-windows.ts';
export { cutHours } from './drift/drift-hours.ts';
export { watchDrift, type DriftDay, type DriftHistory } from './drift/watch-drift.ts';
export { drawDrift } from './drift/draw-drift.ts';
export {
  formatHomesResults, homesDefaults, runHomes, type HomesOptions, type HomesProgress,
} from './homes/run-homes.ts';
export type { HomesReport, HomesResult } from './homes/homes-report.ts';
export { compareDefaults, formatCompareRows, runCompare, type CompareOptions } from './compare/run-compare.ts';
export type { CompareReport, CompareRow } from './compare/compare-report.ts';
