/** Every limit in one place, with its unit. A structure that grows names its limit here; a test reaches each. */
export const limits = {
  /** Decompressed bytes at the beginning of an input that are kept to recognise its kind. */
  sourceHeadBytes: 1 << 16,
  /** Bytes of a capture file asked for in one read. */
  readChunkBytes: 1 << 18,
  /** Largest frame that a capture file may hold; libpcap's own limit is 256 KiB, some writers go up to 1 MiB. */
  frameBytesMax: 1 << 20,
  /** Largest pcapng block that is read; a larger one is skipped and counted. */
  captureBlockBytesMax: 16 << 20,
  /** Interfaces that one pcapng section may describe. */
  captureInterfacesMax: 65_535,
  /** VLAN tags, or MPLS labels, that are taken off one frame. */
  linkTagsMax: 16,
  /** Memory of a live capture's ring: half a second of a full gigabit. */
  liveRingBytes: 64 << 20,
  /** The largest ring that may be asked for; the kernel's memory is gone for others. */
  liveRingBytesMax: 1 << 30,
  /** Bytes that the kernel fills before it hands them on; copied at once, so a reader's window holds as many. */
  liveBlockBytes: 256 << 10,
  /** Most bytes kept of a frame off the wire; segments that the kernel joined are larger than any on a wire. */
  liveSnapBytesMax: 128 << 10,
  /** Problems of one capture that are described; further ones are only counted. */
  captureProblemsMax: 16,
  /** Rows of a packet batch. */
  packetBatchRows: 1_024,
  /** Rows of a flow batch. */
  flowBatchRows: 4_096,
  /** Distinct strings of one dictionary column; further ones share the code of `dictionaryOverflowText`. */
  dictionaryEntriesMax: 1 << 20,
  /** Flows that the meter holds open at once; at the limit the flow idle for longest is ended. */
  openFlowsMax: 262_144,
  /** One-way records that may wait for their other direction; at the limit the fullest exporter's oldest is decided. */
  unpairedRecordsMax: 262_144,
  /** One-way records of one conversation that may wait; at the limit its oldest is decided. */
  unpairedOfConversationMax: 64,
  /** Exporters and observation domains with a clock of their own in the pairer; further ones share one. */
  pairClocksMax: 1_024,
  /** Packets that the meter may hold back to put late ones in order. */
  reorderPacketsMax: 8_192,
  /** Fragmented datagrams whose first fragment is remembered. */
  fragmentedDatagramsMax: 4_096,
  /** Packets remembered to find mirrored copies. */
  duplicateMemoryPackets: 16_384,
  /** Conversations that nDPI may have under inspection at once. */
  ndpiConversationsMax: 262_144,
  /** Bytes of packets that may wait for the nDPI child. */
  ndpiQueueBytesMax: 4 << 20,
  /** Bytes of the file of owners' address ranges; the shipped one has about a quarter of that. */
  ownerTableBytesMax: 2 << 20,
  /** Flow records that may wait for a name. */
  unnamedFlowsMax: 262_144,
  /** Characters of one line of a text table; a longer line is rejected and counted. */
  textLineCharactersMax: 1 << 20,
  /** Processes that may sleep at once in a simulated world. */
  simulatedProcessesMax: 65_536,
  /** Devices of a simulated home: what its /24 can address beside the gateway. */
  simulatedDevicesMax: 200,
  /** Lines that one record of a text table may span (line ends inside quotes); beyond, its first line is rejected. */
  textRecordLinesMax: 64,
  /** Rejections that are kept with their place; all are counted. */
  problemsKeptMax: 20,
  /** Rows of one row group of a foreign Parquet file; a larger group is rejected. */
  parquetGroupRowsMax: 1 << 20,
  /** Bytes of each of the two buffers of a small table's output. */
  tableBufferBytes: 1 << 16,
  /** Texts of addresses remembered while a table is read. */
  addressTextsMax: 65_536,
  /** Rows that an importer looks at before it decides on the clocks of a table. */
  clockSampleRows: 1_000,
  /** Payload of one exported datagram: what an Ethernet frame carries over IPv4 and UDP. */
  exportDatagramPayload: 1_472,
  /** Datagrams that a sender holds until they are due; whoever queues more without waiting has a bug. */
  sendQueueDatagramsMax: 4_096,
  /** Datagrams that a probe holds until they are due; what comes beyond is lost and counted. */
  probeDatagramsMax: 65_536,
  /** Bytes of export messages kept for a collector by TCP that is away or slow; beyond, the oldest are lost. */
  tcpSendQueueBytes: 16 << 20,
  /** Bytes of a layer-7 name in IPFIX, where its length varies; a longer one is cut and counted. */
  exportNameLengthMax: 512,
  /** The same in NetFlow v9, where every record holds as many. */
  exportFixedNameLength: 32,
  /** Rows that a Parquet row group holds, so rows kept until they are written. */
  parquetGroupRows: 32_768,
  /** Tables of all classifiers that one thread scores with; what has no room is scored by slower code. */
  scoreMemoryBytesMax: 256 << 20,
  /** Worker threads that score; each has tables of its own. */
  scoreWorkersMax: 64,
  /** Batches on their way to a worker thread that scores, or back, for each: one scored, one waiting, one read. */
  scoreBatchesPerWorker: 3,
  /** Exporter, version and observation domain together: those that a decoder keeps apart. */
  exportDomainsMax: 4_096,
  /** Those of one address: a sender that makes up domains does not take the places of all. */
  exportDomainsOfAddressMax: 256,
  /** Templates of one domain. */
  templatesPerDomainMax: 1_024,
  /** Templates of a decoder. */
  templatesTotalMax: 65_536,
  /** Fields of one template. */
  templateFieldsMax: 1_024,
  /** Fields of all templates of a decoder. */
  templateFieldsTotalMax: 1 << 19,
  /** Bytes of data sets that wait for their template. */
  waitingSetsBytesMax: 4 << 20,
  /** Time that a data set may wait for its template; exporters repeat templates every minute or so. */
  waitingSetMs: 300_000,
  /** Samplers, and applications with a name, that one domain may tell of. */
  optionEntriesMax: 16_384,
  /** The same of all domains together. */
  optionEntriesTotalMax: 1 << 18,
  /** Holes in the sequence numbers of one run of an exporter into which late datagrams may still come. */
  sequenceHolesMax: 128,
  /** Templates of one domain that are listed with what waits for them. */
  waitingListedMax: 16,
  /** Between an exporter's clock and the arrival of its messages; beyond it the clock counts as wrong. */
  exportClockSkewMsMax: 10_000,
  /** Bytes of a saved state of the export decoder; one with all limits reached and long names has some 90 MiB. */
  decoderSnapshotBytesMax: 128 << 20,
  /** Bytes of recent export datagrams kept to know a copy from a restart. */
  duplicateDatagramsBytes: 1 << 16,
  /** Bytes of a layer-7 name of an exporter; a longer one is cut. */
  applicationNameLengthMax: 255,
  /** Layer-7 names of exporters that are known by their bytes. */
  nameMemoryEntries: 1_024,
  /** Categories that an encoder keeps of one feature, the most frequent; rows of others count as unseen. */
  categoriesMax: 1_024,
  /** Categories of one feature that are counted while an encoder is fitted; later ones are left out. */
  categoriesCountedMax: 1 << 18,
  /** Rows that a one-class support vector machine is fitted on; more are sampled down. */
  svmRowsMax: 20_000,
  /** Steps of its solver, which needs about half as many as there are rows. */
  svmIterationsMax: 1_000_000,
  /** Bytes of kernel rows that its solver keeps. */
  svmKernelBytesMax: 64 << 20,
  /** Neighbours that a local outlier factor is made of. */
  lofNeighboursMax: 1_024,
  /** Trees of a second stage. */
  boostedTreesMax: 1_024,
  /** Leaves of one of them. */
  boostedLeavesMax: 256,
  /** Points that a detector made of training rows may hold, and rows that local outlier factors are fitted on. */
  trainingPointsMax: 65_536,
  /** Bytes of a classifier's artifact; a larger one is refused. */
  artifactBytesMax: 64 << 20,
  /** Bytes of the manifest in it. */
  manifestBytesMax: 1 << 16,
  /** Characters of a layer-7 name in a fingerprint; flows with a longer one show no token by name. */
  fingerprintNameLengthMax: 512,
  /** Bytes of the calibration in an artifact. */
  calibrationBytesMax: 1 << 18,
  /** Device models that a classifier's card names as confusers, and as a group. */
  calibrationNamesMax: 256,
  /** Times after which a card says how many homes are found. */
  detectionRatesMax: 32,
  /** Home-days below which a detector's table of a classifier does not leave it: a few may tell of a home. */
  sketchHomeDaysMin: 1_000,
  /** Classifiers in a null sketch. */
  sketchClassifiersMax: 4_096,
  /** Characters of a null sketch; one with all bins of every classifier of a large detector has a few million. */
  sketchBytesMax: 32 << 20,
  /** Flows of one device model that a classifier is trained and validated on, held at once. */
  classifierFlowsMax: 1 << 21,
  /** Flows of a background library, or of the device model that is weighed against it, held at once. */
  libraryFlowsMax: 1 << 21,
  /** Units of a background library. */
  libraryUnitsMax: 1 << 16,
  /** Flows of the device model that a second stage is trained on, and of a library; further ones are thinned out. */
  secondStageFlowsMax: 1 << 16,
  /** Training flows below which a classifier is unfit. */
  trainingFlowsMin: 100,
  /** Validation flows below which its thresholds say nothing: with 20, the 10th percentile rests on two. */
  validationFlowsMin: 20,
  /** Bytes of an encoded one-hot matrix that is written for outside comparison. */
  matrixBytesMax: 1 << 30,
  /** Bytes of an inventory of captures and devices. */
  inventoryBytesMax: 16 << 20,
  /** Flows of a data set while it is built, held at once. */
  datasetFlowsMax: 1 << 21,
  /** Packets of the traces of a data set while it is built, held at once: 22 bytes each, and twice that to grow. */
  tracePacketsMax: 1 << 24,
  /** Rows of the answer to a query on a data set. */
  queryRowsMax: 100_000,
  /** Flows or packets of one tap that wait for their twins. */
  twinsHeldMax: 1 << 18,
  /** Bindings of a NAT for captures; at the limit the one unused for longest ends. */
  natBindingsMax: 65_536,
  /** Fragmented datagrams whose binding a NAT for captures remembers. */
  natFragmentsMax: 4_096,
  /** Bytes of an experiment's report.json; 7 device models, 6 methods and 5 seeds take 0.6 MB. */
  reportBytesMax: 256 << 20,
  /** Homes of one detector. */
  homesMax: 16_384,
  /** Tokens of evidence kept for one home and classifier without a fingerprint. */
  evidenceTokensMax: 128,
  /** Tokens of a device model's fingerprint; evidence of it may hold all of them. */
  fingerprintTokensMax: 256,
  /** Bytes of all tokens of evidence together: 1.2 million with the default window. */
  evidenceBytesMax: 32 << 20,
  /** Buckets of a window, and by which flows may be late, together. */
  evidenceBucketsMax: 4_096,
  /** Accepted flows of the home whose evidence the lab works out, held at once. */
  labEvidenceFlowsMax: 1 << 21,
  /** Bytes that a detector keeps of the days of homes until they are counted in its field sketch. */
  fieldSketchBytesMax: 4 << 20,
  /** Classifiers of one detector, second opinions among them. */
  detectorClassifiersMax: 1_024,
  /** Calibrated classifiers of one device model that decide side by side. */
  classifierVersionsMax: 4,
  /** Bytes of a detector's config; 16,384 homes take about 3 MB. */
  configBytesMax: 8 << 20,
  /** Faults of a config that are told at once. */
  configFaultsMax: 50,
  /** Bytes of all classifiers that a detector holds, second opinions among them. */
  classifierFolderBytesMax: 128 << 20,
  /** Addresses, exporters and interfaces whose home is remembered; at the limit the memory starts afresh. */
  homeMemoryEntries: 65_536,
  /** Bytes of what an external verification prints that are looked at; the rest is read and dropped. */
  verifyOutputBytesMax: 64 << 10,
  /** Bytes of nft's list of our table; 16,384 blocks take some 3 MB. */
  nftOutputBytesMax: 16 << 20,
  /** Indicator, home, destination and hour together that are remembered, so that none is told twice. */
  indicatorMemoryEntries: 16_384,
  /** Destinations of one indicator that one home is told of within an hour; a scanner has thousands. */
  indicatorDestinationsMax: 32,
  /** Bytes of one template of a mail. */
  mailTemplateBytesMax: 1 << 16,
  /** Bytes of a webhook's answer that are read; only its status matters. */
  webhookAnswerBytesMax: 1 << 16,
  /** Longest pause that a webhook's receiver may ask for. */
  retryAfterMsMax: 3_600_000,
  /** Bytes of a syslog message: what every receiver should take (RFC 5425 §4.3.1, RFC 5426 §3.2). */
  syslogMessageBytesMax: 2_048,
  /** TCP connections of exporters that a detector holds open. */
  exportConnectionsMax: 256,
  /** One-way records that may wait in a detector for their other direction. */
  detectorUnpairedMax: 32_768,
  /** Distinct texts of one column that a detector remembers, layer-7 names most of all. */
  detectorTextsMax: 65_536,
  /** Bytes of export datagrams between the thread that receives them and the one that reads them. */
  receiveRingBytes: 64 << 20,
  /** Bytes of one datagram that is received; UDP has no longer ones but IPv6 jumbograms. */
  receivedDatagramLengthMax: 65_535,
  /** Addresses whose datagrams, dropped because the reader was behind, are counted apart; others share a count. */
  dropAddressesMax: 4_096,
  /** Names of certificates whose connections are counted apart; others share a count. */
  certificateNamesMax: 1_024,
  /** Senders of datagrams of which a detector remembers whether they may send. */
  senderMemoryEntries: 4_096,
  /** Lines of one event that the log takes in a minute; further ones are counted. */
  logLinesPerMinute: 20,
  /** Events of the log with a count of their own. */
  logEventsMax: 1_024,
  /** Characters of the log that wait to be written. */
  logUnwrittenMax: 1 << 20,
  /** Characters of a text in the log. */
  logTextLengthMax: 1_000,
  /** Bytes of a question to a running detector, or of its answer. */
  controlBytesMax: 64 << 20,
  /** Connections to the control socket, and to the health endpoint, at once. */
  controlConnectionsMax: 16,
  /** Reasons kept of one block; a scan has thousands. */
  blockReasonsMax: 8,
  /** Actions in the outbox, finished ones among them. */
  outboxActionsMax: 1 << 18,
  /** Rows of the local audit of actions. */
  outboxAuditRowsMax: 1 << 18,
  /** Blocks that people ordered, kept until they are too old to be done. */
  outboxOrdersMax: 1_024,
  /** Homes and device models that opted out at a running detector. */
  outboxOptOutsMax: 65_536,
  /** Homes and device models of which it is remembered what was withheld last. */
  outboxWithheldMax: 32_768,
  /** A state of more bytes is not written anew every day: flows would wait for it. */
  stateRewriteBytesMax: 16 << 20,
  /** Actions of one kind that are executed before the outbox is looked at again. */
  outboxRunActionsMax: 64,
  /** Senders of export messages that have a rate of their own in a collector; further ones share one. */
  collectorSendersMax: 65_536,
  /** A sender that is silent for so long gives its place up. */
  collectorSenderIdleMs: 3_600_000,
  /** Memory of recent export messages by which a collector knows copies, of all exporters together: 16 bytes each. */
  collectorDuplicateBytes: 1 << 20,
  /** Distinct texts of one column that a collector remembers, layer-7 names most of all. */
  collectorTextsMax: 65_536,
  /** Bytes of a collector's saved state: the decoder's, and some for the accounts. */
  collectorStateBytesMax: 136 << 20,
  /** Receivers that a collector forwards to. */
  collectorForwardsMax: 16,
  /** Messages on their way to one of them; further ones are dropped for it. */
  forwardInFlightMax: 1_024,
  /** Exporters and domains with metrics of their own; the others are in the sums. */
  collectorMetricDomainsMax: 512,
  /** Devices whose traffic a report draws. */
  reportTimelinesMax: 24,
  /** Names that a graph of device models and names draws; of further ones only the number is said. */
  graphNamesMax: 2_000,
} as const;
