/**
 * Domains whose hosts say nothing about which device asks for them: those of third parties that many vendors rent from
 * or get the time from, and those that people browse. Where Guo and Heidemann looked up owners and fetched pages, an
 * offline lab has lists; everyone may give other ones. Each row names the page of its operator that says what it is.
 */

export type ListedDomain = {
  /** This domain and all below it. */
  readonly domain: string;
  readonly operator: string;
  readonly source: string;
};

export type NameLists = {
  readonly thirdParty: readonly ListedDomain[];
  readonly humanFacing: readonly ListedDomain[];
  /** Makes of device models whose own domains those of an operator are, by operator: lower case, letters and digits. */
  readonly makesOfOperators: ReadonlyMap<string, readonly string[]>;
};

function listDomains(operator: string, source: string, domains: readonly string[]): ListedDomain[] {
  return domains.map((domain) => ({ domain, operator, source }));
}

const thirdParty: readonly ListedDomain[] = [
  ...listDomains('amazon', 'https://docs.aws.amazon.com/general/latest/gr/rande.html',
    ['amazonaws.com', 'amazonaws.com.cn', 'cloudfront.net', 'awsglobalaccelerator.com', 'elasticbeanstalk.com']),
  ...listDomains('microsoft', 'https://learn.microsoft.com/azure/security/fundamentals/azure-domains',
    ['azurewebsites.net', 'azureedge.net', 'azurefd.net', 'azure-api.net', 'azure-mobile.net', 'azurecontainer.io',
      'cloudapp.net', 'cloudapp.azure.com', 'core.windows.net', 'servicebus.windows.net',
      'database.windows.net', 'trafficmanager.net', 'vo.msecnd.net', 'documents.azure.com']),
  ...listDomains('microsoft', 'https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-endpoints',
    ['azure-devices.net']),
  ...listDomains('microsoft', 'https://learn.microsoft.com/windows/privacy/manage-windows-11-endpoints',
    ['time.windows.com', 'msftncsi.com', 'msftconnecttest.com']),
  ...listDomains('google', 'https://cloud.google.com/apis/docs/overview',
    ['googleapis.com', 'appspot.com', 'cloudfunctions.net', 'run.app', 'firebaseio.com', 'googleusercontent.com']),
  ...listDomains('google', 'https://developers.google.com/time', ['time.google.com', 'time1.google.com',
    'time2.google.com', 'time3.google.com', 'time4.google.com', 'time.android.com']),
  ...listDomains('google',
    'https://www.chromium.org/chromium-os/chromiumos-design-docs/network-portal-detection/',
    ['gstatic.com', 'clients3.google.com', 'connectivitycheck.android.com']),
  ...listDomains('google', 'https://support.google.com/chrome/a/answer/6334001', ['gvt1.com', 'l.google.com']),
  ...listDomains('google', 'https://developers.google.com/speed/public-dns', ['dns.google']),
  ...listDomains('akamai', 'https://techdocs.akamai.com/property-mgr/reference/create-edge-hostnames',
    ['edgesuite.net', 'edgekey.net', 'akamaized.net', 'akamaihd.net', 'akamai.net', 'akamaiedge.net', 'akadns.net']),
  ...listDomains('alibaba', 'https://www.alibabacloud.com/help/en/ecs/user-guide/regions-and-zones',
    ['aliyuncs.com', 'aliyun.com', 'alicdn.com', 'alikunlun.com']),
  ...listDomains('tencent', 'https://www.tencentcloud.com/document/product/436/6224',
    ['myqcloud.com', 'tencentcs.com', 'tencentcloudapi.com', 'qcloud.com']),
  ...listDomains('baidu', 'https://cloud.baidu.com/doc/BOS/', ['bcebos.com']),
  ...listDomains('mixpanel', 'https://docs.mixpanel.com/', ['mixpanel.com']),
  ...listDomains('localytics', 'https://uplandsoftware.com/localytics/', ['localytics.com']),
  ...listDomains('crashlytics', 'https://firebase.google.com/docs/crashlytics', ['crashlytics.com']),
  ...listDomains('bugsense', 'https://www.splunk.com/', ['bugsense.com']),
  ...listDomains('samsung', 'https://account.samsung.com/', ['samsungosp.com']),
  ...listDomains('cloudflare', 'https://developers.cloudflare.com/fundamentals/',
    ['cloudflare.net', 'cloudflare.com', 'workers.dev', 'one.one']),
  ...listDomains('fastly', 'https://docs.fastly.com/en/guides/working-with-domains', ['fastly.net', 'fastlylb.net']),
  ...listDomains('ntp pool', 'https://www.ntppool.org/', ['ntp.org']),
  ...listDomains('simulated ntp pool', 'docs/simulated-lab.md', ['pool.example']),
  ...listDomains('cernet', 'https://www.edu.cn/', ['time.edu.cn']),
  ...listDomains('sjtu', 'https://www.sjtu.edu.cn/', ['ntp.sjtu.edu.cn']),
  ...listDomains('nist', 'https://tf.nist.gov/tf-cgi/servers.cgi', ['nist.gov']),
  ...listDomains('apple', 'https://support.apple.com/101555',
    ['time.apple.com', 'time-ios.apple.com', 'captive.apple.com', 'push.apple.com']),
  ...listDomains('dyn', 'https://account.dyn.com/', ['dyndns.org']),
  ...listDomains('no-ip', 'https://www.noip.com/', ['no-ip.com', 'ddns.net']),
  ...listDomains('ipify', 'https://www.ipify.org/', ['ipify.org']),
];

