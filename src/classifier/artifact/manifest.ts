/**
 * The manifest of an artifact: what a person wants to know of a classifier, as JSON in one fixed order without blanks.
 * There is one way to write it: what does not read back to the same bytes is refused, so nothing hides in it.
 */
import { l7Sources } from '#flow';
import type { FlowNeeds } from '#feature';
import { unfitCodes, type Classifier, type Fitness, type Provenance } from '#score';
import { isCount, isDeviceModel, isFields, isText } from './checked-fields.ts';

export type Manifest = {
  readonly deviceModel: string;
  readonly catalog: { readonly name: string; readonly version: number };
  readonly algorithm: { readonly name: string; readonly version: number };
  readonly needs: FlowNeeds;
  /** Why the classifier must not be used; empty when it may. */
  readonly unfit: Fitness['reasons'];
  readonly provenance: Provenance;
};

/** The manifest of a classifier. @param algorithmVersion  the registry's */
export function describeClassifier(classifier: Classifier, algorithmVersion: number): Manifest {
  const { deviceModel, encoder, detector, needs, fitness, provenance } = classifier;
  return {
    deviceModel, needs, provenance, unfit: fitness.reasons,
    catalog: { name: encoder.catalog, version: encoder.catalogVersion },
    algorithm: { name: detector.algorithm, version: algorithmVersion },
  };
}

/** The manifest as text: always the same for the same values. */
export function formatManifest({ deviceModel, catalog, algorithm, needs, unfit, provenance }: Manifest): string {
  const { l7Source, activeTimeoutMs, idleTimeoutMs, isBiflow } = needs;
  const { natlensVersion, trainingDigest, trainingFlows, validationFlows, devices, seed, parameters } = provenance;
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    deviceModel,
    catalog: { name: catalog.name, version: catalog.version },
    algorithm: { name: algorithm.name, version: algorithm.version },
    needs: { l7Source, activeTimeoutMs, idleTimeoutMs, isBiflow },
    unfit: unfit.map(({ code, detail }) => ({ code, detail })),
    provenance: {
      natlensVersion, trainingDigest, trainingFlows, validationFlows, devices, seed, parameters: sorted,
    },
  });
}

/** @returns the manifest, or one sentence that says what is wrong with the text */
export function parseManifest(text: string): Manifest | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'The manifest is no JSON.';
  }
  const manifest = takeManifest(parsed);
  if (typeof manifest === 'string') return manifest;
  return formatManifest(manifest) === text ? manifest : 'The manifest is not written as natlens writes it.';
}

const isVersioned = (value: unknown): value is { name: string; version: number } =>
  isFields(value) && isText(value.name) && isCount(value.version);

function takeManifest(parsed: unknown): Manifest | string {
  if (!isFields(parsed)) return 'The manifest is no object.';
  const { deviceModel, catalog, algorithm, needs, unfit, provenance } = parsed;
  if (!isDeviceModel(deviceModel)) return 'The manifest names no device model.';
  if (!isVersioned(catalog)) return 'The manifest names no catalog.';
  if (!isVersioned(algorithm)) return 'The manifest names no algorithm.';
  if (!isNeeds(needs)) return 'The manifest does not say what flows are needed.';
  if (!Array.isArray(unfit) || !unfit.every(isReason)) return 'The reasons of the manifest are none that there are.';
  const origin = takeProvenance(provenance);
  if (origin === undefined) return 'The manifest does not say where the classifier comes from.';
  return { deviceModel, catalog, algorithm, needs, unfit, provenance: origin };
}

function isNeeds(value: unknown): value is FlowNeeds {
  return isFields(value) && l7Sources.some((source) => source === value.l7Source) && isTimeout(value.activeTimeoutMs) &&
    isTimeout(value.idleTimeoutMs) && typeof value.isBiflow === 'boolean';
}

const isTimeout = (value: unknown): boolean => typeof value === 'number' && value >= 0;

function isReason(value: unknown): value is Fitness['reasons'][number] {
  return isFields(value) && unfitCodes.some((code) => code === value.code) && isText(value.detail);
}

function takeProvenance(value: unknown): Provenance | undefined {
  if (!isFields(value)) return undefined;
  const { natlensVersion, trainingDigest, trainingFlows, validationFlows, devices, seed, parameters } = value;
  if (!isText(natlensVersion) || !isText(trainingDigest) || !/^[0-9a-f]{64}$/.test(trainingDigest)) return undefined;
  if (!isCount(trainingFlows) || !isCount(validationFlows) || !isCount(devices) || !isCount(seed)) return undefined;
  if (!Array.isArray(parameters) || !parameters.every(isParameter)) return undefined;
  return {
    natlensVersion, trainingDigest, trainingFlows, validationFlows, devices, seed,
    parameters: Object.fromEntries(parameters),
  };
}

function isParameter(value: unknown): value is [string, number | string | boolean] {
  return Array.isArray(value) && value.length === 2 && isText(value[0]) &&
    (isText(value[1]) || typeof value[1] === 'boolean' || typeof value[1] === 'number');
}
