/** The door of `#classifier/artifact`: classifiers to and from bytes. */
export { packFingerprint } from './fingerprint-bytes.ts';
export { readArtifact, readClassifier, type Artifact, type ArtifactSizes } from './read-classifier.ts';
export { writeArtifact, writeClassifier } from './write-classifier.ts';
export { formatManifest, type Manifest } from './manifest.ts';
export type { ShippedClassifier } from './shipped-classifier.ts';
