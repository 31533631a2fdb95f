const GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * What counts as one address: an IPv4 address, and of IPv6 the network of 64 bits, since that is what one customer is
 * given at the least (RFC 6177).
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = [], tail] = address.toLowerCase().split('::').map(groupsOf);
  const zeros = Array<string>(Math.max(0, GROUPS - head.length - (tail?.length ?? 0))).fill('0');
  return `${[...head, ...zeros, ...(tail ?? [])].slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

function groupsOf(text: string): string[] {
  const groups = text.split(':').filter((group) => group !== '');
  return groups.map((group) => group.replace(/^0+(?=.)/, ''));
}
