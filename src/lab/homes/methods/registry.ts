/** The methods, in the order in which reports show them. */
import { domainRule } from './domain-rule.ts';
import { evidenceCascade } from './evidence-cascade.ts';
import { evidence } from './evidence.ts';
import { hitCount } from './hit-count.ts';
import type { HomeMethod } from './home-method.ts';
import { singleFlow, singleFlowOurs } from './single-flow.ts';
import { tfIdf } from './tf-idf.ts';

export const homeMethods: readonly HomeMethod[] =
  [singleFlow, singleFlowOurs, hitCount, domainRule, tfIdf, evidence, evidenceCascade];
