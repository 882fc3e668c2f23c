/**
 * Names that other collectors give to fields, and the IANA names of the same fields; null: not a field of the
 * record.
 */

/** Logstash: the lower-case NetFlow v9 names, and IANA's own. */
export const logstashNames: Record<string, string | readonly string[] | null> = {
  version: null, flow_seq_num: null, flowset_id: null, flow_records: null, engine_type: null, engine_id: null,
  in_bytes: 'octetDeltaCount', in_pkts: 'packetDeltaCount', flows: 'deltaFlowCount', protocol: 'protocolIdentifier',
  src_tos: 'ipClassOfService', tcp_flags: 'tcpControlBits', l4_src_port: 'sourceTransportPort',
  ipv4_src_addr: 'sourceIPv4Address', src_mask: 'sourceIPv4PrefixLength', input_snmp: 'ingressInterface',
  l4_dst_port: 'destinationTransportPort', ipv4_dst_addr: 'destinationIPv4Address',
  dst_mask: 'destinationIPv4PrefixLength', output_snmp: 'egressInterface', ipv4_next_hop: 'ipNextHopIPv4Address',
  src_as: 'bgpSourceAsNumber', dst_as: 'bgpDestinationAsNumber', bgp_ipv4_next_hop: 'bgpNextHopIPv4Address',
  out_bytes: 'postOctetDeltaCount', out_pkts: 'postPacketDeltaCount', sampling_interval: 'samplingInterval',
  sampling_algorithm: 'samplingAlgorithm', flow_active_timeout: 'flowActiveTimeout',
  flow_inactive_timeout: 'flowIdleTimeout', total_bytes_exp: 'exportedOctetTotalCount',
  total_pkts_exp: 'exportedMessageTotalCount', total_flows_exp: 'exportedFlowRecordTotalCount',
  ipv4_src_prefix: 'sourceIPv4Prefix', flow_sampler_id: 'samplerId', ipv4_ident: 'fragmentIdentification',
  in_src_mac: 'sourceMacAddress', out_dst_mac: 'postDestinationMacAddress', src_vlan: 'vlanId',
  dst_vlan: 'postVlanId', ip_protocol_version: 'ipVersion', direction: 'flowDirection',
  in_dst_mac: 'destinationMacAddress', out_src_mac: 'postSourceMacAddress', if_desc: 'interfaceDescription',
  src_traffic_index: 'srcTrafficIndex', dst_traffic_index: 'dstTrafficIndex', application_id: 'applicationId',
  application_name: 'applicationName', application_description: 'applicationDescription', conn_id: 'flowId',
  flow_end_reason: 'flowEndReason', icmp_type: 'icmpTypeIPv4', icmp_code: 'icmpCodeIPv4',
  event_time_msec: 'observationTimeMilliseconds', in_permanent_bytes: 'octetTotalCount',
  flow_start_msec: 'flowStartMilliseconds', ingress_acl_id: 'INGRESS_ACL_ID', egress_acl_id: 'EGRESS_ACL_ID',
  username: 'AAA_USERNAME', fw_ext_event: 'FW_EXT_EVENT', fwd_flow_delta_bytes: 'initiatorOctets',
  rev_flow_delta_bytes: 'responderOctets', ip_dscp: 'ipDiffServCodePoint', udp_dst_port: 'udpDestinationPort',
  tcp_src_port: 'tcpSourcePort', nprobe_proto: 'L7_PROTO', nprobe_proto_name: 'L7_PROTO_NAME',
  scope_system: 'scopeSystem', out_dst_tos: 'postIpClassOfService',
  xlate_src_addr_ipv4: ['XLATE_SRC_ADDR_IPV4', 'postNATSourceIPv4Address'],
  xlate_dst_addr_ipv4: ['XLATE_DST_ADDR_IPV4', 'postNATDestinationIPv4Address'],
  xlate_src_port: ['XLATE_SRC_PORT', 'postNAPTSourceTransportPort'],
  xlate_dst_port: ['XLATE_DST_PORT', 'postNAPTDestinationTransportPort'], fw_event: ['FW_EVENT', 'firewallEvent'],
};

/** telegraf's inputs.netflow. */
export const telegrafNames: Record<string, string | readonly string[] | null> = {
  src: ['sourceIPv4Address', 'sourceIPv6Address'], dst: ['destinationIPv4Address', 'destinationIPv6Address'],
  src_port: 'sourceTransportPort', dst_port: 'destinationTransportPort', in_bytes: 'octetDeltaCount',
  in_packets: 'packetDeltaCount', out_bytes: 'postOctetDeltaCount', out_packets: 'postPacketDeltaCount',
  flow_start_ms: 'flowStartMilliseconds', flow_end_ms: 'flowEndMilliseconds', flow_start: 'flowStartSeconds',
  flow_end: 'flowEndSeconds', src_tos: 'ipClassOfService', dst_tos: 'postIpClassOfService',
  src_mask: ['sourceIPv4PrefixLength', 'sourceIPv6PrefixLength'], in_snmp: 'ingressInterface',
  dst_mask: ['destinationIPv4PrefixLength', 'destinationIPv6PrefixLength'], out_snmp: 'egressInterface',
  next_hop: ['ipNextHopIPv4Address', 'ipNextHopIPv6Address'], bgp_src_as: 'bgpSourceAsNumber',
  bgp_dst_as: 'bgpDestinationAsNumber', in_src_mac: 'sourceMacAddress', out_dst_mac: 'postDestinationMacAddress',
  first_switched: 'flowStartSysUpTime', last_switched: 'flowEndSysUpTime', l7_proto: 'L7_PROTO',
  client_nw_latency_ms: 'CLIENT_NW_LATENCY_MS', server_nw_latency_ms: 'SERVER_NW_LATENCY_MS',
  app_latency_ms: 'APPL_LATENCY_MS', retransmitted_in_bytes: 'RETRANSMITTED_IN_BYTES',
  retransmitted_out_bytes: 'RETRANSMITTED_OUT_BYTES', retransmitted_in_pkts: 'RETRANSMITTED_IN_PKTS',
  retransmitted_out_pkts: 'RETRANSMITTED_OUT_PKTS', ssl_server_name: 'SSL_SERVER_NAME', flow_id: 'flowId',
    vlan_src: 'vlanId', exporter: 'exporterIPv4Address', padding: 'paddingOctets',
  event_time: 'observationTimeSeconds', exporting_pid: 'exportingProcessId',
    ignored_packet_total: 'ignoredPacketTotalCount',
  system_init_ms: 'systemInitTimeMilliseconds', total_flows_exported: 'exportedFlowRecordTotalCount',
    in_total_bytes: 'octetTotalCount',
  in_total_packets: 'packetTotalCount', flows: 'deltaFlowCount', fwd_status: null, fwd_reason: null,
  app_desc: 'applicationDescription', app_id: 'applicationId', app_name: 'applicationName',
  interface: 'interfaceName', interface_desc: 'interfaceDescription', icmp_type: 'icmpTypeIPv4',
  icmp_code: 'icmpCodeIPv4', flow_end_reason: null, protocol: null, tcp_flags: null, ip_version: null, direction: null,
  engine_type: null, engine_id: null, sys_uptime: null, seq_number: null,
};
