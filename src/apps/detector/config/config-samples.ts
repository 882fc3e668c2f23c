/** Configs for tests: the smallest, one that uses everything, and folders with the files that it names. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Three lines are a config. */
export const smallestConfig = `state_folder = "state"
classifiers.folder = "classifiers"
input.listen = ["udp://127.0.0.1:0"]
`;

/** Uses every section; its relative paths are those that `makeConfigFiles` makes. */
export const fullConfig = `name = "edge-1"
state_folder = "state"
dry_run = false
checkpoint = "30s"

[input]
listen = ["udp://0.0.0.0:2055", "tcp://[::]:4739"]
exporters = ["192.0.2.0/24", "2001:db8::1"]
receive_buffer = "8MiB"
l7 = "exporter"
active_timeout = "5m"

[homes]
map = "address"
inside = ["198.51.100.0/24", "2001:db8:17::/48"]

[[home]]
name = "customer-1"
mail = "one@example.net"
customer = "Ms Rivera"
language = "es"
prefixes = ["198.51.100.17", "2001:db8:17::/56"]
addresses = ["198.51.100.17"]

[[home]]
name = "customer-2"
prefixes = ["198.51.100.18"]
opted_out = true

[classifiers]
folder = "classifiers"
threshold = "default"

[evidence]
window = "2h"
bucket = "2m"

[verdict]
present_score = 4.5

[verify]
on = true
classifier_folder = "second"
command = ["./ask", "--brief", ""]

[notify]
after = "10m"

[remind]
times_max = 1

[mitigate]
on = true
reasons = ["indicator"]

[rates]
mails_per_home = 1

[mail]
server = "smtps://mail.example.net"
credentials_file = "login"
from = "Example Net <security@example.net>"
provider_name = "Example Net"
help_phone = "+44 20 7946 0000"

[mail.dkim]
domain = "example.net"
selector = "natlens"
key_file = "dkim.pem"

[[webhook]]
name = "tickets"
url = "https://hooks.example.net/natlens?token=very-secret"
secret_file = "hook-secret"

[[syslog]]
name = "siem"
server = "udp://[2001:db8::5]"
facility = "authpriv"
rungs = ["observe"]
home_name = true

[block]
allow = ["203.0.113.0/24"]
duration = "30m"

[[indicator]]
name = "mirai"
protocol = "tcp"
port = 23

[[device_model]]
name = "webcam.D_Link.DCS_933L"
title = "D-Link camera"
vulnerabilities = ["CVE-2019-10999"]

[retention]
homes = "60d"

[metrics]
listen = "127.0.0.1:9464"

[log]
level = "warn"
`;

/** Makes what the samples name. @param folder  an empty one */
export function makeConfigFiles(folder: string): void {
  for (const name of ['classifiers', 'second']) mkdirSync(join(folder, name));
  const files = { login: 'user:word\n', 'dkim.pem': 'key\n', 'hook-secret': `${'k'.repeat(32)}\n` };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 });
  writeFileSync(join(folder, 'ask'), '#!/bin/sh\n');
  chmodSync(join(folder, 'ask'), 0o755);
}
