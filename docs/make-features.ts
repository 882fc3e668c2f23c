/**
 * Makes docs/features.md from the catalogs. Run by hand when one changes: `node docs/make-features.ts`.
 * test/docs.test.ts fails when the page is not what this makes. Writes that one file and nothing else.
 */
import { writeFileSync } from 'node:fs';
import { limits } from '#base';
import { findColumn } from '#flow';
import { catalogs, type Catalog, type Feature } from '#feature';

/** Why a feature is in, by name. A feature without a reason has no place in a catalog. */
export const reasons: Readonly<Record<string, string>> = {
  initiatorOctets: 'the paper',
  responderOctets: 'the paper',
  flowDurationMilliseconds: 'the paper',
  destinationTransportPort: 'the paper',
  reverseIpClassOfService: 'the paper. Left out of ours: the way through the network sets it, and it did not help',
  ipClassOfService: "set by the device's own software, mostly constant; a device that sets it is told apart at once",
  protocolIdentifier: 'few devices use more than TCP, UDP and ICMP',
  applicationName: 'what the flow is for and, where the name has an owner, whose server it is',
  initiatorOctetsLog2: 'sizes span nine decades; as a logarithm a byte counts where flows are small',
  responderOctetsLog2: 'the same',
  initiatorPacketsLog2: 'tells many small messages from one large one; helps forests a little, see below',
  responderPacketsLog2: 'the same',
  flowDurationMillisecondsLog2: 'from a millisecond to the active timeout',
  initiatorOctetsPerPacket: 'size of messages, which a protocol fixes more than their number',
  responderOctetsPerPacket: 'the same',
  destinationPortClass: 'few servers are told apart by less; registered ports must stay apart, see below',
  tcpControlBits: 'how the device ends its connections: FIN, RST, or not at all; what helps most beside the destination',
  reverseTcpControlBits: "how the other side ends them: refused, reset, closed",
  destinationPrefix: 'a device model talks to few services; the most telling category where they stay in place',
  destinationBlock: 'steadier where a service moves about within its range',
};

function rowText(feature: Feature): string {
  const reason = reasons[feature.name];
  if (reason === undefined) throw new Error(`${feature.name} has no reason to be a feature`);
  const columns = feature.columns.map((name) => `\`${name}\``).join(', ');
  const classes = new Set(feature.columns.map((name) => findColumn(name)?.privacy));
  const cells = [`\`${feature.name}\``, feature.kind, feature.meaning, columns, [...classes].join(', '), reason];
  return `| ${cells.join(' | ')} |`;
}

function formatCatalog(catalog: Catalog): string {
  return `### ${catalog.name}, version ${catalog.version}

${catalog.numeric.length} numbers, ${catalog.categorical.length} categories: ${catalog.meaning}.

| feature | kind | what it is | made of | privacy | why it is in |
|---|---|---|---|---|---|
${[...catalog.numeric, ...catalog.categorical].map(rowText).join('\n')}
`;
}