const humanFacing: readonly ListedDomain[] = [
  ...listDomains('google', 'https://about.google/products/', ['google.com', 'youtube.com', 'blogger.com']),
  ...listDomains('microsoft', 'https://www.microsoft.com/', ['bing.com', 'live.com', 'msn.com', 'microsoft.com']),
  ...listDomains('apple', 'https://www.apple.com/', ['apple.com', 'icloud.com']),
  ...listDomains('amazon', 'https://www.aboutamazon.com/', ['amazon.com', 'imdb.com', 'twitch.tv']),
  ...listDomains('meta', 'https://about.meta.com/technologies/', ['facebook.com', 'instagram.com', 'whatsapp.com']),
  ...listDomains('netflix', 'https://about.netflix.com/', ['netflix.com']),
  ...listDomains('x', 'https://about.x.com/', ['twitter.com', 'x.com']),
  ...listDomains('yahoo', 'https://www.yahooinc.com/', ['yahoo.com']),
  ...listDomains('wikimedia', 'https://wikimediafoundation.org/', ['wikipedia.org', 'wikimedia.org']),
  ...listDomains('baidu', 'https://home.baidu.com/', ['baidu.com']),
  ...listDomains('alibaba', 'https://www.alibabagroup.com/', ['alibaba.com', 'taobao.com']),
  ...listDomains('tencent', 'https://www.tencent.com/', ['qq.com']),
  ...listDomains('linkedin', 'https://about.linkedin.com/', ['linkedin.com']),
  ...listDomains('reddit', 'https://redditinc.com/', ['reddit.com']),
  ...listDomains('flipboard', 'https://about.flipboard.com/', ['flipboard.com']),
  ...listDomains('tripadvisor', 'https://www.tripadvisor.com/', ['tripadvisor.com']),
  ...listDomains('spotify', 'https://www.spotify.com/', ['spotify.com']),
];

/** Brands that are an operator's own though their names do not say so. */
const makesOfOperators: ReadonlyMap<string, readonly string[]> = new Map([
  ['amazon', ['blink', 'eero', 'ring']],
  ['google', ['fitbit', 'nest']],
  ['microsoft', ['xbox']],
  ['apple', ['beats']],
  ['baidu', ['xiaodu']],
]);

export const defaultNameLists: NameLists = { thirdParty, humanFacing, makesOfOperators };
