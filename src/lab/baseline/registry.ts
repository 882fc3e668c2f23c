/** The methods, in the order in which reports show them: ours last. */
import type { LabWorld } from '../homes/lab-world.ts';
import { dedicatedDestinations } from './dedicated-destinations-homes.ts';
import { dnsDedicatedName, dnsDomains, dnsDomainsRelaxed } from './dns-domains-homes.ts';
import { domainRule } from './domain-rule.ts';
import { evidenceCascade } from './evidence-cascade.ts';
import { evidenceDestinations } from './evidence-destinations.ts';
import { evidenceFirstVeto, evidenceSlopeVeto } from './evidence-slope-veto.ts';
import { evidence } from './evidence.ts';
import { flowTrees, flowTreesClosed } from './flow-trees.ts';
import { hitCount } from './hit-count.ts';
import type { HomeMethod } from './home-method.ts';
import { iotFinderFlows, iotFinderNames } from './iot-finder-homes.ts';
import { dnsSlope, packetSlope } from './ipid-slope-homes.ts';
import { localOutlierHits, oneClassSvmHits } from './one-class-homes.ts';
import { singleFlow, singleFlowOurs } from './single-flow.ts';
import { tfIdf } from './tf-idf.ts';

export const homeMethods: readonly HomeMethod[] = [
  singleFlow, singleFlowOurs, hitCount, domainRule, tfIdf,
  dnsDomains, dnsDomainsRelaxed, dnsDedicatedName, iotFinderNames, iotFinderFlows, dedicatedDestinations,
  flowTrees, flowTreesClosed, oneClassSvmHits, localOutlierHits,
  dnsSlope, packetSlope, evidenceSlopeVeto, evidenceFirstVeto, evidenceDestinations, evidence, evidenceCascade,
];

/** Those that a world shows enough for. */
export function methodsFor({ traces }: Pick<LabWorld, 'traces'>): readonly HomeMethod[] {
  return homeMethods.filter(({ sees }) => sees === 'flow records' || traces !== undefined);
}