/** The whole page. */
export function formatFeatures(shown: readonly Catalog[] = catalogs): string {
  return `# Features

<!-- Made by docs/make-features.ts from the catalogs in src/pipeline/3-feature/catalogs: do not edit. -->

What classifiers look at in a flow record. A **catalog** is a versioned table of features; a classifier names the one
that it was fitted with, and another version is another catalog. Flows are read once for all classifiers; what a value
means for one of them is its encoder's business.

The initiator is the device, which is inside the home: [who is the initiator](flow-records.md#who-is-the-initiator). So
the \`IN_BYTES\` of the paper, which an exporter counts in the direction of the flow, are \`initiatorOctets\`. Only
flows from a home outward matter; choosing them is not a matter of features.

## What is never used

- **Addresses, interfaces and VLAN of the device's side, the exporter, labels**: every column of the privacy classes
  \`identity\` and \`label\` (see [columns](columns.md)). They name a home or a device, and a classifier that saw them
  in the lab would have learnt the lab.
- **The source port**: chosen by chance, or by the router's NAT.
- **The time of day and the date**: a property test moves flows in time, and no feature changes.
- **\`flowEndReason\`**: it says what the meter did (timeouts, a full table, the end of a capture); what the device did
  is in its TCP flags. Many exporters do not tell it.
- **Prefixes inside a home**: all private addresses are one category. How a home numbers its devices tells homes apart.

\`src/pipeline/3-feature/catalogs.test.ts\` holds this: columns that a catalog does not name may have any values.

## The catalogs

The privacy classes are those of the columns: \`measure\` are counters and times, \`protocol\` is the kind of traffic,
\`peer\` is whom the home talks to.

${shown.map(formatCatalog).join('\n')}
A logarithm here is exact at powers of two of 1 + x and straight between them, so that it has the same last bit on every
machine; it lies at most 0.0861 below the true one. IPv6 prefixes are a /48 mixed into 31 bits, and servers behind NAT64
(64:ff9b::/96) have the prefix of their IPv4 address. For ICMP, NetFlow carries type · 256 + code in the field of the port:
so \`paper\` has it there, and ours in numbers of their own, which no port has.

## How features become rows

An encoder is fitted on the training flows of one device model, with \`EncoderBuilder\` of \`#feature/fit\`, batch by
batch. What comes out does not depend on how flows were cut into batches.

- A **number** becomes float32(x · scale + shift), with scale = 1 / (max − min) and shift = −min · scale over training
  flows; 1 for a range narrower than 10 ε. Numbers beyond the range go on beyond 0 and 1.
- A **category** becomes its place among those that training showed: numbers ascending, texts by code point. One that
  training never showed has the code after the last. In the one-hot form that is a row of zeros, as in the paper; other
  detectors take it as what it is, evidence.
- ${limits.categoriesMax.toLocaleString('en-US')} categories of a feature are kept, the most frequent; of equally
  frequent ones the first in order. Rows of others are **unseen in training, too**, so that a detector learns how usual
  that is: one camera had 26,540 destination ports, and a model that rejects the unseen would reject it. The builder's
  \`folded\` tells of it. Below the limit no training row is unseen.
- What a full dictionary stores, \`(other)\`, stands for any text, so it is never a category.

The one-hot matrix equals that of scikit-learn's ColumnTransformer(MinMaxScaler, OneHotEncoder(handle_unknown='ignore'))
in float32 to the last bit: \`test/oracle/encoder.py\` made the values that \`src/pipeline/3-feature/encoder.test.ts\`
compares.

## What the flows must be like

Timeouts, the source of layer-7 names, and whether both directions are in one record shape a flow as much as the device
does. A classifier keeps them of its training flows, and flows that differ are refused with a sentence; so are flows of
which it is not known. Parquet files of \`natlens flows\` say it; CSV and JSON lines cannot. Timeouts that were not
known in training (records of an exporter) match only such: that it is the same exporter, set up alike, whoever trains
answers for.

Both directions are known to be in one record for what natlens metered, what \`--pair\` joined, and imports of Zeek and
IoT-deNAT; for other exports and imports it is not known.

## What the choice rests on

By \`node bench/feature-sets.ts\`, 2026-11-23: 45,996 flows of 39 units from open captures, layer-7 names of nDPI; five
device models with at least 1,000 flows. Of each unit, the earliest 56 % of flows train and the next 24 % are judged;
**the latest 20 % are left out**, so they can still test what was chosen. Judged by an Isolation Forest (mean of two
seeds), the same with flows rejected that have an unseen category, and a likelihood that takes features for independent.
FPR: other flows accepted where 90 % of the device model's own are. Means over the device models.

| features | forest: AUC | FPR | and unseen rejected: AUC | FPR | likelihood: AUC | FPR | own flows with something unseen |
|---|---|---|---|---|---|---|---|
| paper | .961 | .044 | .997 | .004 | .993 | .019 | .007 |
| portable | .963 | .048 | .999 | .002 | .995 | .004 | .000 |
| portable without packets | .963 | .061 | .999 | .002 | .997 | .005 | .000 |
| portable without TCP flags | .964 | .048 | .998 | .003 | .993 | .015 | .000 |
| portable, registered ports as one class | .962 | .048 | .982 | .043 | .975 | .039 | .000 |
| portable and \`reverseIpClassOfService\` | .963 | .049 | .998 | .002 | .996 | .004 | .007 |
| natlens without the prefix | .925 | .078 | 1.000 | .001 | .998 | .003 | .052 |
| natlens without the block | .933 | .078 | 1.000 | .000 | .998 | .003 | .149 |
| natlens | .909 | .235 | 1.000 | .001 | .999 | .003 | .149 |

- **Rejecting or weighing what training never showed** is worth more than any feature; on these captures the paper's
  features have most of it.
- **TCP flags** take the likelihood's FPR from .015 to .004 and cost nothing.
- **Ports must be kept** below 49,152: one class for registered ports is the one change that hurts.
- **The destination** helps a likelihood and harms a one-hot forest, which its many columns dilute. It is not stable:
  one in seven own flows goes to a /24 that training never showed. A detector that rejects the unseen outright takes
  \`portable\`, which also says nothing about whom a home talks to, and should move to another part of the world.
- **Logarithms** change little for forests and for bins of equal counts, by their nature; they are for detectors that
  measure distances. **Packets** are near the spread of seeds.

These captures cover days, one home each. They say nothing of drift over months.

## Cost

On one core of the machine that the other benchmarks ran on, batches of 4,096 flows: reading takes about 12 ns a flow
(\`paper\`), 30 ns (\`portable\`) and 42 ns (\`natlens\`), once for all classifiers; encoding 30 to 40 ns for each
classifier. Fitting takes 0.2 to 0.5 µs a flow. Nothing is allocated per row. `; }

if (import.meta.main) writeFileSync(new URL('features.md', import.meta.url), formatFeatures());
